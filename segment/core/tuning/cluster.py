"""The trainings of a study, done side by side by the workers of a cluster."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from segment.core.cluster.dispatch import dispatch
from segment.core.cluster.worker_pool import Crew
from segment.core.errors import InputError, Interrupted
from segment.core.machine import this_machine
from segment.core.progress import Progress
from segment.core.tuning.cluster_job import ReceivedProgress, TuningJob, fail_running, trials_of, worker_of
from segment.core.tuning.reruns import POLL, Confirmation, Pair, Pairs
from segment.core.tuning.search import Search
from segment.core.tuning.search_space import Space
from segment.core.tuning.storage import absolute, is_file
from segment.core.tuning.study import ended_trials, fail_dead_trials, require_hope
from segment.core.tuning.trials import Task

if TYPE_CHECKING:
    from distributed import Client
    from optuna import Study
    from optuna.trial import FrozenTrial


@contextmanager
def begin_campaign(
    client: "Client",
    address: str,
    study: "Study",
    task: Task,
    space: Space,
    search: Search,
    storage: str,
    folder: Path,
    progress: Progress,
) -> Iterator["TuningCampaign"]:
    """A campaign for a study, with the workers of the scheduler at `address`. folder: that is tuned into."""
    crew = Crew(client, address, progress.say)
    sent = replace(task, data=[place.absolute() for place in task.data], files=())
    files = replace(sent, files=task.find_files(sent.data)).describe_files()
    machine = this_machine() if is_file(storage) else None
    job = TuningJob(folder, sent, files, space, search, absolute(storage), machine, crew.resource, Path.cwd())
    try:
        yield TuningCampaign(crew, job, study, progress)
    finally:
        with suppress(Exception):  # the scheduler may be gone
            crew.disband()


@dataclass(frozen=True)
class _Tally:
    """How many of a study's trainings have ended. what: they are, in words."""

    study: "Study"
    what: str
    total: int
    done: Callable[[], int]

    def __str__(self) -> str:
        return f"{self.done()} of {self.total} {self.what} have ended: the same command goes on from there."


class TuningCampaign:
    """A Workplace of many: each worker of the crew does one training at a time, and tells the study of it."""

    def __init__(self, crew: Crew, job: TuningJob, study: "Study", progress: Progress):
        self._crew, self._job, self._study, self._progress = crew, job, study, progress
        self._received = ReceivedProgress(crew.client, job.crew, progress)
        self._under_way = 0
        self._looked = -math.inf

    def run_trials(self, trials: int, hours: float | None, tell: Callable[["FrozenTrial"], None]) -> None:
        """As on one machine, but no more trials than that are begun, as long as none fails by the loss of its worker.

        Raises InputError when the cluster is lost, and Interrupted; each says how many trials have ended.
        """
        end = math.inf if hours is None else time.monotonic() + hours * 3600
        tally = _Tally(self._study, "trials", trials, lambda: len(ended_trials(self._study)))

        def lacking() -> int:
            """Trials that have neither ended nor been begun elsewhere, nor been given out here."""
            running, ours = fail_dead_trials(self._study), {t.number for t in trials_of(self._study, self._job.crew)}
            return trials - tally.done() - self._under_way - sum(trial.number not in ours for trial in running)

        def begin() -> Iterator[None]:
            while lacking() > 0 and time.monotonic() < end:
                yield None

        def note(trial: "FrozenTrial") -> None:
            tell(trial)
            require_hope(self._study)

        with self._counting(tally):
            while tally.done() < trials and time.monotonic() < end:
                if lacking() > 0:
                    self._carry_out(begin(), note, tally)
                else:
                    time.sleep(POLL)

    def confirm(self, runs: "Study", best: int, seeds: Sequence[int], tell: Callable[[str], None]) -> Confirmation | None:
        """As on one machine. Raises InputError when the cluster is lost, and Interrupted."""
        pairs = Pairs(runs, best, seeds, tell)
        tally = _Tally(runs, "trainings of --confirm", len(pairs), lambda: len(pairs) - len(pairs.missing))
        with self._counting(tally):
            while pairs.missing:
                if free := pairs.free:
                    self._carry_out(free, pairs.note, tally)
                else:
                    time.sleep(POLL)
        return pairs.conclude()

    @contextmanager
    def _counting(self, tally: _Tally) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped. {tally}") from error
        except Interrupted:
            raise
        except InputError as error:
            raise InputError(f"{error} {tally}") from error
        finally:
            self._progress.advance(tally.what, tally.total, tally.total)
            with suppress(Exception):  # the database may be gone
                fail_running(tally.study, trials_of(tally.study, self._job.crew))

    def _carry_out(self, pieces: Iterable[Pair | None], note: Callable[["FrozenTrial"], None], tally: _Tally) -> None:
        """Has trainings done. note: called with each trial of the study that ended, of whatever it died."""
        study = tally.study
        told = {trial.number for trial in trials_of(study, self._job.crew)}

        def work() -> Iterator[tuple[TuningJob, Pair | None]]:
            for piece in pieces:
                self._under_way += 1
                yield self._job, piece

        def look(patience: float = POLL) -> None:
            self._received.show()
            if time.monotonic() - self._looked < patience:
                return
            for trial in self._find_ended(study):
                if trial.number not in told:
                    told.add(trial.number)
                    note(trial)
            self._progress.advance(tally.what, tally.done(), tally.total, self._crew.describe())
            self._looked = time.monotonic()

        self._assemble()
        self._under_way = 0
        with closing(dispatch(self._crew, work(), ahead=False)) as attempts:
            for attempt in attempts:
                if attempt is None:
                    look()
                    continue
                self._under_way -= 1
                look(patience=0)
                if attempt.problem:
                    raise InputError(f"{self._crew.address}: a training ends on some worker. Received: {attempt.problem}")

    def _assemble(self) -> None:
        is_first = self._crew.job is None
        try:
            self._crew.await_workers()
            self._crew.assemble(self._job)
            if is_first:
                self._progress.say(self._crew.introduction)
        except OSError as error:
            raise self._crew.scheduler_lost() from error

    def _find_ended(self, study: "Study") -> list["FrozenTrial"]:
        """The crew's trials that have ended; those of workers that are gone are failed."""
        trials = trials_of(study, self._job.crew)
        with suppress(OSError):  # the scheduler is gone, as is told elsewhere
            alive = self._crew.addresses  # asked after the trials: a worker may have come and begun one
            fail_running(study, [trial for trial in trials if worker_of(trial) not in alive])
            self._received.forget(alive)
        return [trial for trial in trials if trial.state.is_finished()]

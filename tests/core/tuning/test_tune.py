"""Studies of a training that takes no time: failures, kills, company, and what is written."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier
from typing import get_args

import optuna
import pytest
from optuna.distributions import FloatDistribution

from classify.config import Config
from segment.core.choices import Sampler
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.outputs import alone
from segment.core.progress import Silent
from segment.core.tuning import loop
from segment.core.tuning.loop import run_trials
from segment.core.tuning.monitor import Monitor
from segment.core.tuning.page import describe_study, tuning_page
from segment.core.tuning.reruns import Confirmation, Reruns, confirm
from segment.core.tuning.samplers import build_sampler
from segment.core.tuning.search import Plan, Search, Task
from segment.core.tuning.search_space import Parameter, distributions, load_space
from segment.core.tuning.storage import absolute, is_file
from segment.core.tuning.study import (
    SURPLUS,
    ended_trials,
    joined,
    listed_trials,
    open_study,
    outcome_of,
    running_trials,
)
from segment.core.tuning.trainer import DEFAULTS as DEFAULT_SETTINGS
from segment.core.tuning.trainer import Trainer
from segment.core.tuning.trials import Conditions, TrialFailed, run_trial
from segment.core.tuning.tune import tune
from tests.fake_training import SCORES, SECONDS, accuracy

SPACE = {
    "training.learning_rate": Parameter(low=1e-4, high=1e-1, log=True),
    "model.dropout": Parameter(low=0.0, high=0.6),
    "training.batch_size": Parameter(choices=[8, 16]),
}
DEFAULTS = Config.model_validate(
    {"training": {"epochs": 2, "warmup_epochs": 0, "learning_rate": 1e-4}}
)
TWICE = """
import sys
from pathlib import Path
from tests.core.tuning.test_tune import SPACE, TASK, Search, tune
from segment.core.cli.command import show_progress
with show_progress(False) as progress:
    search = Search(trials=int(sys.argv[2]), storage=sys.argv[3], confirmations=1)
    tune(TASK, Path(sys.argv[1]), SPACE, search, progress)
"""

FILES = [
    "best.yaml",
    "defaults.yaml",
    "report.html",
    "report.json",
    "space.yaml",
    "study.db",
    "trials",
]
TASK = Task("tests.fake_training", [Path("pictures")], DEFAULTS, SCORES)


@pytest.fixture(autouse=True)
def trainings_find_the_tests(monkeypatch):
    """Trials look for modules nowhere but where packages are installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


class Lines(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def study_of(output: Path, name: str = "tuning") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{output}/study.db")


@pytest.mark.slow
def test_a_study_writes_the_best_settings_a_report_and_what_they_are_worth(tmp_path):
    reported, output = Lines(), tmp_path / "out" / "tuning"
    found = tune(TASK, output, SPACE, Search(trials=14, confirmations=2), reported)
    best = load_settings(Config, output / "best.yaml")
    assert (best.training.learning_rate, best.model.dropout) == (
        found.values["training.learning_rate"],
        found.values["model.dropout"],
    )
    assert best.training.epochs == 2 and best.training.seed == 0
    assert found.score == pytest.approx(accuracy(best.training.learning_rate, best.model.dropout))
    assert found.score > 0.85
    gain = found.score - accuracy(1e-4, 0.2)
    assert found.confirmation is not None
    assert found.confirmation.gain == pytest.approx(
        gain
    ) and found.confirmation.error == pytest.approx(0, abs=1e-9)
    assert found.confirmation.defaults == pytest.approx(
        [accuracy(1e-4, 0.2) - 0.05 + 0.01 * seed for seed in (1, 2)]
    )
    assert found.confirmation.part == "test"
    report = json.loads((output / "report.json").read_text())
    assert len(report["trials"]) == 14 and report["best"]["values"] == found.values
    assert report["confirmation"]["gain"] == pytest.approx(gain)
    assert max(report["importance"], key=report["importance"].get) == "training.learning_rate"
    page = (output / "report.html").read_text()
    assert all(
        word in page
        for word in ("Gain over the defaults", "Importance", "Slices", "Parallel coordinates")
    )
    assert "http" not in page.replace("http-equiv", "")
    assert sorted(p.name for p in output.iterdir()) == FILES
    assert not any((output / "trials").iterdir())
    assert sum("stopped after" in line for line in reported.lines) == sum(
        t["state"] == "pruned" for t in report["trials"]
    )
    assert "seeds" in str(found)


@pytest.mark.heavy
def test_a_study_goes_on_and_only_with_what_it_began_with(tmp_path):
    tune(TASK, tmp_path / "t", SPACE, Search(trials=3, confirmations=0))
    reported = Lines()
    found = tune(TASK, tmp_path / "t", SPACE, Search(trials=5, confirmations=1), reported)
    assert found.trials == 5 and [line.split(":")[0] for line in reported.lines[:2]] == [
        "trial 3",
        "trial 4",
    ]
    again = tune(TASK, tmp_path / "t", SPACE, Search(trials=5, confirmations=1))
    assert again.confirmation == found.confirmation and again.trials == 5
    assert not any((tmp_path / "t" / "trials").iterdir())
    runs = study_of(tmp_path / "t", "tuning/confirmation").trials
    assert len(runs) == 2
    other = Task(
        TASK.module, TASK.data, load_settings(Config, overrides=["training.epochs=3"]), SCORES
    )
    with pytest.raises(
        InputError, match="training.epochs: is 3, but the study 'tuning' began with 2"
    ):
        tune(other, tmp_path / "t", SPACE, Search(trials=5))
    with pytest.raises(InputError, match="search space, model.dropout"):
        tune(
            TASK,
            tmp_path / "t",
            {**SPACE, "model.dropout": Parameter(low=0.0, high=0.1)},
            Search(trials=5),
        )
    with pytest.raises(InputError, match="data: is .'others'., but the study"):
        tune(
            Task(TASK.module, [Path("others")], DEFAULTS, SCORES),
            tmp_path / "t",
            SPACE,
            Search(trials=5),
        )
    more = Task(TASK.module, TASK.data, DEFAULTS, SCORES, [Path("pictures/new.jpg")])
    with pytest.raises(
        InputError, match=r"files: is '1 \(.*, but the study 'tuning' began with '0 \("
    ):
        tune(more, tmp_path / "t", SPACE, Search(trials=5))


@pytest.mark.heavy
def test_the_defaults_are_tried_first_where_they_lie_in_the_space(tmp_path):
    tune(TASK, tmp_path / "out", SPACE, Search(trials=2, confirmations=0))
    assert "training.learning_rate" in study_of(tmp_path / "out").trials[0].params
    space = {**SPACE, "training.batch_size": Parameter(choices=[8, 16, 32])}
    tune(TASK, tmp_path / "in", space, Search(trials=2, confirmations=0))
    first = {"training.learning_rate": 1e-4, "model.dropout": 0.2, "training.batch_size": 32}
    assert study_of(tmp_path / "in").trials[0].params == first


@pytest.mark.slow
@pytest.mark.heavy
def test_repeats_have_seeds_of_their_own_and_their_mean_counts(tmp_path):
    found = tune(TASK, tmp_path / "t", SPACE, Search(trials=2, repeats=3, confirmations=1))
    once = accuracy(found.values["training.learning_rate"], found.values["model.dropout"])
    assert found.score == pytest.approx(once + 0.01)  # seeds 0, 1 and 2 give 0, 0.01 and 0.02 more
    assert found.confirmation is not None and found.confirmation.seeds == [3]
    with pytest.raises(InputError, match="repeats: is 1, but the study 'tuning' began with 3"):
        tune(TASK, tmp_path / "t", SPACE, Search(trials=3))


@pytest.mark.heavy
def test_what_a_killed_study_leaves_stands_in_no_ones_way(tmp_path):
    tune(TASK, tmp_path / "t", SPACE, Search(trials=2, confirmations=0))
    for name in ("study.db-journal", ".best.yaml.partial", "trials/tuning-1.yaml"):
        (tmp_path / "t" / name).touch()
    (tmp_path / "t" / "trials" / "tuning-1").mkdir()
    assert tune(TASK, tmp_path / "t", SPACE, Search(trials=3, confirmations=0)).trials == 3
    assert not any((tmp_path / "t" / "trials").iterdir())


def test_a_folder_is_tuned_into_by_one_process(tmp_path):
    (tmp_path / "t" / "trials").mkdir(parents=True)
    with (
        alone(tmp_path / "t" / "trials"),
        pytest.raises(InputError, match="trials: is being written by process"),
    ):
        tune(TASK, tmp_path / "t", SPACE, Search(trials=1))


@pytest.mark.heavy
def test_a_second_study_in_a_folder_has_its_own_defaults_and_space(tmp_path):
    tune(TASK, tmp_path / "t", SPACE, Search(trials=1, confirmations=0))
    space = {"model.dropout": Parameter(low=0.0, high=0.1)}
    tune(TASK, tmp_path / "t", space, Search(trials=1, confirmations=0, name="second"))
    assert load_space(tmp_path / "t" / "space.yaml") == space


def test_names_that_no_database_or_folder_can_have_are_refused(tmp_path):
    for output, search in ((tmp_path / "a?b", Search()), (tmp_path / "{a}", Search())):
        with pytest.raises(InputError, match="in the path cannot be part of a database's URL"):
            tune(TASK, output, SPACE, search)
    for name in ("../up", "a/b", ""):
        with pytest.raises(InputError, match="--study is .*Choose letters"):
            tune(TASK, tmp_path / "t", SPACE, Search(name=name))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [
        {"trials": 0},
        {"hours": 0.0},
        {"hours": float("nan")},
        {"memory_mb": 0.0},
        {"repeats": 0},
        {"confirmations": -1},
        {"sampler": "bayes"},
        {"seed": -1},
        {"name": "tuning/confirmation"},
        {"name": "x" * 101},
    ],
)
def test_searches_check_themselves(wrong):
    with pytest.raises(InputError, match=r"^--\w+ is .*\. Choose .*\."):
        Search(**wrong)


def test_folders_of_others_stay_as_they_are(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "precious.tif").touch()
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "trials").symlink_to(tmp_path / "photos")
    (tmp_path / "own" / "trials").mkdir(parents=True)
    (tmp_path / "own" / "trials" / "precious.tif").touch()
    for output in (tmp_path / "link", tmp_path / "own"):
        with pytest.raises(InputError, match="trials in it is not of a tuning"):
            tune(TASK, output, SPACE, Search(trials=1))
    inside = Task(TASK.module, [tmp_path / "photos"], DEFAULTS, SCORES)
    with pytest.raises(InputError, match="the output is inside the data folder"):
        tune(inside, tmp_path / "photos" / "tuned", SPACE, Search(trials=1))
    assert (tmp_path / "own" / "trials" / "precious.tif").exists() and (
        tmp_path / "photos" / "precious.tif"
    ).exists()


@pytest.mark.heavy
def test_settings_that_were_tried_are_not_trained_again(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(
        "segment.core.tuning.trainer.run_trial",
        lambda *a, **k: begun.append(a) or run_trial(*a, **k),
    )
    space = {
        "training.batch_size": Parameter(choices=[8, 16]),
        "model.dropout": Parameter(choices=[0.1, 0.2]),
    }
    reported = Lines()
    tune(TASK, tmp_path / "t", space, Search(trials=7, confirmations=0), reported)
    assert len(begun) == 4 and sum("with the same settings" in line for line in reported.lines) == 3
    assert len({trial.value for trial in study_of(tmp_path / "t").trials}) == 2


@pytest.mark.heavy
def test_a_trial_that_was_killed_as_it_began_is_not_waited_for(tmp_path, monkeypatch):
    tune(TASK, tmp_path / "t", SPACE, Search(trials=1, confirmations=0))
    study_of(tmp_path / "t").ask()  # and no word of it since
    monkeypatch.setattr("segment.core.tuning.study._STILLBORN", 0)
    found = tune(TASK, tmp_path / "t", SPACE, Search(trials=2, confirmations=0))
    assert [trial.state.name for trial in study_of(tmp_path / "t").trials] == [
        "COMPLETE",
        "FAIL",
        "COMPLETE",
    ]
    assert found.trials == 3


def plan_of(trials: int) -> Plan:
    return Plan(
        task=TASK,
        search=Search(trials=trials),
        distributions={"model.dropout": FloatDistribution(0.0, 0.6)},
        deadline=math.inf,
        command="c",
        reruns=0,
    )


@pytest.mark.heavy
def test_settings_that_another_process_trains_are_skipped(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "s", {})
    for _ in range(2):
        study.enqueue_trial({"model.dropout": 0.1})
    study.ask({"model.dropout": FloatDistribution(0.0, 0.6)})

    def watch() -> None:
        if study.trials[1].state.is_finished():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trials(Trainer(study, plan_of(5), tmp_path, Silent()), watch)
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "PRUNED"]
    assert outcome_of(study.trials[1]) == "skipped, as trial 0, with the same settings"


def states_of(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """Numbers of the trials that were trained, which takes no time."""
    numbers = list[int]()
    monkeypatch.setattr(Trainer, "attempt", lambda _, t, values: numbers.append(t.number) or 0.5)
    return numbers


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_processes_that_begin_the_last_trial_at_once_train_it_once(
    tmp_path, monkeypatch, trained, wanted
):
    storage, together = f"sqlite:///{tmp_path}/study.db", Barrier(3)
    own, count = threading.local(), loop.ended_trials
    open_study(storage, "s", {})

    def count_together(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
        found = count(study)
        if not hasattr(own, "met"):  # none begins before all have counted
            own.met = together.wait(60)
        return found

    def work(number: int) -> None:
        with joined(storage, "s") as study:
            run_trials(Trainer(study, plan_of(wanted), tmp_path, Silent()), lambda: None)

    monkeypatch.setattr(loop, "ended_trials", count_together)
    monkeypatch.setattr(loop, "POLL", 0.01)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    study = study_of(tmp_path, "s")
    assert sorted(trained) == list(range(wanted))
    begun = states_of(study)  # a process may begin a second one before the others begin theirs
    assert begun == ["COMPLETE"] * wanted + ["FAIL"] * (len(begun) - wanted)
    assert 3 <= len(begun) <= wanted + 2
    assert [trial.number for trial in listed_trials(study)] == list(range(wanted))
    assert len(ended_trials(study)) == wanted
    lines = Lines()
    Monitor(study, study, plan_of(wanted), tmp_path, lines).report()
    assert not any("failed" in line for line in lines.lines)


@pytest.mark.heavy
def test_reports_leave_out_trials_that_ended_untrained(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "s", {})
    study.tell(study.ask({"model.dropout": FloatDistribution(0.0, 0.6)}).number, 0.5)
    surplus = study.ask()
    surplus.set_user_attr(SURPLUS, True)
    study.tell(surplus.number, state=optuna.trial.TrialState.FAIL)
    assert len(describe_study(study, study.best_trial, None)["trials"]) == 1
    page = tuning_page(study, study.best_trial, DEFAULTS, None)
    page.write(tmp_path / "page.html")
    assert "its process was stopped" not in (tmp_path / "page.html").read_text()


def test_a_trial_that_waits_goes_before_one_begun_at_the_same_moment(
    tmp_path, monkeypatch, trained
):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "s", {})
    study.enqueue_trial({"model.dropout": 0.1})
    take, answers = study._pop_waiting_trial_id, iter([None])  # None: queued after the first look
    monkeypatch.setattr(
        study, "_pop_waiting_trial_id", lambda: None if next(answers, take) is None else take()
    )
    run_trials(Trainer(study, plan_of(1), tmp_path, Silent()), lambda: None)
    assert trained == [0] and states_of(study) == ["COMPLETE", "FAIL"]


def test_a_lost_trial_is_made_up_for_once(tmp_path, trained):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "s", {})
    study.tell(study.ask().number, state=optuna.trial.TrialState.FAIL)
    run_trials(Trainer(study, plan_of(2), tmp_path, Silent()), lambda: None)
    assert trained == [1, 2] and states_of(study) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert len(listed_trials(study)) == 3


def test_settings_of_a_lost_process_are_queued_again(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "s", {})
    study.ask({"x": FloatDistribution(0, 2)})
    assert len(running_trials(study)) == 1
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute("insert into trial_heartbeats values (1, 1, '2020-01-01 00:00:00.000000')")
        database.commit()
    assert not running_trials(study)
    lost, again = study.trials
    assert (lost.state.name, again.state.name) == ("FAIL", "WAITING")
    assert again.params == lost.params


@pytest.mark.heavy
def test_trainings_without_a_score_are_failed_trials(tmp_path):
    unknown = Task(TASK.module, TASK.data, DEFAULTS, {"val_beauty": "beauty"})
    with pytest.raises(
        InputError, match="All 3 trials failed. Last error: scored nan as val_beauty"
    ):
        tune(unknown, tmp_path / "t", SPACE, Search(trials=9))


def test_studies_of_other_programs_are_left_alone(tmp_path):
    optuna.create_study(
        study_name="tuning", storage=f"sqlite:///{tmp_path}/study.db", direction="minimize"
    ).ask()
    with pytest.raises(InputError, match="'tuning' is a study of another program"):
        tune(
            TASK, tmp_path / "t", SPACE, Search(trials=1, storage=f"sqlite:///{tmp_path}/study.db")
        )


@pytest.mark.heavy
def test_a_database_that_vanishes_is_reported(tmp_path):
    class Vandal(Silent):
        def advance(self, *args: object) -> None:
            (tmp_path / "t" / "study.db").write_bytes(b"")

    with pytest.raises(InputError, match="the database of studies cannot be used"):
        tune(TASK, tmp_path / "t", SPACE, Search(trials=2), Vandal())


@pytest.mark.heavy
def test_files_in_the_working_folder_are_no_modules_of_a_training(tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('my own notes')")
    monkeypatch.chdir(tmp_path)
    assert run_trial(TASK, {}, tmp_path / "runs" / "one", keep=lambda folder: folder.name) == "one"


@pytest.mark.heavy
def test_a_training_keeps_to_its_cores_and_starts_where_it_should(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)

    def read(folder: Path) -> dict:
        return json.loads((folder / "report.json").read_text())

    found = run_trial(
        TASK,
        {},
        tmp_path / "runs" / "one",
        keep=read,
        conditions=Conditions(3, tmp_path),
    )
    assert (found["threads"], Path(found["made_in"])) == ("3", tmp_path)
    found = run_trial(TASK, {}, tmp_path / "runs" / "one", keep=read)
    assert (found["threads"], Path(found["made_in"])) == (None, Path.cwd())


def test_a_study_is_joined_where_it_is_and_nothing_is_made_where_it_is_not(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    with pytest.raises(InputError, match="no such table"), joined(storage, "s"):
        pass
    open_study(storage, "s", {}).ask()
    with joined(storage, "s") as study:
        assert len(study.trials) == 1
    with (
        pytest.raises(InputError, match="no study 'other'"),
        joined(storage, "other"),
    ):
        pass


def test_paths_of_databases_are_right_in_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server = "postgresql://bob:secret@host/studies"
    assert [absolute("sqlite:///study.db"), absolute(server)] == [
        f"sqlite:///{tmp_path}/study.db",
        server,
    ]
    assert [is_file("sqlite:///study.db"), is_file(server)] == [True, False]


@pytest.mark.heavy
def test_passwords_stay_unsaid(tmp_path):
    with pytest.raises(InputError) as error:
        tune(
            TASK,
            tmp_path / "t",
            SPACE,
            Search(storage="postgresql://bob:hunter2@localhost/studies"),
        )
    assert "hunter2" not in str(error.value) and "bob:***@localhost" in str(error.value)


@pytest.mark.heavy
def test_a_missing_driver_of_a_database_is_named(tmp_path):
    with pytest.raises(
        InputError,
        match=r"no driver \(No module named .*\)\. Install it; of PostgreSQL: pip install",
    ):
        tune(TASK, tmp_path / "t", SPACE, Search(storage="mysql://localhost/studies"))


def test_repeated_trainings_keep_the_split_and_a_failed_one_is_left_out_and_tried_again(tmp_path):
    study = open_study(f"sqlite:///{tmp_path}/study.db", "c", {})
    begun, broken = list[tuple[int, int]](), [True]

    def train(number: int, seed: int) -> tuple[str, float]:
        begun.append((number, seed))
        if broken[0] and (number, seed) == (7, 2):
            raise TrialFailed("no memory")
        return "test", 0.5 + 0.1 * (number == 7) + 0.01 * seed

    def both() -> Reruns | None:
        confirmation = Confirmation(study, 7, (1, 2), since=len(study.trials))
        confirm(confirmation, train, lambda: None)
        return confirmation.conclude()

    first = both()
    assert (
        first is not None
        and first.seeds == [1]
        and first.problems == ["trial 7 with seed 2 failed: no memory"]
    )
    assert first.gain == pytest.approx(0.1) and first.error is None
    broken[0] = False
    second = both()
    assert second is not None and second.seeds == [1, 2] and not second.problems
    assert begun == [(DEFAULT_SETTINGS, 1), (7, 1), (DEFAULT_SETTINGS, 2), (7, 2), (7, 2)]


@pytest.mark.heavy
@pytest.mark.parametrize("kind", get_args(Sampler))
def test_two_processes_with_one_seed_try_different_settings(tmp_path, kind):
    space = distributions(SPACE, DEFAULTS)
    studies = [
        open_study(f"sqlite:///{tmp_path}/study.db", "s", {}, build_sampler(kind, space, seed=1))
        for _ in range(2)
    ]
    tried = [tuple(study.ask(space).params.values()) for _ in range(3) for study in studies]
    assert len(set(tried)) == 6


@pytest.mark.heavy
def test_a_trial_that_waits_is_taken_once(tmp_path):
    storage, count = f"sqlite:///{tmp_path}/study.db", 24
    study = open_study(storage, "s", {})
    for number in range(count):
        study.enqueue_trial({"x": number})
    studies, start = [open_study(storage, "s", {}) for _ in range(4)], Barrier(4)

    def take(study):
        start.wait(60)
        return [study.ask().number for _ in range(count // 4)]

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, studies) for number in numbers]
    assert sorted(taken) == list(range(count))


@pytest.mark.slow
def test_processes_that_open_a_new_study_at_once_all_get_it(tmp_path):
    code = (
        "import sys; from segment.core.tuning.study import open_study; open_study(sys.argv[1], 's',"
        " {'data': 'x'})"
    )
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/study.db"]
    begun = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate()[1] for process in begun] == [""] * 4
    assert [process.returncode for process in begun] == [0] * 4


@pytest.mark.slow
@pytest.mark.heavy
def test_trials_that_diverge_die_or_take_too_much_memory_are_recorded_and_the_study_goes_on(
    tmp_path,
):
    space = {
        "training.learning_rate": Parameter(choices=[0.2, 0.001]),
        "training.batch_size": Parameter(choices=[1, 2, 8, 16]),
    }
    reported = Lines()
    tune(
        TASK,
        tmp_path / "t",
        space,
        Search(trials=16, confirmations=0, memory_mb=250, sampler="random", seed=3),
        reported,
    )
    problems = {
        t.user_attrs["problem"] for t in study_of(tmp_path / "t").trials if t.state.name == "FAIL"
    }
    assert any("must stay finite. Received loss nan" in problem for problem in problems), problems
    assert any("was killed" in problem for problem in problems)
    assert any("MB of memory, more than 250" in problem for problem in problems)
    assert load_settings(Config, tmp_path / "t" / "best.yaml").training.batch_size >= 8


@pytest.mark.heavy
def test_nothing_but_failures_ends_with_their_reason(tmp_path):
    with pytest.raises(InputError, match=r"All 3 trials failed. Last error: .*must stay finite"):
        tune(
            TASK,
            tmp_path / "t",
            {"training.learning_rate": Parameter(low=0.2, high=0.3)},
            Search(trials=9),
        )


@pytest.mark.heavy
def test_a_folder_with_other_things_and_a_database_that_is_none_are_refused(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"photo.jpg in it is not of a tuning"):
        tune(TASK, tmp_path, SPACE, Search(trials=1))
    with pytest.raises(InputError, match=r"photo.jpg is a file"):
        tune(TASK, tmp_path / "photo.jpg", SPACE, Search(trials=1))
    for url in ("nonsense", f"sqlite:///{tmp_path}/no/such/folder/study.db"):
        with pytest.raises(InputError, match=r"the database of studies cannot be used"):
            tune(TASK, tmp_path / "t", SPACE, Search(trials=1, storage=url))


@pytest.mark.heavy
def test_a_training_ends_with_the_process_that_began_it(tmp_path, monkeypatch):
    monkeypatch.setenv(SECONDS, "0.2")
    slow = Task(
        TASK.module, TASK.data, load_settings(Config, overrides=["training.epochs=500"]), SCORES
    )
    (tmp_path / "run.py").write_text(
        "from pathlib import Path\nfrom tests.core.tuning.test_tune import"
        f" *\nrun_trial(Task({slow.module!r}, [Path('x')], load_settings(Config,"
        f" overrides=['training.epochs=500']), SCORES), {{}}, Path({str(tmp_path / 'run')!r}))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "run.py")], env={**os.environ, "PYTHONPATH": "."}
    )
    history = tmp_path / "run" / "history.csv"
    while not history.exists():
        assert parent.poll() is None
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    time.sleep(2)  # until it is gone
    seen = history.read_text()
    time.sleep(1)
    assert history.read_text() == seen


@pytest.mark.heavy
def test_what_watches_a_training_may_end_it(tmp_path):
    def enough(epoch: int, score: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(TASK, {}, tmp_path / "runs" / "one", on_epoch=enough)
    assert not any((tmp_path / "runs").iterdir())
    with pytest.raises(TrialFailed, match="was killed"):
        run_trial(TASK, {"training.batch_size": 1}, tmp_path / "runs" / "one")


@pytest.mark.slow
def test_two_processes_share_a_study_and_a_killed_one_loses_the_trial_in_progress(
    tmp_path, monkeypatch
):
    monkeypatch.setenv(SECONDS, "0.3")
    storage = f"sqlite:///{tmp_path}/shared.db"
    (tmp_path / "tune.py").write_text(TWICE)

    def begin(name: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(tmp_path / "tune.py"), str(tmp_path / name), "10", storage]
        return subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": "."}, stdout=subprocess.PIPE, text=True
        )

    def ended() -> int:
        # no tables yet
        with (
            closing(sqlite3.connect(tmp_path / "shared.db")) as database,
            suppress(sqlite3.OperationalError),
        ):
            return int(
                database.execute(
                    "select count(*) from trials where state not in ('RUNNING', 'WAITING')"
                ).fetchone()[0]
            )
        return 0

    first, second = begin("a"), begin("b")
    while ended() < 4:
        assert first.poll() is None and second.poll() is None
        time.sleep(0.2)
    before = ended()
    first.send_signal(signal.SIGKILL)
    first.wait()
    lines = second.communicate(timeout=240)[0]
    assert second.returncode == 0, lines
    assert begin("a").wait(timeout=240) == 0
    study = optuna.load_study(study_name="tuning", storage=storage)
    complete = [t for t in study.trials if t.state.name in ("COMPLETE", "PRUNED")]
    assert before >= 4 and len(complete) >= 9
    assert 0 < lines.count("\ntrial ") < len(complete) and len(study.trials) <= 12
    assert len({tuple(t.params.values()) for t in complete}) == len(complete)
    assert (tmp_path / "a" / "best.yaml").read_bytes() == (
        tmp_path / "b" / "best.yaml"
    ).read_bytes()
    confirmed = optuna.load_study(study_name="tuning/confirmation", storage=storage).trials
    done = sorted(t.user_attrs["pair"] for t in confirmed if t.state.name == "COMPLETE")
    assert done == sorted([[-1, 1], [study.best_trial.number, 1]])

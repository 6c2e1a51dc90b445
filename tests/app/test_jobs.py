"""Jobs end, are cancelled, and leave nothing behind."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from segment.app.jobs.queue import AT_ONCE, Jobs
from segment.app.pages.html import show_progress
from segment.app.uploads.quota import parse_size
from segment.core.errors import InputError, Interrupted


@pytest.fixture
def jobs():
    made = Jobs()
    yield made
    made.close()
    assert not made.root.exists()


def finish(watched):
    """What a watched job gives at its end."""
    while True:
        try:
            next(watched)
        except StopIteration as end:
            return end.value


def watch(job, work):
    return job.watch(work, lambda: job.done, every=0.01)


def steps(job, begun):
    """Work that lasts until it is cancelled."""

    def work():
        for step in range(10_000):
            job.advance(step, 10_000)
            begun.set()
            time.sleep(0.01)

    return work


def test_results_stay_until_the_next_job_of_their_kind(jobs):
    job = jobs.begin("me", "map")
    assert finish(watch(job, lambda: 7)) == 7 and job.result == 7
    assert jobs.last("me", "map") is job and job.folder.exists() and jobs.running() == 0
    other = jobs.begin("you", "map")
    again = jobs.begin("me", "map")
    assert not job.folder.exists() and again.folder.exists() and other.folder.exists()
    beside = jobs.begin("me", "map", instead=False)
    assert again.folder.exists() and jobs.last("me", "map") is beside


def test_cancelled_jobs_stop_and_leave_nothing(jobs):
    job, begun = jobs.begin("me", "map"), threading.Event()
    running = watch(job, steps(job, begun))
    next(running)
    assert begun.wait(10) and jobs.running() == 1
    assert jobs.stop("me", "map") is job and jobs.stop("you", "map") is None and job.cancelled
    with pytest.raises(Interrupted, match="Cancelled"):
        finish(running)
    assert not job.folder.exists() and jobs.running() == 0 and jobs.last("me", "map") is None


def test_jobs_that_have_ended_are_not_cancelled_any_more(jobs):
    job = jobs.begin("me", "map")
    finish(watch(job, lambda: 7))
    assert (
        jobs.stop("me", "map") is job
        and not job.stopped
        and job.folder.exists()
        and jobs.last("me", "map") is job
    )
    failed = jobs.begin("me", "classify")
    with pytest.raises(InputError, match="no use"):
        finish(watch(failed, fail))
    assert (
        jobs.stop("me", "classify") is failed
        and not failed.cancelled
        and str(failed.error) == "no use"
    )


def fail():
    raise InputError("no use")


def test_jobs_that_wait_for_their_turn_are_withdrawn(jobs):
    assert jobs.expect("me", "map")
    assert (
        not jobs.withdraw("you", "map")
        and jobs.withdraw("me", "map")
        and not jobs.withdraw("me", "map")
    )
    job, begun = jobs.begin("me", "map"), threading.Event()
    running = watch(job, steps(job, begun))
    next(running)
    # a second click
    assert begun.wait(10) and not jobs.expect("me", "map") and not jobs.withdraw("me", "map")
    job.stop()


def test_no_more_is_kept_than_allowed():
    jobs = Jobs(most_kept=1000)
    for name in ("a", "b"):
        (jobs.uploads / name).write_bytes(bytes(400))
    (jobs.results / "again").hardlink_to(jobs.uploads / "a")  # the same file
    assert jobs.quota.kept == 800
    with (
        jobs.quota.reserve(150),
        pytest.raises(InputError, match="each for an hour. Try again later"),
    ):
        jobs.quota.require(100)
    jobs.quota.require(100)
    (jobs.results / "c").write_bytes(bytes(400))
    with pytest.raises(InputError, match="uploads and results"):
        jobs.begin("me", "map").do(lambda: 7)
    jobs.close()


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 5e8), ("2gb", 2e9), ("20 kb", 2e4), ("700", 700), ("7B", 7)]
)
def test_sizes_are_parsed(text, size):
    assert parse_size(text) == size


def test_no_more_jobs_than_allowed_are_computed_at_once(jobs):
    """Also where a cancelled one takes its time to end."""
    busy, most, lock = [], [], threading.Lock()

    def work():
        with lock:
            busy.append(1)
            most.append(len(busy))
        time.sleep(0.05)
        busy.pop()

    with ThreadPoolExecutor(6) as pool:
        for job in [jobs.begin(str(number), "classify") for number in range(6)]:
            pool.submit(job.do, work)
    assert len(most) == 6 and max(most) == AT_ONCE["classify"]


def test_visitors_who_leave_take_their_files_along(jobs):
    done, job, begun = jobs.begin("me", "classify"), jobs.begin("me", "map"), threading.Event()
    finish(watch(done, lambda: None))
    running = watch(job, steps(job, begun))
    next(running)
    assert begun.wait(10)
    jobs.forget("me")
    with pytest.raises(Interrupted):
        finish(running)
    assert (
        not any(jobs.results.iterdir())
        and jobs.last("me", "map") is None
        and jobs.last("me", "classify") is None
    )


def test_who_stops_watching_cancels(jobs):
    job, begun = jobs.begin("me", "map"), threading.Event()
    running = watch(job, steps(job, begun))
    next(running)
    assert begun.wait(10)
    running.close()
    assert job.stopped


def test_old_results_and_uploads_are_removed(jobs):
    job, running, begun = jobs.begin("me", "map"), jobs.begin("you", "classify"), threading.Event()
    finish(watch(job, lambda: None))
    watched = watch(running, steps(running, begun))
    next(watched)
    (jobs.uploads / "abc").mkdir()
    (jobs.uploads / "abc" / "a.tif").touch()
    (jobs.uploads / "empty file of Gradio's").touch()
    jobs.sweep()
    assert job.folder.exists() and len(list(jobs.uploads.iterdir())) == 2
    time.sleep(0.02)
    jobs.sweep(kept_seconds=0.01)
    assert not job.folder.exists() and not any(jobs.uploads.iterdir())
    assert running.folder.exists() and not running.stopped


@pytest.mark.heavy
def test_closing_waits_for_what_still_writes():
    jobs = Jobs()
    job, begun = jobs.begin("me", "map"), threading.Event()

    def work():
        begun.set()
        time.sleep(0.3)
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "late").touch()

    next(watch(job, work))
    assert begun.wait(10)
    jobs.close()
    time.sleep(0.2)
    assert not jobs.root.exists()


def test_errors_do_not_tell_where_files_are_kept(jobs):
    job = jobs.begin("me", "map")
    error = InputError(
        f"{job.folder}/scene/a b.tif: must be whole. Received {job.folder}/truth/t.tif."
    )
    assert job.message(error) == "a b.tif: must be whole. Received t.tif."


def test_progress_is_read_out_by_quarters(jobs):
    job, said = jobs.begin("me", "map"), []
    for job.done in range(201):
        job.total = 200
        said.append(show_progress(job, "Mapping", "tiles")["announced"])
    assert list(dict.fromkeys(said)) == [f"Mapping: {part} %" for part in (0, 25, 50, 75, 100)]


def test_errors_name_settings_not_options_of_commands(jobs):
    reported = jobs.begin("me", "map").message(
        InputError("a--b.tif: name those to use, e.g. --bands 1,2. --resample needs a CRS.")
    )
    assert reported == "a--b.tif: name those to use, e.g. bands 1,2. resample needs a CRS."


def test_a_fault_of_ours_is_reported_without_its_details(jobs, caplog):
    reported = jobs.begin("me", "map").message(ZeroDivisionError("in /some/place"))
    assert (
        "A fault of ours" in reported
        and "/some/place" not in reported
        and "in /some/place" in caplog.text
    )

"""Bodies that come in too slowly end, and hold nothing that has not come."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from segment.app.jobs.queue import Jobs
from segment.app.uploads.arrivals import Arrivals, Body, Limits
from segment.app.uploads.hosts import Hosts
from segment.app.uploads.middleware import Guard
from segment.app.uploads.quota import ARRIVING
from segment.core.errors import InputError

IMPATIENT = Limits(stall=0.05, grace=60, slowest=1, at_once=3, drain=0.05)


@pytest.fixture
def jobs():
    made = Jobs(most_kept=1000)
    yield made
    made.close()


def test_patience_is_that_of_the_next_byte_and_of_all_so_far():
    limits = Limits(stall=30, grace=60, slowest=1000)
    # of a minute, for the first
    assert limits.patience(0, 0) == 30 and limits.patience(40, 0) == 20
    assert limits.patience(100, 1_000_000) == 30  # fast, so it may pause
    assert limits.patience(600, 550_000) == 10  # just above the slowest
    assert limits.patience(600, 500_000) < 0


def client(*sizes, after=None):
    """Sends chunks of the sizes, and then what comes after: nothing, or a pause without end."""
    chunks = list(sizes)

    async def receive():
        if chunks:
            size = chunks.pop(0)
            return {
                "type": "http.request",
                "body": bytes(size),
                "more_body": bool(chunks) or after is not None,
            }
        await asyncio.Event().wait()

    return receive


def request(
    jobs, receive, length, path="/gradio_api/upload", limits=IMPATIENT, arrivals=None, app=None
):
    """Status of a request that an app reads to its end, and what was reserved most."""
    sent, held = [], []

    async def read(scope, receive, send):
        try:
            while (await receive()).get("more_body"):
                held.append(jobs.quota._coming)
            held.append(jobs.quota._coming)
        except HTTPException as error:  # as Starlette answers it
            await send({"type": "http.response.start", "status": error.status_code, "headers": []})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(b"host", b"localhost"), (b"content-length", str(length).encode())],
        "client": ("10.0.0.1", 5),
    }
    guard = Guard(app or read, jobs.quota, Hosts("127.0.0.1"), arrivals or Arrivals(limits))
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], max(held, default=0)


@pytest.mark.parametrize("sizes", [(), (1,), (10, 10, 10)])
@pytest.mark.parametrize(
    "path",
    ["/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/queue/join", "/gradio_api/run/stop"],
)
def test_an_idle_client_is_answered_and_holds_what_has_come(jobs, sizes, path):
    status, held = request(jobs, client(*sizes, after="nothing"), 900, path)
    assert status == 408
    assert held == (sum(sizes) if "upload" in path else 0) and jobs.quota._coming == 0


def test_a_client_that_drips_is_too_slow_on_the_whole(jobs):
    limits = Limits(stall=60, grace=0.02, slowest=10_000, drain=0.01)

    async def drip():
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"x", "more_body": True}

    assert request(jobs, drip, 900, limits=limits)[0] == 408


def test_others_have_room_beside_idle_clients(jobs):
    """Each announces as much as there is."""

    async def arrive(held):
        await Body(client(5, after="nothing"), Limits(), held).receive()

    with jobs.quota.reserve() as one, jobs.quota.reserve() as another:
        for held in (one, another):
            asyncio.run(arrive(held))
        assert request(jobs, client(990), 990)[0] == 200
        assert request(jobs, client(991), 991)[0] == 413


@pytest.mark.parametrize(
    ("sizes", "status"), [((500, 500), 200), ((500, 400, 101), 413), ((1001,), 413), ((0,), 200)]
)
def test_room_is_needed_for_what_comes(jobs, sizes, status):
    """Though it announced less: nothing here checks the length."""
    assert request(jobs, client(*sizes), 10)[0] == status


def test_what_arrives_is_counted_once(jobs):
    """In its reservation, and not as a file, too."""
    (jobs.uploads / ARRIVING).mkdir()
    (jobs.uploads / ARRIVING / "part").write_bytes(bytes(600))
    with jobs.quota.reserve(600):
        assert jobs.quota.kept == 0
        jobs.quota.require(400)
        with pytest.raises(InputError, match="Try again later"):
            jobs.quota.require(401)
    jobs.quota.require(1000)


def test_an_address_sends_some_bodies_at_once(jobs):
    arrivals = Arrivals(IMPATIENT)
    with arrivals.admit("10.0.0.1"), arrivals.admit("10.0.0.1"):
        assert request(jobs, client(5), 5, arrivals=arrivals)[0] == 200
        with arrivals.admit("10.0.0.2"), arrivals.admit("10.0.0.1"):
            assert request(jobs, client(5), 5, arrivals=arrivals)[0] == 429
    assert not arrivals._open


@pytest.mark.parametrize("length", [2000, 5 * 2**20])
@pytest.mark.parametrize("path", ["/gradio_api/upload", "/gradio_api/queue/join"])
def test_who_is_refused_and_sends_nothing_is_answered_all_the_same(jobs, length, path):
    if length == 2000 and "queue" in path:
        pytest.skip("short enough for a call")
    assert request(jobs, client(after="nothing"), length, path)[0] == 413


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyError(999), 400),
        (TypeError("Parameter `x` is not valid"), 400),
        (ValueError("Out of range float values are not JSON compliant"), 400),
        (OSError(36, "File name too long", "/some/place"), 404),
        (OSError(28, "No space left on device", "/some/place"), 507),
    ],
)
def test_what_gradio_raises_at_wrong_requests_is_a_sentence_and_a_line(jobs, caplog, error, status):
    async def fail(scope, receive, send):
        raise error

    assert request(jobs, client(5), 5, "/gradio_api/call/x", app=fail)[0] == status
    assert (
        len(caplog.records) == 1
        and "\n" not in caplog.text.strip()
        and "/some/place" not in caplog.text
    )


def test_who_leaves_is_a_line_in_the_log(jobs, caplog):
    async def leave(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ClientDisconnect

    request(jobs, client(5), 5, app=leave)
    assert [record.getMessage().count("left before") for record in caplog.records] == [
        1
    ] and "Traceback" not in caplog.text


def test_what_fails_once_an_answer_has_begun_ends_it(jobs, caplog):
    """As Gradio's streams of events for a session that there is not."""

    async def fail(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(
            "Caught handled exception, but response already started."
        ) from HTTPException(404)

    assert request(jobs, client(5), 5, "/gradio_api/call/x", app=fail)[0] == 200
    assert len(caplog.records) == 1 and "Not Found" in caplog.text


def test_faults_of_ours_are_not_hidden(jobs):
    async def fail(scope, receive, send):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request(jobs, client(5), 5, "/gradio_api/call/x", app=fail)

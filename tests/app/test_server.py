"""The app over HTTP: its health, its API, and that it answers for its own files only."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import gradio
import httpx
import numpy as np
import pytest
import rasterio

import segment
from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import Jobs
from segment.app.page import find_place, make_page
from segment.app.server import Server
from segment.app.uploads.arrivals import Limits
from segment.app.uploads.visitors import identify_visitor
from segment.core.errors import InputError
from tests.conftest import write_raster
from tests.test_examples import load

pytestmark = pytest.mark.heavy


gradio_client = pytest.importorskip("gradio_client")


@pytest.fixture(scope="module")
def client(server):
    # on a busy machine, too
    return gradio_client.Client(server.url, verbose=False, httpx_kwargs={"timeout": 60})


def ask(server, name, *data, **more):
    """What is answered to who asks without Gradio's client."""
    call = f"{server.url}gradio_api/call/{name}"
    event = httpx.post(call, json={"data": data, **more}, timeout=60).json()["event_id"]
    return httpx.get(f"{call}/{event}", timeout=60).text


def upload(server, path):
    with path.open("rb") as file:
        (received,) = httpx.post(f"{server.url}gradio_api/upload", files={"files": file}).json()
    return {"path": received, "meta": {"_type": "gradio.FileData"}}


def test_requests_without_a_session_are_visitors_of_their_own(server, tmp_path):
    """What they ask to be ended is nobody else's."""
    assert (
        len(
            {
                identify_visitor(gradio.Request(session_hash=name))
                for name in (None, None, "", "me", "me")
            }
        )
        == 4
    )
    image = upload(server, write_raster(tmp_path / "night.png", np.full((40, 40, 3), 42, np.uint8)))
    before = set(server.jobs._jobs)
    for _ in range(2):
        assert "event: complete" in ask(server, "classify", [image], "tiny", False, "", "")
    visitors = {visitor for visitor, _ in set(server.jobs._jobs) - before}
    assert len(visitors) == 2 and not visitors & {"None", ""}
    with begin(server.jobs, "None") as job:
        for name in ("stop", "stop_1"):
            assert (
                "Cancelled"
                not in httpx.post(f"{server.url}gradio_api/run/{name}", json={"data": []}).text
            )
        assert not job.stopped


@contextmanager
def begin(jobs, visitor):
    """A job that is computed."""
    job, ended = jobs.begin(visitor, "map"), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(job.do, ended.wait)
        yield job
        ended.set()


def test_bands_are_chosen_over_http(client, tmp_path):
    pixels = np.full((40, 40, 4), 210, np.uint8)
    pixels[..., 3] = 42
    image = gradio_client.handle_file(
        write_raster(tmp_path / "rgbn.tif", pixels, photometric="minisblack")
    )
    for bands, given in (("1,2,3", "bright"), ("4,4,4", "dark")):
        (answer,) = client.predict([image], model="tiny", bands=bands, api_name="/classify")
        assert answer["given"] == [given]
    (answer,) = client.predict([image], model="tiny", api_name="/classify")
    assert answer["given"] == ["bright"]  # of the first three bands
    assert ["which of its 4 bands" in note for note in answer["notes"]] == [True]
    report, *_ = client.predict(image, api_name="/map")
    assert any("which of its 4 bands are red" in note for note in report["notes"])
    two = gradio_client.handle_file(
        write_raster(tmp_path / "two.tif", pixels[..., :2], photometric="minisblack")
    )
    with pytest.raises(Exception, match=r"e\.g\. bands 1,2,2"):
        client.predict([two], model="tiny", api_name="/classify")
    with pytest.raises(Exception, match=r"as grey: bands 1,1,1"):
        client.predict(two, api_name="/map")


def test_nodata_is_stated_over_http(client, tmp_path):
    pixels = np.full((40, 40, 3), 90, np.uint8)
    pixels[:10] = 2
    scene = gradio_client.handle_file(write_raster(tmp_path / "scan.tif", pixels))
    for nodata, valid in (("", 1600), ("2", 1200), ("0-3", 1200)):
        report, *_ = client.predict(scene, nodata=nodata, api_name="/map")
        assert sum(report["pixels_by_class"].values()) == valid
    with pytest.raises(Exception, match="neither a value nor a range"):
        client.predict(scene, nodata="black", api_name="/map")


def test_calls_of_other_kinds_are_answered(server):
    assert "Wrong kind of value for a parameter" in ask(server, "map", {"path": "a.tif"})
    assert "uploaded first" in ask(server, "classify", 5, "", False, "", "")


def test_memory_is_not_filled_by_requests(server):
    post = f"{server.url}gradio_api/"
    assert httpx.post(f"{post}queue/join", content=b"[" * (5 * 2**20)).status_code == 413
    assert (
        httpx.post(
            f"{post}upload", data={"field": "x"}, files={"files": ("a.tif", b"x")}
        ).status_code
        == 400
    )
    assert httpx.post(f"{post}upload", content=iter([b"x"])).status_code == 411


def test_the_disk_is_not_filled_by_uploads(server, monkeypatch):
    monkeypatch.setattr(server.jobs.quota, "most", server.jobs.quota.kept + 2000)
    files = {"files": ("a.tif", bytes(3000))}
    refused = httpx.post(f"{server.url}gradio_api/upload", files=files)
    assert refused.status_code == 413 and "Try again later" in refused.text
    monkeypatch.setattr(server.jobs.quota, "most", server.jobs.quota.kept + 4000)
    assert httpx.post(f"{server.url}gradio_api/upload", files=files).status_code == 200


@pytest.mark.parametrize(
    ("host", "place"),
    [("127.0.0.1", "machine"), ("::1", "machine"), ("[::1]", "machine"), ("0.0.0.0", "server")],
)
def test_the_page_states_where_uploads_stay(host, place):
    jobs = Jobs()
    page = make_page(OfferedModels(), jobs, {}, find_place(host))
    assert any(
        f"on this {place}; what you upload" in str(block.value)
        for block in page.blocks.values()
        if hasattr(block, "value")
    )
    jobs.close()


def test_only_two_pixels_are_looked_up_at_a_time():
    """Each may have to decode a whole JPEG."""
    jobs = Jobs()
    looks = [
        function
        for function in make_page(OfferedModels(), jobs, {}).fns.values()
        if function.api_name in ("look_up", "look_up_click")
    ]
    assert [(function.concurrency_limit, function.concurrency_id) for function in looks] == [
        (2, "look_up")
    ] * 2
    jobs.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:7860"])
def test_requests_to_other_names_are_refused(server, host):
    """A page elsewhere may have its name resolved to this machine."""
    for method, path in (
        ("GET", ""),
        ("GET", "health"),
        ("GET", "gradio_api/queue/data?session_hash=a"),
        ("POST", "gradio_api/upload"),
    ):
        assert httpx.request(method, server.url + path, headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9", "https://localhost"]
)
def test_pages_elsewhere_may_not_ask(server, origin):
    before, files = set(server.jobs.uploads.rglob("*")), {"files": ("a.tif", b"x")}
    for path in ("gradio_api/upload", "gradio_api/queue/join", "gradio_api/call/map"):
        answer = httpx.post(server.url + path, headers={"origin": origin}, files=files)
        assert answer.status_code == 403 and "Request was sent by a page of" in answer.text
    assert (
        httpx.get(
            f"{server.url}gradio_api/queue/data?session_hash=a", headers={"origin": origin}
        ).status_code
        == 403
    )
    assert set(server.jobs.uploads.rglob("*")) == before
    own = httpx.post(
        f"{server.url}gradio_api/upload", headers={"origin": server.url.rstrip("/")}, files=files
    )
    assert own.status_code == 200


CALLS = (
    "queue/join",
    "call/classify",
    "call/none",
    "call/v2/map",
    "call/v2/none",
    "run/stop",
    "run/none",
    "api/predict",
    "cancel",
    "reset",
)
BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"data": 1}',
    b'{"data": [NaN]}',
    b'{"data": [], "fn_index": 999}',
    b'{"data": [], "fn_index": -1, "session_hash": "a"}',
    b'{"data": [], "fn_index": 1e400}',
    b'{"data": [], "fn_index": 0, "session_hash": 5}',
    b'{"data": ["\\ud800"], "session_hash": "\\ud800"}',
    b'{"data": [], "fn_index": 0, "session_hash": "' + b"a" * 10_000 + b'"}',
    b"[" * 100_000,
    b'{"data": [' + b"1," * 100_000 + b"1]}",
    b"\xff\xfe",
)


@pytest.mark.parametrize("call", CALLS)
def test_calls_that_no_page_makes_are_refused(server, capfd, call):
    """Never as a fault of the server, and with a line in its log at most."""
    kinds = (
        "application/json",
        "text/plain",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
    )
    for body in BODIES:
        for kind in kinds if body == BODIES[4] else kinds[:1]:
            answer = httpx.post(
                f"{server.url}gradio_api/{call}",
                content=body,
                headers={"content-type": kind},
                timeout=60,
            )
            assert answer.status_code < 500, (body[:60], answer.text)
    assert "Traceback" not in capfd.readouterr().err


def test_functions_are_asked_with_what_they_take(server, client, capfd, caplog):
    """Of all functions of the page: values of other kinds, events without what they tell, files
    that were not uploaded.
    """
    number = len(httpx.get(f"{server.url}config").json()["dependencies"])
    values = [([], e) for e in (None, [1], {"row": "x"}, {"row": 1e999, "column": 1})]
    values += [
        (d, None)
        for d in (["x"] * 7, [{"path": 5}] * 7, [[{"path": "/etc/passwd"}]] * 7, [1e308] * 7)
    ]
    events = []
    for index in range(number):
        for data, event_data in values:
            body = json.dumps(
                {
                    "data": data,
                    "fn_index": index,
                    "session_hash": f"s{index}",
                    "event_data": event_data,
                }
            )
            join, kind = f"{server.url}gradio_api/queue/join", {"content-type": "application/json"}
            events.append(httpx.post(join, content=body, headers=kind, timeout=60))
    assert {event.status_code for event in events} <= {200, 404, 503}
    assert "uploaded first" in ask(
        server, "classify", 5, "", False, "", ""
    )  # when its turn has come
    for path in (
        "file=/etc/passwd",
        "file=%00",
        f"file={'a' * 5000}",
        "call/map/none",
        "queue/data?session_hash=none",
        "queue/data",
    ):
        assert httpx.get(f"{server.url}gradio_api/{path}").status_code < 500
    assert "Traceback" not in capfd.readouterr().err + caplog.text
    assert any("uploaded first" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    "head",
    [
        'name="files"; filename="a.tif"\r\n\r\nx',  # does not end
        'name="other"; filename="a.tif"\r\n\r\nx\r\n--a--',
        'filename="a.tif"\r\n\r\nx\r\n--a--',
        'name="files"\r\n\r\nx\r\n--a--',
        f'name="files"; filename="{"a" * 9000}"\r\n\r\nx\r\n--a--',
    ],
)
def test_uploads_that_are_none_leave_nothing(server, head):
    before = set(server.jobs.uploads.rglob("*"))
    body = f"--a\r\nContent-Disposition: form-data; {head}\r\n".encode()
    for kind in (
        "multipart/form-data; boundary=a",
        f"multipart/form-data; boundary={'a' * 300}",
        "multipart/form-data",
        "text/plain",
    ):
        answer = httpx.post(
            f"{server.url}gradio_api/upload", content=body, headers={"content-type": kind}
        )
        assert answer.status_code in (400, 413)
    assert set(server.jobs.uploads.rglob("*")) - before <= {server.jobs.uploads / "arriving"}


def test_health_is_reported(server):
    found = httpx.get(f"{server.url}health").json()
    assert found["status"] == "ok" and found["jobs"] == 0


def test_nothing_outside_is_allowed_or_fetched(server):
    page = httpx.get(server.url)
    assert (
        page.status_code == 200 and "default-src 'self'" in page.headers["content-security-policy"]
    )
    for path in (
        "http://127.0.0.1:9/x.tif",
        "https://example.org/x.tif",
        "/etc/passwd",
        str(server.jobs.root / "../x"),
    ):
        assert httpx.get(f"{server.url}gradio_api/file={path}").status_code == 403
    for path in (
        "process_recording",
        "run-history/connect",
        "component_server",
        "proxy=https:/example.org",
    ):
        assert httpx.post(f"{server.url}gradio_api/{path}").status_code == 403
    for path in (rasterio.__file__, str(server.jobs.root / "uploads" / ".." / ".." / "x")):
        assert httpx.get(f"{server.url}gradio_api/file={path}").status_code in (403, 404)


def test_scenes_are_mapped_over_http(server, client, tmp_path):
    scene = segment.write_sample(tmp_path / "town", 128, 128, 5) / "scene.tif"
    report, classes, polygons = client.predict(gradio_client.handle_file(scene), api_name="/map")
    whole = segment.predict_scene(scene, output=tmp_path / "map")
    assert report["pixels_by_class"] == whole.report["pixels_by_class"] and polygons.endswith(
        ".gpkg"
    )
    with rasterio.open(classes) as found, rasterio.open(whole.classes) as wanted:
        assert (found.read() == wanted.read()).all() and found.crs == wanted.crs


def test_pixel_sizes_are_stated_over_http(client, tmp_path):
    scene = gradio_client.handle_file(
        write_raster(tmp_path / "drone.png", np.full((40, 40, 3), 42, np.uint8))
    )
    for options in (
        {"gsd": 1.2},
        {"gsd": 1.2, "resample": False},
        {"gsd": 1.2, "resample": True},
        {"resample": None},
    ):
        report, *_ = client.predict(scene, **options, api_name="/map")
        assert report["ground_sampling_distance"] == options.get("gsd")
        assert sum(" as gsd says" in note for note in report["notes"]) == ("gsd" in options)
    for wrong in ({"gsd": 0}, {"gsd": "wide"}, {"resample": "yes"}, {"resample": True}):
        with pytest.raises(Exception, match=r"(gsd|resample)\b.*\. [A-Z]"):
            client.predict(scene, **wrong, api_name="/map")


def test_images_are_labelled_over_http(client, tmp_path):
    image = write_raster(tmp_path / "night.png", np.full((40, 40, 3), 42, np.uint8))
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    files = [gradio_client.handle_file(image), gradio_client.handle_file(bad)]
    found, problem = client.predict(files, model="tiny", api_name="/classify")
    assert found["given"] == ["dark"] and found["image"] == "night.png"
    assert sum(found["labels"].values()) == pytest.approx(1, abs=1e-3)
    assert "not GeoTIFF, PNG or JPEG" in problem["problem"]
    with pytest.raises(Exception, match=r"no model 'huge'. Choose one of bundled, tiny"):
        client.predict(files, model="huge", api_name="/classify")


def test_the_example_asks_for_both(server, tmp_path):
    scene = segment.write_sample(tmp_path / "town", 64, 64, 5) / "scene.tif"
    image = write_raster(tmp_path / "day.png", np.full((40, 40, 3), 210, np.uint8))
    report, (answer,) = load("ask_app").main(server.url, scene, tmp_path / "out", [image])
    assert sum(report["pixels_by_class"].values()) == 64 * 64
    assert answer["given"] == ["unsure"] and answer["unsure"]  # an even grey shows no place
    assert len(answer["labels"]) == 5
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "scene.gpkg",
        "scene_classes.tif",
    ]


def test_hostile_uploads_are_answered_with_a_sentence(server, client, hostile):
    before = set(server.jobs.results.iterdir())
    for path in hostile.values():
        with pytest.raises(Exception, match=rf"{re.escape(path.name)}: .*\. [A-Z]") as caught:
            client.predict(gradio_client.handle_file(path), api_name="/map")
        assert str(server.jobs.root) not in str(caught.value)
    assert httpx.get(f"{server.url}health").json() == {"status": "ok", "jobs": 0}
    assert set(server.jobs.results.iterdir()) <= before


@pytest.mark.parametrize(
    "path",
    [
        "/etc/hostname",
        "http://127.0.0.1:9/x.tif",
        "https://example.org/x.tif",
        "/vsicurl/http://127.0.0.1:9/x.tif",
        "../x",
        "",
    ],
)
@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}])
def test_paths_in_place_of_uploads_are_refused(server, path, meta):
    """Asked without Gradio's client, which uploads what a path leads to."""
    answer = ask(server, "map", {"path": path} | meta, "", 0.1875, False, False, "", None, "", "")
    assert "event: error" in answer and "event: complete" not in answer
    assert "iles must be uploaded first" in answer
    assert tempfile.gettempdir() not in answer and os.getcwd() not in answer


@pytest.mark.parametrize("way", ["run", "api"])
def test_nobody_passes_by_the_queue(server, way):
    """What the page itself asks for so only tells that a job waits, or stops one."""
    functions = httpx.get(f"{server.url}config").json()["dependencies"]
    open_ = [function for function in functions if not function["queue"]]
    assert len(functions) - len(open_) >= 5 and {
        function["api_name"].rstrip("_1") for function in open_
    } == {
        "wait",
        "stop",
        "unnamed",
    }
    for function in functions:
        for name, body in ((function["api_name"], {}), ("predict", {"fn_index": function["id"]})):
            answer = httpx.post(f"{server.url}gradio_api/{way}/{name}", json={"data": [], **body})
            assert answer.status_code == 404 or function in open_


def test_fifty_uploads_at_once_are_all_answered(client, tmp_path):
    levels = [40 if number % 2 else 210 for number in range(50)]
    images = [
        write_raster(tmp_path / f"{n}.png", np.full((40, 40, 3), level, np.uint8))
        for n, level in enumerate(levels)
    ]

    def ask(image):
        return client.predict(
            [gradio_client.handle_file(image)], model="tiny", api_name="/classify"
        )[0]["given"]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, images))
    assert answers == [["dark"] if level == 40 else ["bright"] for level in levels]


@pytest.mark.slow
def test_files_that_are_too_large_are_not_taken(tmp_path, models):
    with Server(port=0, models=models, max_upload="20KB") as small:
        client = gradio_client.Client(small.url, verbose=False)
        image = write_raster(
            tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        )
        with pytest.raises(Exception, match="(?i)size|413|large"):
            client.predict([gradio_client.handle_file(image)], api_name="/classify")


@pytest.mark.slow
def test_idle_and_broken_uploads_leave_nothing(tmp_path, models, monkeypatch):
    """Ten idle sockets that announce as much as there is room for: others upload meanwhile, and
    they are answered.
    """
    monkeypatch.setattr("segment.app.uploads.arrivals.Arrivals.__init__", _impatient)
    with Server(port=0, models=models, max_upload="2MB") as server:
        place, room = httpx.URL(server.url), int(server.jobs.quota.most - server.jobs.quota.kept)
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {place.netloc.decode()}\r\nContent-Length:"
            f" {room - 200_000}\r\nContent-Type: multipart/form-data;"
            ' boundary=a\r\n\r\n--a\r\nContent-Disposition: form-data; name="files";'
            ' filename="a"\r\n\r\n'
        )
        idle = [socket.create_connection((place.host, place.port)) for _ in range(10)]
        for connection in idle:
            connection.sendall(head.encode() + b"x" * 100)
        left = socket.create_connection((place.host, place.port))
        left.sendall(head.encode() + b"x" * 100_000)
        left.close()
        assert (
            httpx.post(
                f"{server.url}gradio_api/upload", files={"files": ("a.tif", bytes(900_000))}
            ).status_code
            == 200
        )
        for connection in idle:
            connection.settimeout(60)
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
            connection.close()
        assert httpx.get(f"{server.url}health").status_code == 200  # whatever came before is over
        assert (
            not list((server.jobs.uploads / "arriving").iterdir())
            and server.jobs.quota._coming == 0
        )


def _impatient(self) -> None:
    self.limits, self._open = Limits(stall=0.5, drain=0.1), Counter()


@pytest.mark.slow
def test_what_the_app_cannot_start_with_is_reported(tmp_path):
    with pytest.raises(InputError, match="--models: .* holds no model folder"):
        Server(port=0, models=tmp_path)
    with pytest.raises(InputError, match="--max-upload: 'many' is not a size"):
        Server(port=0, max_upload="many")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(InputError, match="port in range: .* Choose another"),
    ):
        Server(port=taken.getsockname()[1])


def _heed_signals() -> None:
    """Tests that run in the background, or under nohup, ignore some, and what they start would,
    too.
    """
    for name in ("SIGINT", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_server_leaves_no_files(tmp_path, name):
    command = [sys.executable, "-c", "from segment.cli import app; app()", "--port", "0"]
    options = {
        "stdout": subprocess.PIPE,
        "text": True,
        "env": os.environ | {"TMPDIR": str(tmp_path)},
    }
    with subprocess.Popen(command, **options, preexec_fn=_heed_signals) as process:
        try:
            assert "http://127.0.0.1:" in process.stdout.readline()
            assert list(tmp_path.glob("segment-app-*/samples/*/scene.tif"))
            process.send_signal(getattr(signal, name))
            assert process.wait(60) in (0, 2)  # 2: it came before the server waited for it
        finally:
            process.kill()
    assert not list(tmp_path.glob("*segment-app-*"))


@pytest.mark.slow
def test_the_files_of_a_killed_server_go_with_the_next(tmp_path):
    command = [
        sys.executable,
        "-c",
        "from segment.cli import app; app()",
        "--port",
        "0",
        "--allowed-host",
        "maps.example.org",
    ]
    options = {
        "stdout": subprocess.PIPE,
        "text": True,
        "env": os.environ | {"TMPDIR": str(tmp_path)},
    }
    for number in range(2):
        with subprocess.Popen(command, **options) as process:
            try:
                address = process.stdout.readline().split()[0]
                for host, status in (("maps.example.org", 200), ("other.example.org", 403)):
                    assert httpx.get(address, headers={"host": host}).status_code == status
                found = set(tmp_path.glob("segment-app-*"))
                assert len(found) == 1, number
            finally:
                process.kill()

"""Requests are answered under the server's own names, and to its own pages."""

import asyncio

import pytest

from segment.app.jobs.queue import Jobs
from segment.app.uploads import hosts
from segment.app.uploads.arrivals import Arrivals
from segment.app.uploads.hosts import Hosts
from segment.app.uploads.middleware import Guard
from segment.core.errors import InputError


def fault(names, host, origin=None):
    headers = [(b"host", host.encode())] + (
        [] if origin is None else [(b"origin", origin.encode())]
    )
    return names.find_fault(headers)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(hosts.socket, "gethostname", lambda: "Lab7")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:7860", "127.0.0.1:7860", "[::1]:7860", "[::1]", "localhost.:7860"],
)
@pytest.mark.parametrize("listening", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.1.5"])
def test_this_machine_is_answered(listening, host):
    assert fault(Hosts(listening), host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:7860",
        "localhost.evil.example",
        "evil.example:localhost",
        "localhost@evil.example",
        "localhost:7860, evil.example",
        "evil.example#localhost",
        "evil.example/localhost",
        "local host",
        "lo\xe7alhost",
        "[::1].evil.example",
        "",
        ":7860",
        "[::1",
        "localhost:99999999",
        "a" * 10_000,
    ],
)
@pytest.mark.parametrize("listening", ["127.0.0.1", "0.0.0.0"])
def test_other_names_are_refused(listening, host):
    found = fault(Hosts(listening, ["maps.example.org"]), host)
    assert (
        found.startswith("Host ")
        and "is not a name of this server" in found
        and "--allowed-host NAME" in found
    )
    assert len(found) < 500


def test_addresses_count_where_all_are_listened_at():
    """A page that rebinds its name sends the name: only what is reached by its address is
    named so.
    """
    for host in ("192.168.1.5:7860", "[fe80::1]:80", "lab7:7860", "lab7.local", "LAB7"):
        assert fault(Hosts("0.0.0.0"), host) is None and fault(Hosts("::"), host) is None
        assert "is not a name of this server" in fault(Hosts("127.0.0.1"), host)
    assert fault(Hosts("192.168.1.5"), "192.168.1.5:7860") is None and fault(
        Hosts("192.168.1.5"), "192.168.1.6:7860"
    )
    assert fault(Hosts("lab.example.org"), "Lab.Example.org:7860") is None


def test_headers_that_come_twice_or_not_at_all_are_refused():
    ours, evil = (b"host", b"localhost"), (b"host", b"evil.example")
    for headers in ([], [ours, evil], [evil, ours], [ours, ours]):
        assert "none, or several" in Hosts("127.0.0.1").find_fault(headers)
    own = (b"origin", b"http://localhost")
    assert Hosts("127.0.0.1").find_fault([ours, own]) is None
    assert "not of this server" in Hosts("127.0.0.1").find_fault(
        [ours, own, (b"origin", b"http://evil.example")]
    )


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:7860", "http://127.0.0.1:7860"),
        ("localhost:7860", "HTTP://LocalHost:7860"),
        ("[::1]:7860", "http://[::1]:7860"),
        ("localhost", "http://localhost"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost"),  # a proxy speaks it
        ("localhost:443", "https://localhost"),
        ("maps.example.org", "https://maps.example.org"),
        ("127.0.0.1:7860", "https://maps.example.org"),  # a proxy that asks by the address
        ("127.0.0.1:7860", "https://maps.example.org:8443"),
    ],
)
def test_own_pages_may_ask(host, origin):
    assert fault(Hosts("127.0.0.1", ["Maps.Example.org"]), host, origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "",
        "http://localhost:3000",
        "http://localhost",
        "https://localhost:7860.evil.example",
        "http://127.0.0.1:7860",  # another name than was asked
        "file://localhost:7860",
        "http://localhost:7860@evil.example",
        "http://evil.example/localhost:7860",
        "localhost:7860",
        "http://localhost:7860 http://evil.example",
        "http://" + "a" * 10_000,
    ],
)
def test_pages_elsewhere_are_refused(origin):
    found = fault(Hosts("127.0.0.1"), "localhost:7860", origin)
    assert (
        found.startswith("Request was sent by a page of")
        and "not of this server" in found
        and len(found) < 500
    )


@pytest.mark.parametrize(
    "name", ["https://maps.example.org", "maps.example.org:443", "", "*", "a b", "*.example.org"]
)
def test_names_that_are_allowed_besides_are_names(name):
    with pytest.raises(InputError, match="--allowed-host: .* is not a host name. Give one such as"):
        Hosts("127.0.0.1", [name])


def test_a_public_address_is_answered():
    names = Hosts("127.0.0.1")
    names.allow("https://abc123.gradio.live")
    assert fault(names, "abc123.gradio.live", "https://abc123.gradio.live") is None


@pytest.fixture
def guard():
    jobs, asked = Jobs(), []

    async def app(scope, receive, send):
        asked.append(scope["path"])

    yield Guard(app, jobs.quota, Hosts("127.0.0.1"), Arrivals()), asked
    jobs.close()


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [[(b"host", b"evil.example")], [(b"host", b"localhost"), (b"origin", b"http://evil.example")]],
)
@pytest.mark.parametrize(
    "path",
    ["/", "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/queue/data", "/health"],
)
def test_nothing_of_a_refused_request_reaches_gradio(guard, kind, headers, path):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    for method in ("GET", "POST", "OPTIONS"):
        scope = {"type": kind, "method": method, "path": path, "headers": headers}
        asyncio.run(guard[0](scope, receive, send))
    assert guard[1] == []
    assert {m.get("status", m.get("code")) for m in sent if m["type"] != "http.response.body"} == {
        403 if kind == "http" else 1008
    }

"""Host names of the server: whether a request is addressed to one, and sent by its own page."""

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from segment.core.errors import InputError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?(?::(\d{1,5}))?", re.ASCII)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PORTS = {"http": 80, "https": 443}
_LONGEST = 300  # characters of a name that a message quotes

Headers = Iterable[tuple[bytes, bytes]]


class Hosts:
    """Host names under which the server answers.

    Pages of other sites are recognised by two headers: by Host if their owner lets their name
    resolve to this machine (DNS rebinding), and by Origin, which browsers add, if they send
    requests to the server across sites.
    """

    def __init__(self, host: str, allowed: Sequence[str] = ()):
        """Collects the names.

        Args:
            host: Address that the server listens on. If that is every address, each counts, and so
                does the name of this machine.
            allowed: Further names, such as that of a proxy, whose pages may send requests, too.

        Raises:
            InputError: If one of `allowed` is not a host name.
        """
        for name in allowed:
            if (found := _HOST.fullmatch(name.lower())) is None or found[2]:
                raise InputError(
                    f"--allowed-host: {name[:_LONGEST]!r} is not a host name. Give one such as"
                    " maps.example.org, without a port."
                )
        self._allowed = {_bare(name.lower()) for name in allowed}
        self._names = {*_LOOPBACK, _bare(host.lower())} | self._allowed
        self._any_address = _is_unspecified(host)
        if self._any_address:
            machine = socket.gethostname().lower()
            self._names |= {machine, f"{machine}.local"}

    def allow(self, address: str) -> None:
        """Adds the host of a public address of the server.

        Args:
            address: URL of the server.
        """
        name = urlsplit(address).hostname or ""
        self._allowed.add(name)
        self._names.add(name)

    def find_fault(self, headers: Headers) -> str | None:
        """Checks the headers Host and Origin of a request.

        Args:
            headers: Names, in lower case, and values of all headers.

        Returns:
            A message on what is wrong with them, None if both are right.
        """
        host, origin = (_only(headers, name) for name in (b"host", b"origin"))
        asked = None if host is None else _HOST.fullmatch(host.lower())
        if asked is None or not self._is_ours(_bare(asked[1])):
            received = f"{host[:_LONGEST]!r}" if host else "(none, or several)"
            return (
                f"Host {received} is not a name of this server. If it is one, start the server with"
                " --allowed-host NAME."
            )
        if origin == "" or (
            origin and not self._is_same(origin.lower(), _bare(asked[1]), asked[2])
        ):
            return (
                f"Request was sent by a page of {origin[:_LONGEST]!r}, not of this server. If it is"
                " a name of it, start the server with --allowed-host NAME."
            )
        return None

    def _is_ours(self, name: str) -> bool:
        return name in self._names or (self._any_address and _is_address(name))

    def _is_same(self, origin: str, name: str, port: str | None) -> bool:
        scheme, _, rest = origin.partition("://")
        found = _HOST.fullmatch(rest)
        if scheme not in _PORTS or found is None:
            return False
        usual = _PORTS[scheme]  # a proxy may speak the scheme for the server
        same = (_bare(found[1]), int(found[2] or usual)) == (name, int(port or usual))
        return same or _bare(found[1]) in self._allowed


def _only(headers: Headers, name: bytes) -> str | None:
    """Value of a header that occurs once; None where there is none, "" where there are several."""
    values = [value for key, value in headers if key == name]
    return None if not values else values[0].decode("latin-1") if len(values) == 1 else ""


def _bare(name: str) -> str:
    return name.strip("[]").rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    name = _bare(host)
    return not name or (_is_address(name) and ipaddress.ip_address(name).is_unspecified)

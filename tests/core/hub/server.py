"""A hub of models on loopback that answers as huggingface_hub asks."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub_of(models: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Serves folders as models by their names; yields the address, and all requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            for name, folder in models.items():
                if path.startswith(f"/api/models/{name}/"):
                    return self._list(name, folder, path)
                if path.startswith(f"/{name}/resolve/"):
                    return self._file(folder / path.split("/", 5)[5])
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

        def _list(self, name: str, folder: Path, path: str) -> None:
            if "/revision/" in path and not path.endswith(("/main", COMMIT)):
                return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
            files = sorted(file for file in folder.rglob("*") if file.is_file())
            names = [file.relative_to(folder).as_posix() for file in files]
            answer = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            if "/tree/" in path:
                answer = [
                    {"type": "file", "path": n, "size": f.stat().st_size, "oid": _digest(f)[:40]}
                    for n, f in zip(names, files, strict=True)
                ]
            self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

        def _file(self, file: Path) -> None:
            if not file.is_file():
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            headers = {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": COMMIT}
            self._send(200, file.read_bytes(), headers)

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

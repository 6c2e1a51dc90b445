"""HTTP server of byte ranges, as of object storage, that stops after a number of requests.

Usage: python range_server.py FOLDER REQUESTS
"""

import os
import sys
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path


class Ranges(SimpleHTTPRequestHandler):
    """Handler that answers requests for a range of bytes."""

    left = 0

    def log_message(self, *_: object) -> None:
        """Logs nothing."""
        pass

    def do_HEAD(self) -> None:
        """Answers with the headers alone."""
        self._answer(with_content=False)

    def do_GET(self) -> None:
        """Answers with the content."""
        self._answer(with_content=True)

    def _answer(self, with_content: bool) -> None:
        if not type(self).left:
            os._exit(0)
        type(self).left -= 1
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, asked = path.read_bytes(), self.headers.get("Range")
        first, last = 0, len(content) - 1
        if asked:
            begin, end = asked.removeprefix("bytes=").split("-")
            first, last = int(begin), min(int(end or last), last)
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(last + 1 - first))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if with_content:
            self.wfile.write(content[first : last + 1])


if __name__ == "__main__":
    Ranges.left = int(sys.argv[2])
    server = HTTPServer(("127.0.0.1", 0), partial(Ranges, directory=sys.argv[1]))
    print(server.server_port, flush=True)
    server.serve_forever()

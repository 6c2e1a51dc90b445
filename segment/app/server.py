"""The web server of the app: its page and health check; it contacts no other machine."""

import os
import signal
import sys
import time
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

# Set before the import of Gradio, which reads them.
os.environ |= {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "GRADIO_SSR_MODE": "False",
}

import gradio
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from segment.app.jobs.models import OfferedModels
from segment.app.jobs.queue import Jobs
from segment.app.page import find_place, make_page, make_theme
from segment.app.pages.samples import write_photographs, write_samples
from segment.app.uploads.hosts import Hosts
from segment.app.uploads.middleware import Guard
from segment.app.uploads.quota import UPLOADS_KEPT, parse_size
from segment.core.errors import InputError
from segment.core.progress import Progress

_STYLE = Path(__file__).with_name("style.css")
_SCRIPT = Path(__file__).with_name("page.js")


def end_with_terminal() -> None:
    """Handles a closed terminal like Ctrl-C, so that no files stay behind.

    Call it from the main thread, before the server has written any files. Does nothing on Windows,
    which has no SIGHUP, and under nohup, which ignores it.
    """
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup and signal.getsignal(hangup) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(hangup, signal.default_int_handler)


class Server:
    """A running app, and a context manager that closes it and removes all files that it kept.

    Only one at a time in a process: Gradio writes uploads to the folder of the latest.

    Attributes:
        jobs: Jobs of the server.
        url: Address of the page.
        shared: Public address of the page, if there is one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 7860,
        *,
        max_upload: str = "2GB",
        models: Path | None = None,
        share: bool = False,
        allowed_hosts: Sequence[str] = (),
        progress: Progress | None = None,
    ):
        """Starts the server.

        Args:
            host: Address to listen on.
            port: Port to listen on. 0 takes the first free one from 7860 on.
            max_upload: Largest size of a file, such as "500MB". UPLOADS_KEPT times as much is kept
                in all.
            models: Folder of model folders to offer beside the bundled models.
            share: Whether to offer the page under a public address of Gradio's as well.
            allowed_hosts: Further names under which the server is reached, such as that of a proxy.
            progress: Called with the number of finished and of all sample scenes while they are
                drawn.

        Raises:
            InputError: If the port is taken, there are no models in `models`, `max_upload` is not a
                size, or a host is not a name.
        """
        offered, largest = OfferedModels(models), parse_size(max_upload)
        hosts = Hosts(host, allowed_hosts)
        self.jobs = Jobs(UPLOADS_KEPT * largest)
        os.environ["GRADIO_TEMP_DIR"] = str(self.jobs.uploads)
        gradio.set_static_paths([self.jobs.results, self.jobs.samples])
        try:
            page = make_page(
                offered,
                self.jobs,
                write_samples(self.jobs.samples, progress),
                "server" if share else find_place(host),
                write_photographs(self.jobs.samples),
            )
            guard = Middleware(Guard, quota=self.jobs.quota, hosts=hosts)
            _, self.url, self.shared = page.launch(
                server_name=f"[{host}]" if ":" in host and not host.startswith("[") else host,
                server_port=port or None,
                share=share,
                max_file_size=largest,
                prevent_thread_lock=True,
                quiet=True,
                show_error=False,  # only our own messages: others contain paths of the server
                ssr_mode=False,
                enable_monitoring=False,
                pwa=False,
                mcp_server=False,
                footer_links=["api"],
                theme=make_theme(),
                css=_STYLE.read_text(encoding="utf-8"),
                js=_SCRIPT.read_text(encoding="utf-8"),
                app_kwargs={"routes": [Route("/health", self._health)], "middleware": [guard]},
            )
        except BaseException as error:
            self.jobs.close()
            if isinstance(error, InputError) or not isinstance(error, (OSError, ValueError)):
                raise
            problem = str(error).split(". ")[0]
            raise InputError(
                f"The app cannot start: {problem}. Choose another --port, or correct it."
            ) from error
        if self.shared:
            hosts.allow(self.shared)
        self._page = page

    # Async, so that it needs no thread: jobs may occupy all of them.
    async def _health(self, request: object) -> JSONResponse:
        return JSONResponse({"status": "ok", "jobs": self.jobs.running()})

    def show(self) -> None:
        """Opens the page in a browser, where there is a screen."""
        if (
            sys.platform in ("darwin", "win32")
            or os.environ.get("DISPLAY")
            or os.environ.get("WAYLAND_DISPLAY")
        ):
            webbrowser.open(self.url)

    def wait(self) -> None:
        """Waits until Ctrl-C."""
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)

    def close(self) -> None:
        """Stops the server, and removes all files that it kept."""
        self._page.close(verbose=False)
        self.jobs.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

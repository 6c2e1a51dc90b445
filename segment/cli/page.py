"""The command segment-app."""

from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from typer import Option

from segment.core.cli.command import entry_point
from segment.core.cli.options import ConsoleOptions
from segment.core.errors import InputError


@entry_point
def app(
    host: Annotated[
        str,
        Option(
            metavar="ADDRESS", help="Address to listen at; 0.0.0.0 for others in the network, too."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, Option(min=0, max=65535, help="Port to listen at; 0: the first free one.")
    ] = 7860,
    max_upload: Annotated[
        str, Option(metavar="SIZE", help="Largest file that is taken, e.g. 500MB.")
    ] = "2GB",
    models: Annotated[
        Path | None,
        Option(
            metavar="DIR", help="A folder of model folders and ONNX files to choose among, too."
        ),
    ] = None,
    share: Annotated[
        bool, Option("--share", help="Also under a public address, through Gradio's servers.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="Name that the server goes by, e.g. behind a proxy. May be repeated.",
        ),
    ] = None,
    *,
    console: ConsoleOptions,
) -> None:
    """Opens a web page on this machine that labels images and maps scenes."""
    if find_spec("gradio") is None:
        raise InputError("gradio is not installed. Run: pip install 'aerial-segment[app]'")
    from segment.app.server import Server, end_with_terminal

    end_with_terminal()
    with ExitStack() as stack:
        with console.progress() as progress:
            server = Server(
                host,
                port,
                max_upload=max_upload,
                models=models,
                share=share,
                allowed_hosts=allowed_host or (),
                progress=progress,
            )
            stack.enter_context(server)
            progress.say(f"{server.shared or server.url}  (Ctrl-C ends it)")
        server.show()
        server.wait()

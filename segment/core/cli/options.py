"""Options that several commands share, as typer reads them, and groups of options."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from segment.core.choices import ProgressForm, Runtime
from segment.core.cli.command import Version, show_progress
from segment.core.errors import InputError
from segment.core.progress import Progress

if TYPE_CHECKING:
    from segment.core.config import Settings

S = TypeVar("S", bound="Settings")


def schema_option(module: str, name: str) -> Any:
    """Returns the option `--schema`: print the JSON schema of the settings of a command, and end.

    Args:
        module: Module that holds the class of the settings; imported on use.
        name: Name of the class.

    Returns:
        An option of typer.
    """

    def show(wanted: bool) -> None:
        if wanted:
            print(json.dumps(getattr(import_module(module), name).model_json_schema(), indent=2))
            raise typer.Exit

    what = "Print the JSON schema of the settings, for editors that check YAML."
    return typer.Option("--schema", is_eager=True, callback=show, help=what)


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run in --output from its last epoch.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Settings: a YAML file, or a recipe by its name, e.g. bundled."),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="One setting, e.g. training.epochs=20; repeatable."
    ),
]
ScaleText = Annotated[
    str,
    typer.Option(
        metavar="SCALE",
        help=(
            "How more than 8 bits become 8: auto, never; for all inputs LOW,HIGH or 2%,98%;"
            " REPORT.json: as in another map."
        ),
    ),
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        help="What computes; auto: Keras on a GPU, else OpenVINO if exported, else Keras."
    ),
]


def parse_model(text: str | Path) -> Path:
    """Returns the path of a model; one of a hub, hf://OWNER/NAME, is downloaded.

    Args:
        text: What a user wrote, or the default.

    Returns:
        The path.

    Raises:
        InputError: As `model_folder`.
    """
    if not str(text).startswith("hf:"):
        return Path(text)
    from segment.core.hub.download import model_folder

    return model_folder(text)


ModelFolder = Annotated[
    Path,
    typer.Option(
        "--model",
        callback=parse_model,
        metavar="MODEL",
        help="A model folder that training wrote, or hf://OWNER/NAME; else the bundled one.",
        show_default=False,
    ),
]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Compute on a Dask cluster, tcp://host:8786; local:N: N processes here.",
    ),
]
BlockEdge = Annotated[
    int | None,
    typer.Option(
        "--block",
        min=1,
        max=2**20,
        help="With --cluster: edge of what a worker does at a time, pixels.",
    ),
]
NodataOption = Annotated[
    str | None,
    typer.Option(
        "--nodata",
        metavar="VALUE|LOW-HIGH",
        help="A value or range that means no data, besides what the file declares.",
    ),
]
Features = Annotated[
    bool,
    typer.Option(
        "--features",
        help="Compare images by what the model (the bundled one, or --model) computes of them.",
    ),
]
Augment = Annotated[
    bool, typer.Option("--augment", help="Average the eight flips and turns: eight times the work.")
]


def require_cluster(block: int | None) -> None:
    """Checks that the edge of blocks is given only with a cluster.

    Args:
        block: Edge of a block in pixels, or None if it is not given.

    Raises:
        InputError: If it is given. Commands call this when they have no cluster.
    """
    if block is not None:
        raise InputError(
            "--block belongs to --cluster, which is not given. Add --cluster, or leave --block out."
        )


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """What a command prints.

    Attributes:
        quiet: Print errors only.
        debug: Show the traceback of an error.
        version: Print the version and do nothing else.
        form: How progress is reported.
    """

    quiet: Quiet = False
    debug: Debug = False
    version: Version = False
    form: Annotated[
        ProgressForm,
        typer.Option("--progress", help="json: a line of JSON per report, for other programs."),
    ] = "bar"

    def progress(self, hidden: bool = False) -> AbstractContextManager[Progress]:
        """Opens the progress display.

        Args:
            hidden: Whether to show nothing, even without --quiet.

        Returns:
            A context manager with the progress to pass to the library.
        """
        return show_progress(self.quiet or hidden, self.form)

    def show(self, work: Callable[..., object]) -> None:
        """Does the work of a command, with a progress display, and prints the result.

        Args:
            work: Called with `progress`.
        """
        with self.progress() as progress:
            progress.say(str(work(progress=progress)))


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Where the settings of a training come from.

    Attributes:
        config: YAML file with settings.
        settings: `key.key=value` texts that override settings.
    """

    config: ConfigFile = None
    settings: Overrides = field(default_factory=list)

    def load(self, kind: "type[S]") -> "S":
        """Loads the settings.

        Args:
            kind: Class of the settings.

        Returns:
            The validated settings.

        Raises:
            InputError: As `load_settings` does.
        """
        from segment.core.config import load_settings

        return load_settings(kind, self.config, self.settings)


@dataclass(frozen=True, kw_only=True)
class RunOptions(SettingsOptions):
    """How a run folder is written.

    Attributes:
        resume: Whether to continue the run in the folder.
        overwrite: Whether an existing run may be replaced.
    """

    resume: Resume = False
    overwrite: Overwrite = False

"""What all commands share: options, one-line errors, exit statuses, quiet imports."""

import errno
import importlib
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from segment.core.choices import Runtime, Sampler
from segment.core.errors import Incomplete, InputError, Interrupted
from segment.core.keras_backend import count_machines, load_keras, machine_number
from segment.core.progress import Console, Progress, Silent

if TYPE_CHECKING:
    from segment.core.campaign import Done
    from segment.core.runtime import Model
    from segment.core.sources import Source

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --output from its last epoch.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings, a YAML file (see the folder configs).")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="One setting, e.g. training.epochs=20; repeatable.")
]
RuntimeOption = Annotated[
    Runtime, typer.Option(help="What computes; auto: Keras on a GPU, else OpenVINO if exported, else Keras.")
]
ModelFolder = Annotated[
    Path, typer.Option("--model", help="A model folder that training wrote; by default the bundled one.", show_default=False)
]
SpaceFile = Annotated[Path | None, typer.Option("--space", help="Settings to tune, a YAML file; see space.yaml in the output.")]
Trials = Annotated[int, typer.Option(min=1, help="Trials of the study altogether.")]
Hours = Annotated[float | None, typer.Option(min=0, help="No trial begins after so many; those of --confirm come after them.")]
Memory = Annotated[float | None, typer.Option(min=1, metavar="MB", help="A trial that takes more main memory fails.")]
Repeats = Annotated[
    int, typer.Option(min=1, help="Trainings of a trial, with other seeds and splits; their mean counts. For small data.")
]
Confirmations = Annotated[
    int, typer.Option("--confirm", min=0, help="Seeds with which the best and the default settings are trained again.")
]
SamplerOption = Annotated[Sampler, typer.Option(help="gp: Gaussian process; tpe: Parzen estimators; random: to compare with.")]
Storage = Annotated[
    str | None, typer.Option(metavar="URL", help="Database that several machines share; study.db in the output by default.")
]
StudyName = Annotated[str, typer.Option("--study", help="Name of the study in its database.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the choice of settings.")]
ClusterAddress = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="Compute on a Dask cluster, tcp://host:8786; local:N: N processes here."),
]
BlockEdge = Annotated[
    int | None, typer.Option("--block", min=1, help="With --cluster: edge of what a worker does at a time, pixels.")
]
Augment = Annotated[bool, typer.Option("--augment", help="Average the eight flips and turns: eight times the work.")]

DONE, OUR_FAULT, INPUT_FAULT, INCOMPLETE = 0, 1, 2, 3


def entry_point(function: Callable[..., None]) -> Callable[[], None]:
    """The console script of a command: `function`'s parameters become its options, as typer reads them."""

    main = _console_script(function)
    main.__doc__ = function.__doc__
    main.__wrapped__ = function  # type: ignore[attr-defined]
    return main


def entry_group(name: str, functions: Sequence[Callable[..., None]]) -> Callable[[], None]:
    """As `entry_point`, of the console script `name` with a command for each function, which its first argument names."""
    return _console_script(functions, name)


def _console_script(work: Callable[..., None] | Sequence[Callable[..., None]], name: str = "") -> Callable[[], None]:
    def main() -> None:
        try:
            sys.exit(run(work, sys.argv[1:], name))
        except KeyboardInterrupt:
            sys.exit(INPUT_FAULT)

    return main


def run(work: Callable[..., None] | Sequence[Callable[..., None]], arguments: Sequence[str], name: str = "") -> int:
    """Runs a command, or that of several which the arguments name, and returns its exit status; errors go to stderr in one line.

    name: of the console script; by default the function's own, after that of its package.
    0 done, 1 a fault of ours, 2 a fault of the input (a stop by Ctrl-C and a full disk among them), 3 done, but with holes.
    """
    for stream in (sys.stdout, sys.stderr):  # names of files that the terminal has no letters for
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    functions = [work] if callable(work) else work
    name = name or "-".join((functions[0].__module__.split(".")[0], functions[0].__name__))
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    for function in functions:
        app.command()(_interruptible(function))
    command = typer.main.get_command(app)
    assert isinstance(command, (TyperCommand, TyperGroup))
    debug = "--debug" in arguments
    try:
        status = command.main(list(arguments), prog_name=name, standalone_mode=False)
        if status == 130:  # how typer tells of a Ctrl-C that came before the command itself
            raise Interrupted("stopped. Nothing was begun.")
        return DONE
    except InputError as error:
        return _fail(name, str(error), INCOMPLETE if isinstance(error, Incomplete) else INPUT_FAULT, debug)
    except OSError as error:
        return _fail(name, _explain(error), INPUT_FAULT, debug)
    except MemoryError:
        return _fail(name, "the work must fit into memory. Received more. Choose smaller tiles or batches.", INPUT_FAULT, debug)
    except Exception as error:
        if hasattr(error, "format_message"):  # how arguments were typed
            return _fail(name, f"{error.format_message()} See {name} --help.", INPUT_FAULT, debug)
        problem = " ".join(str(error).split())
        return _fail(
            name, f"a fault of ours, please report it: {type(error).__name__}: {problem} (see --debug)", OUR_FAULT, debug
        )


def _interruptible(function: Callable[..., None]) -> Callable[..., None]:
    """The function with Ctrl-C and SIGTERM as an error like others: typer would make a success of the one (and of
    EOFError), and the other would leave partial files behind."""

    @wraps(function)
    def guarded(**arguments: Any) -> None:
        previous = signal.signal(signal.SIGTERM, _stop) if threading.current_thread() is threading.main_thread() else None
        try:
            function(**arguments)
        except EOFError as error:
            raise RuntimeError(f"EOFError {error}") from error
        except KeyboardInterrupt as error:
            raise Interrupted("stopped. Nothing half-written was kept.") from error
        finally:
            if previous is not None:
                signal.signal(signal.SIGTERM, previous)

    return guarded


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(name: str, message: str, status: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    return status


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{where}the disk must hold the outputs. Received: {error.strerror}. Free some space, nothing half-written was kept."
        )
    return f"{where}{error.strerror or error}. Check the path and its permissions."


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Where a command's library call shows its progress."""
    if quiet:
        yield Silent()
        return
    with Console() as console:
        yield console


def run_training(
    module: str,
    kind: type[Any],
    data: object,
    output: Path,
    config: Path | None,
    overrides: Sequence[str],
    *,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    function: str = "train",
) -> None:
    """Trains and prints what came of it. module: has the function that does, and Keras at its top. kind: of the settings.

    Of several machines that train together the first one writes to `output`.
    """
    from segment.core.config import load_run_settings
    from segment.core.output import apart

    wanted = load_run_settings(kind, output, config, overrides, resume)
    if count_machines() > 1:
        print(f"waiting for {count_machines()} machines to join", file=sys.stderr, flush=True)
    load_keras(join=True)
    train = getattr(importlib.import_module(module), function)
    number = machine_number()
    place = apart(output, resume) if number else nullcontext(output)
    with progress_bar(quiet or number > 0) as progress, place as folder:
        progress.say(str(train(data, folder, wanted, resume=resume, overwrite=overwrite, progress=progress)))
        progress.say(f"report: {output / 'report.html'}")


def run_tuning(
    module: str,
    kind: type[Any],
    data: object,
    output: Path,
    config: Path | None,
    overrides: Sequence[str],
    space: Path | None,
    *,
    cluster: str | None,
    quiet: bool,
    **search: Any,
) -> None:
    """Tunes and prints what came of it. module: has the function `tune` and the default SPACE. kind: of the settings.
    search: see `segment.core.search.Search`.

    Raises InputError when Optuna is not installed.
    """
    from segment.core.config import load_settings

    if find_spec("optuna") is None:
        raise InputError("Tuning takes the package optuna. Received none. Install it: pip install 'aerial-segment[tune]'.")
    from segment.core.search import Search
    from segment.core.search_space import load_space

    tuning, wanted = importlib.import_module(module), load_settings(kind, config, overrides)
    values = tuning.SPACE if space is None else load_space(space)
    with progress_bar(quiet) as progress:
        found = tuning.tune(data, output, wanted, values, Search(**search), cluster=cluster, progress=progress)
        progress.say(str(found))
        progress.say(f"report: {output / 'report.html'}")


def attempt_each(command: str, sources: Sequence["Source"], work: Callable[["Source"], None]) -> None:
    """Does the work for one source after the other; what goes wrong with one of several need not stop the others.

    Raises InputError at the end, when it went wrong somewhere.
    """
    problems = []
    for source in sources:
        try:
            work(source)
        except Interrupted:
            raise
        except InputError as error:
            problems.append(str(error))
    require_all(command, problems, len(sources))


def require_all(command: str, problems: Sequence[str], count: int) -> None:
    """Raises InputError when there are problems: that of one input, or, after a line for each, how many of `count` had one."""
    if count > 1:
        for problem in problems:
            print(f"{command}: {problem}", file=sys.stderr)
    _require_none(problems, count)


def _require_none(problems: Sequence[str], count: int) -> None:
    if problems and count == 1:
        raise InputError(problems[0])
    if problems:
        raise InputError(f"all {count} inputs must be of use. Received {len(problems)} that were not. See the lines above.")


def require_cluster(block: int | None) -> None:
    """Raises InputError when blocks are asked for without a cluster."""
    if block is not None:
        raise InputError("--block belongs to --cluster. Received no --cluster. Leave it out, or add --cluster.")


def tell_each(command: str, done: "Iterable[Done[object]]", count: int, progress: Progress) -> None:
    """Prints what a cluster makes of each of `count` inputs, as it comes.

    Raises InputError at the end when there were inputs of no use, Incomplete when results have holes.
    """
    problems: list[str] = []
    holes: list[str] = []
    for one in done:
        if one.result is None:
            problems += one.problems
        else:
            progress.say(str(one.result))
            holes += one.problems
        if count > 1 or one.result is not None:
            for problem in one.problems:
                print(f"{command}: {problem}", file=sys.stderr)
    _require_none(problems, count)
    if holes:
        raise Incomplete(
            f"all blocks must be of use. Received {len(holes)} that were not, see above, and are nodata. "
            "Mend them: the same command does those alone."
        )


def load_network(folder: Path, runtime: Runtime) -> "Model":
    """Loads a model; Keras, if it is needed, without its noise, and only after a wrong folder would have been told."""
    from segment.core.runtime import choose_runtime, load_model

    if choose_runtime(folder, runtime) == "keras":
        load_keras()
        return load_model(folder, "keras")
    return load_model(folder, "openvino")


def parse_bands(text: str | None) -> list[int] | None:
    """Band numbers from "4,3,2". Raises InputError when they are not such a list."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--bands: numbers from 1 with commas between. Received {text!r}. Write e.g. 4,3,2.")
    return [int(part) for part in parts]

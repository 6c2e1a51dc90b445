"""Basis of all commands: one-line errors, exit statuses and progress."""

import io
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from itertools import zip_longest
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from segment.core.choices import ProgressForm
from segment.core.cli.option_groups import spread_options
from segment.core.cli.signals import stop_on_signals
from segment.core.errors import Incomplete, InputError, Interrupted, explain, one_line, printable
from segment.core.progress import Console, JsonLines, Progress, Silent

DONE, OUR_FAULT, INPUT_FAULT, INCOMPLETE = 0, 1, 2, 3
_DISTRIBUTION = "aerial-segment"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{_DISTRIBUTION} {version(_DISTRIBUTION)}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version."),
]


def entry_point(function: Callable[..., None]) -> Callable[[], None]:
    """Creates the console script of a command.

    Args:
        function: The command. typer turns its parameters into options.

    Returns:
        A function without arguments that runs the command and exits.
    """
    function = spread_options(function)
    main = entry_group("", [function])
    main.__doc__ = function.__doc__
    main.__wrapped__ = function  # type: ignore[attr-defined]
    return main


def entry_group(name: str, functions: Sequence[Callable[..., None]]) -> Callable[[], None]:
    """Creates a console script with several commands, chosen by its first argument.

    Args:
        name: Name of the console script; empty as for `run`.
        functions: The commands, as in `entry_point`.

    Returns:
        A function without arguments that runs the command and exits.
    """

    def main() -> None:
        try:
            sys.exit(run(functions, sys.argv[1:], name))
        except KeyboardInterrupt:
            sys.exit(INPUT_FAULT)

    return main


def run(
    work: Callable[..., None] | Sequence[Callable[..., None]],
    arguments: Sequence[str],
    name: str = "",
) -> int:
    """Runs a command; errors are printed to stderr in one line.

    Args:
        work: The command, or several of which the first argument chooses one.
        arguments: Arguments of the command line.
        name: Name of the console script; by default that of the package and that of the function,
            joined by a dash.

    Returns:
        The exit status: 0 done, 1 a bug of this project, 2 an error in the input (a stop by Ctrl-C
        and a full disk included), 3 done, but with holes. An `Interrupted` is reported so, too.
    """
    for stream in (sys.stdout, sys.stderr):  # file names with characters that the terminal lacks
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    functions = [work] if callable(work) else work
    name = name or "-".join((functions[0].__module__.split(".")[0], functions[0].__name__))
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    for function in functions:
        app.command()(_interruptible(function))
    if len(functions) > 1:
        app.callback()(_options_of_group)
    command = typer.main.get_command(app)
    assert isinstance(command, (TyperCommand, TyperGroup))
    debug = "--debug" in arguments
    try:
        status = command.main(_complete(arguments, command), prog_name=name, standalone_mode=False)
        if status == 130:  # typer's status for a Ctrl-C before the command itself began
            raise Interrupted("stopped. Nothing was begun.")
        return DONE
    except InputError as error:
        return _fail(
            name, str(error), INCOMPLETE if isinstance(error, Incomplete) else INPUT_FAULT, debug
        )
    except OSError as error:
        return _fail(name, explain(error), INPUT_FAULT, debug)
    except UnicodeEncodeError as error:
        if error.reason != "surrogates not allowed":
            raise
        received = printable(error.object)
        return _fail(
            name,
            f"{received}: the name is not UTF-8. Rename the file.",
            INPUT_FAULT,
            debug,
        )
    except MemoryError:
        return _fail(
            name,
            "out of memory. Choose smaller tiles or batches.",
            INPUT_FAULT,
            debug,
        )
    except Exception as error:
        if hasattr(error, "format_message"):  # usage errors of click
            return _fail(name, f"{_usage_fault(error)} See {name} --help.", INPUT_FAULT, debug)
        return _fail(
            name,
            f"a fault of ours, please report it: {type(error).__name__}: {error} (see --debug)",
            OUR_FAULT,
            debug,
        )


def _usage_fault(error: Any) -> str:
    """Returns the sentence of a usage error of click, with the value received."""
    message = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    found = getattr(error.__cause__, "errors", None)  # of pydantic, which typer reads values with
    if found is None:
        return f"{message}."
    message = message.replace("Input should be", "should be").split(", unable to parse")[0]
    received = str(found()[0]["input"])
    return f"{message}." if received in message else f"{message}. Received {received}."


def _options_of_group(version: Version = False) -> None:
    pass


def _complete(arguments: Sequence[str], command: TyperCommand | TyperGroup) -> list[str]:
    """Gives options that stand without their value the first that they can have.

    The value of an option may be left out where its metavar is in brackets, as [gpkg|parquet].
    What follows the option is its value only if it is one of these, so it may be a file name. A
    word that names no file is refused as a value that the option does not have.
    """
    choices = {
        name: (option.metavar or "").strip("[]").split("|")
        for option in getattr(command, "params", [])
        if (getattr(option, "metavar", None) or "").startswith("[") and hasattr(option, "opts")
        for name in option.opts
        if name.startswith("-")
    }
    complete: list[str] = []
    for argument, following in zip_longest(arguments, arguments[1:]):
        values = choices.get(argument)
        if values is None or following in values or "--" in complete:
            complete.append(argument)
        else:
            if (following or "").isalnum() and not os.path.exists(following or ""):
                raise InputError(
                    f"{argument}: {following!r} is none of {', '.join(values)}, and there is no"
                    " such file. Choose one, or leave the value out."
                )
            complete += [argument, values[0]]
    return complete


def _interruptible(function: Callable[..., None]) -> Callable[..., None]:
    """Wraps a function so that Ctrl-C and SIGTERM raise an error like any other.

    typer would treat Ctrl-C (and EOFError) as success, and SIGTERM would leave partial files
    behind.
    """

    @wraps(function)
    def guarded(**arguments: Any) -> None:
        for name, value in arguments.items():  # click accepts NaN within any bounds
            if isinstance(value, float) and not math.isfinite(value) and name != "nodata":
                raise InputError(
                    f"--{name.replace('_', '-')}: must be a finite number. Received {value}."
                )
        try:
            with stop_on_signals():
                function(**arguments)
        except EOFError as error:
            raise RuntimeError(f"EOFError {error}") from error
        except KeyboardInterrupt as error:
            raise Interrupted("stopped. Nothing half-written was kept.") from error

    return guarded


def _fail(name: str, message: str, status: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"{name}: {one_line(message)}", file=sys.stderr)
    return status


@contextmanager
def show_progress(quiet: bool, form: ProgressForm = "bar") -> Iterator[Progress]:
    """Provides the progress display of a command.

    Args:
        quiet: Whether to show nothing.
        form: Whether to show bars and lines, or to print JSON.

    Yields:
        The progress to pass to the library.
    """
    if quiet:
        yield Silent()
    elif form == "json":
        yield JsonLines()
    else:
        with Console() as console:
            yield console

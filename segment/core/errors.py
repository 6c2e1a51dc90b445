"""Errors that users can cause and fix, and one-line messages for these and for system errors."""

import errno
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from zipfile import BadZipFile

DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, MemoryError, RuntimeError),
    *(BadZipFile, zlib.error),
)
"""What reading a damaged ZIP archive or array file raises, which depends on where it is damaged."""

_LONGEST = 500  # characters of a message
_LONGEST_VALUE = 200


def printable(text: object) -> str:
    """Makes a text or a path safe to print and to encode as UTF-8.

    Line breaks are kept. Terminal control codes, lone surrogates, and bytes of a file name that
    are not UTF-8 are escaped.

    Args:
        text: Text, path, or other object, of which `str` is taken.

    Returns:
        The printable text.
    """
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python represents a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Shortens a text to one `printable` line.

    Args:
        text: Any text.
        longest: Largest length of the line in characters.

    Returns:
        The line. The middle of a longer text is left out.
    """
    if len(text) > 8 * longest:
        shown, left_out = f"{text[: 4 * longest]} {text[-4 * longest :]}", len(text)
    else:
        shown, left_out = text, 0
    line = printable(" ".join(shown.split()))
    if not left_out and len(line) <= longest:
        return line
    gap = f" ... ({left_out or len(line):,} characters) ... "
    room = longest - len(gap)
    return f"{line[: 2 * room // 3]}{gap}{line[-(room - 2 * room // 3) :]}"


def quoted(value: object, longest: int = _LONGEST_VALUE) -> str:
    """Formats a value as a quotation for a message.

    Args:
        value: Any value, of which `repr` is taken.
        longest: Largest length of the quotation in characters.

    Returns:
        The quotation in one `printable` line.
    """
    return one_line(repr(value), longest)


class InputError(ValueError):
    """Error in the input, described in one line: what is wrong, the value, and the cure.

    Commands print the line and end with exit status 2. Any other exception is a bug in this
    project, except for system errors such as a full disk, which `explain` describes.
    The message is always one line of printable characters; a long one is shortened in the middle,
    regardless of what was received.

    Args:
        message: What is wrong, the value received, and the cure.
    """

    def __init__(self, message: str = ""):
        super().__init__(one_line(message))


class Incomplete(InputError):
    """Work that was done except for some parts, which are missing from its results."""


class MisfitError(InputError):
    """The bands or the data type of an image are not those that a model reads."""


class Interrupted(InputError):
    """Work stopped by the user (Ctrl-C). The message says what to do next."""


def brief(problem: object, longest: int = 200) -> str:
    """Returns the beginning of what a library reports, in one line.

    Args:
        problem: Error or text of the library.
        longest: Largest length of the line in characters.

    Returns:
        The line.
    """
    return " ".join(str(problem).split())[:longest]


def suggest(received: str, known: Sequence[str], otherwise: str) -> str:
    """Suggests the known name that is like a received one.

    Args:
        received: Name that is not known.
        known: Names that are.
        otherwise: What to return if none of them is like it.

    Returns:
        The question whether that name was meant.
    """
    from difflib import get_close_matches

    near = get_close_matches(received, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else otherwise


def counted(count: int, noun: str) -> str:
    """Writes a number with a noun, such as "1 epoch" and "1,200 epochs".

    Args:
        count: The number.
        noun: The noun in the singular, one with a plural in "s".

    Returns:
        The text.
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def require_options(
    function: Callable[..., Any], given: Iterable[str], options: Iterable[str]
) -> None:
    """Checks the keywords that a function receives as `**options`.

    Args:
        function: The function.
        given: Keywords that it received.
        options: Keywords that it takes as options, besides its parameters.

    Raises:
        InputError: If there is another one. It lists all, and names the nearest.
    """
    if not (unknown := set(given).difference(options)):
        return
    from difflib import get_close_matches
    from inspect import Parameter, signature

    named = [
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD
    ]
    name = min(unknown)
    near = get_close_matches(name, known := [*named, *options], n=1)
    raise InputError(
        f"{function.__name__}: unknown option {quoted(name, 40)}."
        f"{f' Did you mean {near[0]}?' if near else ''} Its options are {', '.join(known)}."
    )


def is_utf8(path: object) -> bool:
    """Checks whether a path is valid UTF-8.

    GDAL and other libraries open no other paths.

    Args:
        path: Path as text or `Path`.

    Returns:
        Whether all of the path is UTF-8.
    """
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def explain(error: InputError | OSError) -> str:
    """Describes an error in one line.

    Args:
        error: Error of the input or of the operating system.

    Returns:
        The line.
    """
    if isinstance(error, InputError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{where}{error.strerror}. Free some space; nothing half-written was kept."
    return f"{where}{error.strerror or error}. Check the path and its permissions."

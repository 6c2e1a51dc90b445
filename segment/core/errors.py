"""The one error that users can cause and cure, and how those of the system are told like it."""

import errno

_LONGEST = 500  # characters of a message
_LONGEST_VALUE = 200


def printable(text: object) -> str:
    """A text or a path as it can be printed, and written in UTF-8, with its lines. Escaped are terminal codes, halves of
    characters, and bytes of a file's name that are not UTF-8."""
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in str(text))


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # what Python reads a byte as that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def one_line(text: str, longest: int = _LONGEST) -> str:
    """The text in one `printable` line of at most `longest` characters; of a longer one the middle is left out."""
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
    """A value as it is quoted in a message, at most so many characters of it."""
    return one_line(repr(value), longest)


class InputError(ValueError):
    """A fault of the input, told in one line: the rule, what was received, the cure.

    Commands print the line and end with exit status 2; everything else that is raised is a fault of ours.
    The message is made a line of printable characters, and a long one is shortened in its middle, whatever was received.
    """

    def __init__(self, message: str = ""):
        super().__init__(one_line(message))


class Incomplete(InputError):
    """Work that was done but for some parts, which its results lack."""


class Interrupted(InputError):
    """Work stopped by the user (Ctrl-C), with what to do next in its message."""


def is_utf8(path: object) -> bool:
    """Whether a path is UTF-8 throughout, which is all that GDAL and other libraries open."""
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))


def explain(error: InputError | OSError) -> str:
    """The error in a line."""
    if isinstance(error, InputError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"{where}the disk must hold the outputs. Received: {error.strerror}. Free some space, nothing half-written was kept."
        )
    return f"{where}{error.strerror or error}. Check the path and its permissions."

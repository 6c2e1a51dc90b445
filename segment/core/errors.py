"""The one error that users can cause and cure, and how those of the system are told like it."""

import errno


class InputError(ValueError):
    """A fault of the input, told in one line: the rule, what was received, the cure.

    Commands print the line and end with exit status 2; everything else that is raised is a fault of ours.
    """


class Incomplete(InputError):
    """Work that was done but for some parts, which its results lack."""


class Interrupted(InputError):
    """Work stopped by the user (Ctrl-C), with what to do next in its message."""


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

"""The one error that users can cause and cure."""


class InputError(ValueError):
    """A fault of the input, told in one line: the rule, what was received, the cure.

    Commands print the line and end with exit status 2; everything else that is raised is a fault of ours.
    """


class Incomplete(InputError):
    """Work that was done but for some parts, which its results lack."""


class Interrupted(InputError):
    """Work stopped by the user (Ctrl-C), with what to do next in its message."""

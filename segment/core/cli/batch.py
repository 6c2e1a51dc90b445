"""What becomes of the several inputs of a command: each is told, and what goes wrong with one does not stop the others."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from segment.core.errors import Incomplete, InputError, Interrupted
from segment.core.progress import Progress

if TYPE_CHECKING:
    from segment.core.cluster.scene_job import Done
    from segment.core.raster.sources import Source


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

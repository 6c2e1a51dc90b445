"""Several inputs of one command.

Each is reported on, and the failure of one does not stop the others.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from segment.core.errors import Incomplete, InputError, Interrupted, counted, explain
from segment.core.progress import Progress, say_result

if TYPE_CHECKING:
    from segment.core.cluster.scene_job import Done
    from segment.core.maps.scene_outputs import SceneOutputs
    from segment.core.raster.sources import Source


def attempt_each(
    command: str,
    sources: Sequence["Source"],
    check: Callable[["Source"], None],
    prepare: Callable[[list["Source"]], tuple[Sequence["Source"], Callable[["Source"], None]]],
) -> None:
    """Processes one source after the other; the failure of one does not stop the others.

    All sources are checked first, so that a user reads at once which of them cannot be used. With
    several sources, a line for each problem is printed to stderr as soon as it is known.

    Args:
        command: Name of the command for messages.
        sources: Sources to process.
        check: Checks one source by its header.
        prepare: Prepares the work, once some source is fit: given the sources that are, it returns
            those to process, and the function that processes one.

    Raises:
        InputError: After all sources were tried, if any of them failed: the problem of a single
            source, or how many of several failed. `Interrupted` is raised at once.
    """
    failed, count = 0, len(sources)

    def succeeds(step: Callable[["Source"], None], source: "Source") -> bool:
        nonlocal failed
        try:
            step(source)
        except Interrupted:
            raise
        except (InputError, OSError) as error:
            if count == 1:
                raise
            failed += 1
            print(f"{command}: {explain(error)}", file=sys.stderr, flush=True)
            return False
        return True

    fit = [source for source in sources if succeeds(check, source)]
    if fit:
        ready, process = prepare(fit)
        for source in ready:
            succeeds(process, source)
    if failed:
        raise InputError(f"{failed} of {count} inputs failed, see above.")


def require_all(command: str, problems: Sequence[str], count: int) -> None:
    """Checks that all inputs of a command were processed.

    With several inputs, a line for each problem is printed to stderr.

    Args:
        command: Name of the command for messages.
        problems: A message for each input that failed.
        count: Number of inputs.

    Raises:
        InputError: If there are problems. Its message is that of a single input, or how many of
            several inputs failed.
    """
    if count > 1:
        for problem in problems:
            print(f"{command}: {problem}", file=sys.stderr)
    _require_none(problems, count)


def _require_none(problems: Sequence[str], count: int) -> None:
    if problems and count == 1:
        raise InputError(problems[0])
    if problems:
        raise InputError(f"{len(problems)} of {count} inputs failed, see above.")


def report_each(
    command: str, done: "Iterable[Done[SceneOutputs]]", count: int, progress: Progress
) -> None:
    """Prints the results of a cluster for each input as they arrive.

    Args:
        command: Name of the command for messages.
        done: Result or problems of each input.
        count: Number of inputs.
        progress: Receives a line for each result.

    Raises:
        InputError: At the end, if any input could not be used.
        Incomplete: At the end, if results have holes.
    """
    problems: list[str] = []
    holes: list[str] = []
    for one in done:
        if one.result is None:
            problems += one.problems
        else:
            say_result(progress, str(one.result), one.result.files)
            holes += one.problems
        if count > 1 or one.result is not None:
            for problem in one.problems:
                print(f"{command}: {problem}", file=sys.stderr)
    _require_none(problems, count)
    if holes:
        raise Incomplete(
            f"{counted(len(holes), 'block')} failed, see above: left as nodata. Fix the cause:"
            " the same command does the rest."
        )

"""Where the labels of a scene come from: a mask, or a vector file."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from segment.annotations.burned_labels import BurnedLabels, burn_labels
from segment.annotations.vector_labels import VectorLabels
from segment.annotations.vector_layer import fields_of
from segment.core.errors import InputError
from segment.core.labels.classes import ClassTable
from segment.core.labels.masks import Mask, open_mask
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source

LabelSource = Source | VectorLabels
"""A mask, or vector labels."""


def as_label_source(labels: Path | str | LabelSource | None) -> LabelSource | None:
    """Returns labels as a source.

    Args:
        labels: A mask or vector labels, as a user names them, or None.

    Returns:
        The source, None for None.
    """
    return Source(Path(labels)) if isinstance(labels, (Path, str)) else labels


def require_one_scene(labels: object, scenes: int) -> None:
    """Checks that a reference is not given for several scenes.

    Args:
        labels: The reference, or None.
        scenes: Number of scenes.

    Raises:
        InputError: If it is.
    """
    if labels is not None and scenes > 1:
        raise InputError(
            f"--truth belongs to one scene. Received {scenes} scenes. Map them one by one."
        )


def files_of(labels: LabelSource | None) -> list[Path | str]:
    """Lists the files that labels are read from.

    Args:
        labels: The labels, or None.

    Returns:
        The files as they are named; none for None.
    """
    if isinstance(labels, VectorLabels):
        return [file for file in (labels.path, labels.areas) if file is not None]
    return [] if labels is None else [labels.path]


def absolute(labels: LabelSource) -> LabelSource:
    """Returns the same labels for a process that runs in another folder.

    Args:
        labels: The labels.

    Returns:
        The labels with absolute paths.
    """
    if not isinstance(labels, VectorLabels):
        return labels.absolute
    areas = None if labels.areas is None else labels.areas.absolute()
    return replace(labels, path=labels.path.absolute(), areas=areas)


@contextmanager
def open_labels(
    labels: LabelSource, scene: Raster, class_table: ClassTable
) -> Iterator[Mask | BurnedLabels]:
    """Opens the reference of a scene, to be read on its grid.

    Args:
        labels: A mask or vector labels.
        scene: The open scene.
        class_table: Classes of vector labels, see `burn_labels`.

    Yields:
        The open mask, or labels that are read like one.

    Raises:
        InputError: If the labels cannot be used or do not fit the scene.
    """
    if isinstance(labels, VectorLabels):
        try:
            burned = burn_labels(labels, scene, class_table)
        except InputError as error:
            raise InputError(_with_truth_options(str(error))) from error
        yield replace(burned, notes=[_with_truth_options(note) for note in burned.notes])
        return
    cure = "Name the field of their classes with --truth-field NAME"
    with open_mask_of_scene(labels, scene, cure) as mask:
        yield mask


@contextmanager
def open_mask_of_scene(mask: Path | Source, scene: Raster, cure: str) -> Iterator[Mask]:
    """Opens a mask on the grid of a scene.

    Args:
        mask: The mask.
        scene: The open scene.
        cure: How to name the field of classes, where the file holds shapes.

    Yields:
        The open mask.

    Raises:
        InputError: If it cannot be opened, holds shapes, has other bands, or does not fit the
            scene.
    """
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_mask(mask, scene, "scene"))
        except InputError as error:
            path = mask if isinstance(mask, Path) else Path(mask.path)
            if (fields := fields_of(path)) is None:
                raise
            named = ", ".join(fields[:8]) or "none"
            raise InputError(
                f"{path}: holds shapes, not pixels. {cure}. It has: {named}."
            ) from error
        yield opened


def _with_truth_options(message: str) -> str:
    """Names the options of segment-tile as segment-predict has them."""
    named = re.sub(r"--field\b", "--truth-field", message)
    names = "layer|width|radius|order|background|labelled-areas|codes"
    return re.sub(
        rf"--({names})\b( (?=NAME|\d))?",
        lambda found: f"--truth-option {found[1].replace('-', '_')}{'=' if found[2] else ''}",
        named,
    )

"""Options of the commands that score maps, and vector labels as options name them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

from typer import Option

from segment.core.choices import MOST_BOUNDARY_WIDTH, LabelOrder
from segment.core.errors import InputError

if TYPE_CHECKING:
    from segment.annotations.vector_labels import VectorLabels

BoundaryWidth = Annotated[
    int,
    Option(
        min=1,
        max=MOST_BOUNDARY_WIDTH,
        help="Width of the class boundaries that are scored against the reference, pixels.",
    ),
]

SceneLabels = Annotated[
    Path | None,
    Option(help="Labels of a scene that is read as it is: a mask, or a vector file with --field."),
]
SceneField = Annotated[
    str | None, Option(metavar="NAME", help="With --labels: field whose values are the classes.")
]

KEYS = ("layer", "width", "radius", "order", "background", "labelled_areas", "codes")
"""Options of vector labels besides their file and field, as segment-tile has them."""


@dataclass(frozen=True, kw_only=True)
class TruthOptions:
    """What a map is scored against: a mask, or a vector file."""

    truth: Annotated[
        Path | None, Option(help="True mask or polygons of the scene: the map is scored.")
    ] = None
    truth_field: Annotated[
        str | None, Option(metavar="NAME", help="Polygons: field whose values are the classes.")
    ] = None
    truth_option: Annotated[
        list[str],
        Option(
            metavar="KEY=VALUE",
            help=(
                f"Polygons: {', '.join(KEYS[:-1])} or {KEYS[-1]}, as segment-tile has them;"
                " repeatable."
            ),
        ),
    ] = field(default_factory=list)

    def chosen(self) -> "Path | VectorLabels | None":
        """Returns the reference as the library takes it.

        Returns:
            Path of a mask, vector labels, or None.

        Raises:
            InputError: If options do not belong together, or one is unknown or wrong.
        """
        for given, option, needed, other in (
            (self.truth_option, "--truth-option", self.truth_field, "--truth-field"),
            (self.truth_field, "--truth-field", self.truth, "--truth"),
        ):
            if given and needed is None:
                raise InputError(f"{option} belongs to {other}, which is not given. Add {other}.")
        if self.truth is None or self.truth_field is None:
            return self.truth
        options = dict(map(_key_and_value, self.truth_option))
        return vector_labels(self.truth, self.truth_field, options)


def _key_and_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not value or key.replace("-", "_") not in KEYS:
        raise InputError(
            f"--truth-option takes KEY=VALUE with one of {', '.join(KEYS)}. Received {text!r}."
        )
    return key.replace("-", "_"), value


def vector_labels(path: Path, field: str, options: Mapping[str, str]) -> "VectorLabels":
    """Makes vector labels from the texts of options.

    Args:
        path: The vector file.
        field: Field whose values are classes.
        options: Text by key, see `KEYS`.

    Returns:
        The vector labels.

    Raises:
        InputError: If the order is unknown, or codes cannot be read.
    """
    from segment.annotations.field_values import read_codes
    from segment.annotations.vector_labels import VectorLabels

    orders, order = get_args(LabelOrder), options.get("order", "smaller")
    if order not in orders:
        raise InputError(f"order: {order!r}. Choose one of {', '.join(orders)}.")
    areas, codes = options.get("labelled_areas"), options.get("codes")
    return VectorLabels(
        path=path,
        field=field,
        layer=options.get("layer"),
        width=_size(options.get("width")),
        radius=_size(options.get("radius")),
        order=cast(LabelOrder, order),
        background=options.get("background"),
        areas=None if areas is None else Path(areas),
        codes=None if codes is None else read_codes(Path(codes)),
    )


def _size(text: str | None) -> float | str | None:
    """Returns metres as a number, the name of a field as it is."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def with_scene_labels(settings: list[str], labels: Path | None, field: str | None) -> list[str]:
    """Adds the labels of a scene that is read as it is to settings.

    Args:
        settings: `key=value` texts.
        labels: File of the labels, or None.
        field: Field that holds the classes, of vector labels.

    Returns:
        The settings, after `data.labels` where there are labels, so that they can add to it.

    Raises:
        InputError: If there is a field without labels.
    """
    if labels is None:
        if field is not None:
            raise InputError("--field: names a field of --labels, which is missing. Give both.")
        return settings
    named = {"path": str(labels)} | ({} if field is None else {"field": field})
    return [f"data.labels={json.dumps(named)}", *settings]

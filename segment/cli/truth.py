"""Options of the commands that score maps."""

from typing import Annotated

from typer import Option

from segment.core.choices import MOST_BOUNDARY_WIDTH

BoundaryWidth = Annotated[
    int,
    Option(
        min=1,
        max=MOST_BOUNDARY_WIDTH,
        help="Width of the class boundaries that are scored against the truth, pixels.",
    ),
]

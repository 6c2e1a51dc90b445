"""What labelled data are divided into."""

from typing import Literal, get_args

Part = Literal["train", "val", "test"]
PartChoice = Literal["all", "train", "val", "test"]
"""A part, or all of them."""

PARTS: tuple[Part, ...] = get_args(Part)

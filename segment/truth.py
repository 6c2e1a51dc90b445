"""The truth of a scene: a mask of its size, read row band by row band in step with the map."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.mask import Mask, open_mask
from segment.core.palette import IGNORED, Palette, load_palette
from segment.core.raster import Raster
from segment.core.sources import Source

_CHECKED_ROWS = 256


class Truth:
    """An open mask, decoded to a model's classes.

    Values and colours are those of `palette`, unless a `classes.yaml` beside the mask gives its own: classes are then
    matched by name, and those that the model does not know are ignored.
    undeclared: how many pixels hold each value or colour that no class has.
    """

    def __init__(self, mask: Mask, palette: Palette):
        table = Path(mask.path).with_name("classes.yaml")
        self._mask, self._names = mask, palette.names
        self._palette = load_palette(table) if table.is_file() else palette
        self.undeclared: Counter[str] = Counter()

    @property
    def identity(self) -> list[Any]:
        """What tells it from another truth, or from itself as it was before somebody changed it."""
        return [self._mask.identity, [c.model_dump(mode="json") for c in self._palette.table]]

    def read(self, start: int, stop: int, left: int = 0, right: int | None = None) -> NDArray[np.uint8]:
        """Class indices (rows, width) of some rows, between two columns of them, 255 where ignored.

        Raises InputError when they cannot be decoded.
        """
        width = None if right is None else right - left
        indices, undeclared = self._palette.decode(self._mask.read(start, stop - start, left, width), self._names)
        self.undeclared += undeclared
        return indices

    def check(self) -> None:
        """Reads it once to the end. Raises InputError when it cannot be read or holds none of the classes."""
        found = False
        for start in range(0, self._mask.height, _CHECKED_ROWS):
            found |= bool((self.read(start, min(start + _CHECKED_ROWS, self._mask.height)) != IGNORED).any())
        if not found:
            listed = ", ".join(name for name, _ in self.undeclared.most_common(3)) or "ignored values only"
            names = ", ".join(f"{c.name} {c.color} or {c.value}" for c in self._palette.classes)
            raise InputError(
                f"{self._mask.path}: a truth holds classes of the model ({names}). Received {listed}. "
                "Lay its own classes.yaml beside it, or give another mask."
            )
        self.undeclared.clear()


@contextmanager
def open_truth(source: Path | Source, scene: Raster, palette: Palette) -> Iterator[Truth]:
    """Opens and checks the truth of a scene. Raises InputError when it does not fit the scene or the classes."""
    with open_mask(source) as mask:
        if (mask.width, mask.height) != (scene.width, scene.height):
            raise InputError(
                f"{mask.path}: a truth has the size of its scene. Received {mask.width}x{mask.height} for a scene of "
                f"{scene.width}x{scene.height} ({scene.path}). Export it at the scene's size."
            )
        Truth(mask, palette).check()
        yield Truth(mask, palette)

"""Pictures written to files."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segment.core.disk import writable
from segment.core.outputs import staged

_PIECE = 256  # rows


def write_picture(
    path: Path, pixels: NDArray[np.uint8], overwrite: bool = False, spent: bool = False
) -> None:
    """Writes a picture, whole or not at all, in the format of the file extension.

    Args:
        path: File to write.
        pixels: RGB or RGBA, (rows, columns, 3 or 4) uint8.
        overwrite: Whether an existing file is replaced.
        spent: Whether the pixels may be overwritten, which takes half the memory.

    Raises:
        InputError: If the file exists and is not to be replaced, or cannot be written, as on a full
            disk.
    """
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    turned = pixels if spent else pixels.copy()
    for first in range(0, len(turned), _PIECE):
        turned[first : first + _PIECE] = cv2.cvtColor(turned[first : first + _PIECE], order)
    done, encoded = cv2.imencode(path.suffix, turned)
    assert done, path
    with staged(path, overwrite) as partial, writable(path):
        partial.write_bytes(encoded.tobytes())  # cv2.imwrite would not report a full disk

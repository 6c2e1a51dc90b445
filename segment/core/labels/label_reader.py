"""Labels on the grid of a scene that are read by rectangles: of masks, or of vector files."""

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from segment.core.labels.alignment import Alignment


class LabelReader(ABC):
    """Labels on the grid of a scene or an image.

    Attributes:
        height: Rows of the grid.
        width: Columns of the grid.
        alignment: How the labels are placed on that grid.
        declares_nodata: Whether their file declares nodata.
    """

    height: int
    width: int
    alignment: Alignment
    declares_nodata: bool

    def read(
        self, row: int = 0, height: int | None = None, column: int = 0, width: int | None = None
    ) -> NDArray[Any]:
        """Reads one rectangle, by default whole rows.

        Args:
            row: First row.
            height: Number of rows, by default all from `row` on.
            column: First column.
            width: Number of columns, by default all from `column` on.

        Returns:
            Class values or class colours, (height, width, 1, 3 or 4). Of vector labels they are
            uint8, 255 where no shape is. Of a mask they are a masked array where nodata is declared
            or the mask does not cover the rectangle; pixels that it does not cover are 255 in one
            band and black in several.

        Raises:
            InputError: If a mask cannot be decoded there.
        """
        height = self.height - row if height is None else height
        width = self.width - column if width is None else width
        return self._window(row, height, column, width)

    @abstractmethod
    def _window(self, row: int, height: int, column: int, width: int) -> NDArray[Any]:
        """Reads one rectangle."""

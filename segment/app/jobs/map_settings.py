"""Settings that a visitor maps a scene with."""

from dataclasses import dataclass

from segment.app.uploads.formats import choose_scale
from segment.core.choices import OVERLAP
from segment.core.errors import InputError
from segment.core.raster.nodata import Nodata, parse_nodata
from segment.mapping.scale import check_gsd


@dataclass(frozen=True)
class Settings:
    """How a scene is mapped; see `segment.predict_scene`.

    Attributes:
        model: Name that the model is offered under.
        overlap: Fraction of a tile's edge that it shares with its neighbour, 0 to 0.5.
        augment: Whether to average over flips and quarter turns.
        resample: Whether the scene is brought to the pixel size that the model learned from. None:
            only if its own is outside the range of the model.
        bands: Bands to read, see `choose_bands`.
        gsd: Ground sampling distance in metres per pixel. None: what the file says.
        scale: How more than 8 bits become 8, see `choose_scale`.
        nodata: Value or range that means "no data", see `parse_nodata`; empty for none.
    """

    model: str
    overlap: float = OVERLAP
    augment: bool = False
    resample: bool | None = None
    bands: str = ""
    gsd: float | None = None
    scale: str = ""
    nodata: str = ""

    def check(self) -> None:
        """Checks the values.

        Raises:
            InputError: If `overlap`, `resample`, `gsd`, `scale` or `nodata` has a value that it
                cannot have.
        """
        choose_scale(self.scale)
        if not isinstance(self.overlap, (int, float)) or not 0 <= self.overlap <= 0.5:
            raise InputError(
                f"overlap: {self.overlap!r} is not a fraction of a tile's edge. Choose 0 to 0.5."
            )
        if self.resample not in (None, True, False):
            raise InputError(f"resample: {self.resample!r} is unknown. Choose true, false or null.")
        check_gsd(self.gsd)
        self.parse_nodata()

    def parse_nodata(self) -> Nodata | None:
        """Parses `nodata`.

        Returns:
            The value or range, None for none.

        Raises:
            InputError: If it is neither.
        """
        if not isinstance(self.nodata, str):
            raise InputError(f"nodata: {self.nodata!r} is no text. Write e.g. 0 or 0-3.")
        return parse_nodata(self.nodata.strip() or None)

"""What the rows of a map are kept as, and the raster of their confidence."""

from pathlib import Path

from segment.core.raster.cog import write_cog
from segment.core.raster.reader import Raster
from segment.mapping.journal import Journal

CLASSES, CONFIDENCE = "classes", "confidence"
"""What the rows of a map are kept as."""
CONFIDENCE_STEPS = 254
"""What a confidence raster holds where the most probable class has probability 1."""


def write_confidence_raster(rows: Journal, path: Path, scene: Raster) -> None:
    """Writes a raster of the most probable class's probability, 0 to 254 for 0 to 1, from rows under CONFIDENCE.

    Raises InputError when it cannot be written.
    """
    tags = {"content": f"probability of the mapped class, 0 to {CONFIDENCE_STEPS} for 0 to 1"}
    scale = 1 / CONFIDENCE_STEPS
    write_cog(rows.file(CONFIDENCE), rows.checksum(CONFIDENCE), path, scene, "confidence", tags, "AVERAGE", scale=scale)

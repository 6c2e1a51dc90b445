"""Class rasters: one byte a pixel, with class names and colours that GIS programs show."""

from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import writable
from segment.core.labels.classes import ClassTable
from segment.core.maps.cog import BandContent, RawRows, write_cog
from segment.core.maps.qgis import raster_style, style_name, write_style
from segment.core.raster.grid import PixelGrid

_INTEGER, _REAL, _TEXT = 0, 1, 2  # GDALRATFieldType
_COLUMNS = (
    # name, type, GDALRATFieldUsage; integers have 32 bits, too few to count a large scene's pixels
    ("Value", _INTEGER, 5),
    ("Count", _REAL, 1),
    ("Class", _TEXT, 2),
    ("Red", _INTEGER, 6),
    ("Green", _INTEGER, 7),
    ("Blue", _INTEGER, 8),
    ("Alpha", _INTEGER, 9),
)


def write_class_raster(
    rows: RawRows,
    path: Path,
    grid: PixelGrid,
    class_table: ClassTable,
    counts: NDArray[np.int64],
    description: str,
) -> None:
    """Writes a class raster and its `companions` beside it.

    The raster holds class values, the colour table, and class names as tags. The sidecar holds the
    names as GDAL's category names and a raster attribute table (value, class, colour, pixels). The
    style is what QGIS opens the raster with.

    Args:
        rows: Class values of the raster, and its overviews if they are made already.
        path: Raster to write.
        grid: Grid of the raster.
        class_table: Class table of the raster.
        counts: Number of pixels of each class, (classes,) int64.
        description: Description of the raster band.

    Raises:
        InputError: If a file cannot be written.
    """
    content = BandContent(
        description=description,
        overviews="MODE",
        tags={f"class_{c.value}": c.name for c in class_table.mapped},
        colors={c.value or 0: (*c.rgb, 255) for c in class_table.mapped},
    )
    write_cog(rows, path, grid, content)
    names_and_table = _category_names(class_table) + _attribute_table(class_table, counts)
    write_sidecar(path, f'  <PAMRasterBand band="1">\n{names_and_table}  </PAMRasterBand>\n')
    write_style(path, raster_style(class_table))


def companions(path: Path | str) -> list[str]:
    """Names the files that `write_class_raster` writes beside a raster.

    Args:
        path: Path of the raster.

    Returns:
        The names of GDAL's sidecar and of the QGIS style.
    """
    name = Path(path).name
    return [sidecar_name(name), style_name(name)]


def _category_names(class_table: ClassTable) -> str:
    names = {c.value or 0: c.name for c in class_table.mapped}
    entries = "".join(
        f"      <Category>{escape(names.get(value, ''))}</Category>\n"
        for value in range(max(names) + 1)
    )
    return f"    <CategoryNames>\n{entries}    </CategoryNames>\n"


def _attribute_table(class_table: ClassTable, counts: NDArray[np.int64]) -> str:
    """GDAL's raster attribute table (XML), with one row for each class, ordered by value."""
    columns = "".join(
        f'      <FieldDefn index="{i}">\n        <Name>{name}</Name>\n        <Type>{kind}</Type>\n'
        f"        <Usage>{usage}</Usage>\n      </FieldDefn>\n"
        for i, (name, kind, usage) in enumerate(_COLUMNS)
    )
    rows = []
    counted = sorted(
        zip(class_table.mapped, counts.tolist(), strict=True), key=lambda pair: pair[0].value or 0
    )
    for i, (c, count) in enumerate(counted):
        fields = (c.value, count, escape(c.name), *c.rgb, 255)
        rows.append(
            f'      <Row index="{i}">{"".join(f"<F>{field}</F>" for field in fields)}</Row>\n'
        )
    return (
        f'    <GDALRasterAttributeTable tableType="thematic">\n{columns}{"".join(rows)}   '
        " </GDALRasterAttributeTable>\n"
    )


def write_sidecar(path: Path, content: str) -> None:
    """Writes GDAL's sidecar of a raster, `path`.aux.xml.

    GDAL and GIS programs read from it what the format of the raster itself cannot hold.

    Args:
        path: Path of the raster.
        content: XML elements of the sidecar.

    Raises:
        InputError: If the file cannot be written.
    """
    with writable(path):
        path.with_name(sidecar_name(path.name)).write_text(
            f"<PAMDataset>\n{content}</PAMDataset>\n", encoding="utf-8"
        )


def sidecar_name(name: str) -> str:
    """Names GDAL's sidecar of a raster.

    Args:
        name: File name of the raster.

    Returns:
        The file name of the sidecar.
    """
    return f"{name}.aux.xml"

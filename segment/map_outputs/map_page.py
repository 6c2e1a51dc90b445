"""Page of a map: what a colleague has to know of it, on two sheets of paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.disk import writable
from segment.core.labels.classes import ClassTable
from segment.core.maps.scene_outputs import format_areas
from segment.core.raster.nodata import describe_nodata
from segment.core.reports.page import Report
from segment.core.reports.tables import Share, format_number

_MOST_BYTES = 190_000  # of the picture; in the page they become a third more
_MOST_IN_MATRIX = 10  # classes
_WARNING = "Warning: "
_SPACE = "\N{NO-BREAK SPACE}"
_CONFIDENCE = (
    # bins of `confidence_shares`, from and to
    ("0.9 and more", 9, 10),
    ("0.7 to 0.9", 7, 9),
    ("0.5 to 0.7", 5, 7),
    ("below 0.5", 0, 5),
)
_SCORES = {"jaccard": "Jaccard", "f1": "F1", "boundary_jaccard": "Boundary Jaccard"}
_FILES = {
    "_classes.tif": "class raster (GeoTIFF) with class names and colours, for GIS",
    "_report.html": "this page",
    "_report.json": "all figures, for programs",
    "_overlay.jpg": "the picture above in full size",
    "_mask.png": "the map as a picture",
    "_confidence.tif": "probability of the mapped class (GeoTIFF)",
    "_suggest.gpkg": "windows to label next (GeoPackage)",
    ".gpkg": "areas of the classes as polygons (GeoPackage)",
    ".parquet": "areas of the classes as polygons (GeoParquet)",
}
# settings that `_pixels` and `_model` put into words, or that name files in the list
_IN_WORDS = (
    *("overlap", "tile", "augment", "resample", "gsd", "factor", "bands", "nodata"),
    *("confidence", "polygons", "min_area", "truth", "model_sha256", "colors"),
    *("boundary_width", "suggest", "aoi"),
)


def write_map_page(
    path: Path,
    report: Mapping[str, Any],
    class_table: ClassTable,
    overlay: NDArray[np.uint8],
    files: Sequence[str],
) -> None:
    """Writes the page of a map, a single HTML file without scripts or external files.

    Args:
        path: HTML file to write.
        report: Content of report.json.
        class_table: Class table with the colours of the map.
        overlay: The map laid over the scene, RGB (rows, columns, 3) uint8.
        files: Names of the files of the map.

    Raises:
        InputError: If the file cannot be written.
    """
    page = Report(f"Land cover of {report['scene']}")
    page.text(_summary(report))
    for note in report["notes"]:
        if note.startswith(_WARNING):
            page.warning(note)
    if report.get("holes"):
        count = len(report["holes"])
        blocks = "block of the map is" if count == 1 else "blocks of the map are"
        page.warning(f"{_WARNING}{count} {blocks} missing, and shown as no data.")
    shares = _shares(report)
    listed = ", ".join(f"{name} {share}" for name, share in shares.items())
    page.picture(
        overlay,
        "The map laid over the scene, in the colours of the table. Grey: no data.",
        alt=f"Map of {report['scene']} laid over the scene: {listed}.",
        most=_MOST_BYTES,
    )
    _add_classes(page, report, class_table, shares)
    if "jaccard" in report:
        _add_scores(page, report, class_table)
    notes = [note for note in report["notes"] if not note.startswith(_WARNING)]
    if notes:
        page.heading("Notes")
        page.items(notes)
    page.heading("Pixels")
    page.facts(_pixels(report, report["settings"]))
    page.heading("Model")
    page.facts(_model(report, report["settings"]))
    page.heading("Files")
    page.facts([(name, _describe_file(name)) for name in files])
    with writable(path):
        page.write(path)


def _summary(report: Mapping[str, Any]) -> str:
    size = report["ground_sampling_distance"]
    pixels = f"{report['width']:,} x {report['height']:,} pixels"
    if size is not None:
        pixels += f" of {_metres(size)}"
    made = report["created"][:16].replace("T", " ")
    return (
        f"{pixels}, mapped on {made} UTC by {report['model']}, aerial-segment {report['version']}."
    )


def _shares(report: Mapping[str, Any]) -> dict[str, Share]:
    counts = report["pixels_by_class"]
    total = max(sum(counts.values()), 1)
    return {name: Share(count / total) for name, count in counts.items()}


def _add_classes(
    page: Report,
    report: Mapping[str, Any],
    class_table: ClassTable,
    shares: Mapping[str, Share],
) -> None:
    """Adds shares, areas and confidence of the classes."""
    areas, confidence = format_areas(report["area_m2"] or {}), report["confidence"]
    page.heading("Classes")
    header = ["Class", "Share", *(["Area"] if areas else []), "Confidence"]
    rows = []
    for name, share in shares.items():
        area = [areas[name].replace(" ", _SPACE)] if areas else []
        rows.append([name, share, *area, _two(confidence[name])])
    page.table(header, rows, [c.map_color for c in class_table.classes])
    if report["mean_confidence"] is None:
        return
    page.text(
        "Confidence is the probability of the mapped class, as the model gives it, 0 to 1."
        f" It is {_two(report['mean_confidence'])} on average."
    )
    bins = report["confidence_shares"]
    rows = [[name, Share(sum(bins[start:stop]))] for name, start, stop in _CONFIDENCE]
    page.table(("Confidence", "Share"), rows)


def _add_scores(page: Report, report: Mapping[str, Any], class_table: ClassTable) -> None:
    """Adds the scores against the reference, and what was taken for what."""
    names, matrix = report["classes"], np.array(report["confusion"])
    page.heading("Scores")
    page.text(
        f"Against the reference {report['settings']['truth']}, over {report['pixels']:,} pixels:"
        f" mean Jaccard {format_number(report['mean_jaccard'])},"
        f" accuracy {format_number(report['accuracy'])}."
    )
    columns = {t: report[key] for key, t in _SCORES.items() if isinstance(report.get(key), dict)}
    rows = [(name, *(scores[name] for scores in columns.values())) for name in names]
    colors = [c.map_color for c in class_table.classes]
    page.table(("Class", *columns), rows, colors)
    if len(names) <= _MOST_IN_MATRIX and matrix.shape == (len(names),) * 2:
        page.text("What the pixels of each class of the reference were mapped as, in percent:")
        totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        shares = [[f"{100 * share:.1f}" for share in row] for row in matrix / totals]
        page.table(
            ("Reference", *names),
            [(name, *row) for name, row in zip(names, shares, strict=True)],
            colors,
        )


def _pixels(report: Mapping[str, Any], settings: Mapping[str, Any]) -> list[tuple[str, object]]:
    """What the scene is, and what was done to its pixels."""
    size, factor = report["ground_sampling_distance"], settings["factor"]
    width, height = report["width"], report["height"]
    mapped = sum(report["pixels_by_class"].values())
    what, part = ("map", "an area of ") if settings.get("aoi") else ("scene", "")
    rows: list[tuple[str, object]] = [
        ("Scene", f"{report['scene']}, {part}{width:,} x {height:,} pixels"),
        ("Coordinate system", report["crs"] or "none"),
    ]
    if size is not None:
        stated = ", as stated by --gsd" if settings["gsd"] else ""
        extent = f"{_metres(width * size)} x {_metres(height * size)}"
        rows.append(("Pixel size", f"{_metres(size)}{stated}; the {what} is {extent}"))
    rows.append(("Bands", ", ".join(map(str, settings["bands"]))))
    value = settings["nodata"]
    nodata = "" if value is None else f"; nodata is {describe_nodata(value)}"
    rows.append(("No data", f"{Share(1 - mapped / (width * height))} of the {what}{nodata}"))
    if factor == 1:
        seen = "none, the model saw the pixels as they are"
    else:
        pixels = f"pixels of {_metres(size / factor)}" if size else f"{factor:.3g} times the pixels"
        seen = f"the model saw {pixels} along each axis; the map has those of the scene"
        seen = seen.replace(" along each axis", "") if size else seen
    rows.append(("Resampling", seen))
    tiles = f"{settings['tile']} pixels, overlapping by {100 * settings['overlap']:.3g} %"
    tiles += ", averaged over flips and quarter turns" if settings["augment"] else ""
    rows.append(("Tiles", tiles))
    if settings["polygons"] and settings["min_area"]:
        unit = "m²" if report["area_m2"] else "pixels"
        joined = f"areas below {settings['min_area']:g} {unit} are part of a neighbour"
        rows.append(("Polygons", joined))
    if settings.get("aoi"):
        rows.append(("Area of interest", settings["aoi"]))
    if "boundary_jaccard" in report:
        near = f"of pixels at most {settings['boundary_width']} pixels from another class"
        rows.append(("Boundary Jaccard", near))
    others = {k: v for k, v in settings.items() if k not in _IN_WORDS and v not in (None, False)}
    return rows + [(name.replace("_", " ").capitalize(), _plain(v)) for name, v in others.items()]


def _model(report: Mapping[str, Any], settings: Mapping[str, Any]) -> list[tuple[str, object]]:
    checksum = settings["model_sha256"]
    rows: list[tuple[str, object]] = [
        ("Model", report["model"] + (f", SHA-256 {checksum[:12]}..." if checksum else "")),
        ("Computed by", f"{report['runtime']}, aerial-segment {report['version']}"),
    ]
    if report["unfamiliar"] is not None:
        unlike = f"{Share(report['unfamiliar'])} of the tiles"
        rows.append(("Unlike its training images", unlike))
    if settings["colors"]:
        rows.append(("Colours", "given with the command, not those of the model"))
    return rows


def _describe_file(name: str) -> str:
    return next((what for ending, what in _FILES.items() if name.endswith(ending)), "")


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


def _two(probability: float | None) -> str:
    return "–" if probability is None else f"{probability:.2f}"


def _metres(size: float) -> str:
    if size >= 10_000:
        return f"{float(f'{size / 1000:.3g}'):,g} km"
    return f"{float(f'{size:.3g}'):,g} m" if size >= 0.1 else f"{float(f'{100 * size:.3g}'):g} cm"

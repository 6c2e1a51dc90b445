import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from segment.core.choices import PolygonFormat
from segment.core.errors import InputError, Interrupted
from segment.core.labels.classes import Class, ClassTable
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import read_mask
from segment.core.maps.class_raster import companions
from segment.core.raster.sources import Source
from segment.core.reports import map_pictures as pictures
from segment.core.reports.legend import draw_legend
from segment.mapping.options import MapOptions
from segment.mapping.predict import SceneMap, predict_scene
from segment.mapping.result import output_names
from tests.conftest import write_raster
from tests.fakes import COLORS, NAMES, FakeModel


@pytest.fixture
def indices() -> np.ndarray:
    blocks = np.random.default_rng(0).integers(0, 5, (6, 9))
    indices = np.kron(blocks, np.ones((10, 10), int)).astype(np.uint8)
    indices[:12, :15] = 99  # nodata
    return indices


def map_it(
    tmp_path: Path, indices: np.ndarray, suffix: str = ".tif", **options: object
) -> SceneMap:
    scene = write_raster(
        tmp_path / f"town{suffix}",
        indices[..., None],
        **({"nodata": 99} if suffix == ".tif" else {}) | options,
    )
    return predict_scene(scene, FakeModel(), tmp_path / "out", confidence=True, polygons=True)


@pytest.mark.heavy
def test_class_raster_is_cloud_optimised_and_speaks_for_itself(tmp_path: Path) -> None:
    indices = np.kron(
        np.random.default_rng(0).integers(0, 5, (60, 55)), np.ones((10, 20), int)
    ).astype(np.uint8)
    result = map_it(tmp_path, indices)
    for path in (result.classes, result.confidence):
        valid, errors, warnings = cog_validate(path, strict=True)
        assert valid, (errors, warnings)
    with rasterio.open(result.classes) as file:
        assert file.dtypes == ("uint8",)
        assert file.nodata == 255
        assert file.overviews(1) == [2, 4]
        assert file.crs.to_epsg() == 32640
        assert file.transform == from_origin(500_000, 2_700_000, 0.3, 0.3)
        assert file.colormap(1)[20][:3] == (0x6E, 0xC1, 0xE4)
        assert file.tags()["class_20"] == "road"
        assert file.descriptions == ("land cover",)
        np.testing.assert_array_equal(file.read(1), indices * 10)
        assert set(np.unique(file.read(1, out_shape=(300, 550)))) <= {0, 10, 20, 30, 40}
    with rasterio.open(result.confidence) as file:
        assert file.nodata == 255
        assert file.scales == (1 / 254,)
        assert file.read(1).min() == 254


def attributes(result: SceneMap) -> list[list[object]]:
    """Rows of the attribute table: value, pixels, name, red, green, blue, alpha."""
    counts = result.report["pixels_by_class"]
    colors = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in COLORS]
    return [[10 * i, counts[name], name, *colors[i], 255] for i, name in enumerate(counts)]


def test_sidecar_names_values_and_colours(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, indices)
    assert [(result.classes.parent / name).is_file() for name in companions(result.classes)] == [
        True,
        True,
    ]
    root = ElementTree.parse(f"{result.classes}.aux.xml").getroot()
    names = [entry.text or "" for entry in root.iter("Category")]
    assert len(names) == 41
    assert names[::10] == NAMES
    assert not any(names[1:10])
    [table] = root.iter("GDALRasterAttributeTable")
    assert table.get("tableType") == "thematic"
    columns = [tuple(entry.text for entry in column) for column in table.iter("FieldDefn")]
    integer, real, text = "0", "1", "2"
    assert columns == [
        ("Value", integer, "5"),
        ("Count", real, "1"),
        ("Class", text, "2"),
        ("Red", integer, "6"),
        ("Green", integer, "7"),
        ("Blue", integer, "8"),
        ("Alpha", integer, "9"),
    ]
    rows = [[field.text for field in row] for row in table.iter("Row")]
    assert rows == [[str(field) for field in row] for row in attributes(result)]


@pytest.mark.heavy
@pytest.mark.skipif(
    shutil.which("gdalinfo") is None, reason="GDAL's own tools are not here (Debian: gdal-bin)"
)
@pytest.mark.heavy
def test_gdal_reads_classes_colours_and_table(tmp_path: Path, indices: np.ndarray) -> None:
    model = FakeModel()
    odd = ["<building> & 'co'", 'the "land"', "Straße", "vegetation", "water"]
    table = [
        Class(name=name, color=c.color, value=c.value)
        for name, c in zip(odd, model.info.classes, strict=True)
    ]
    model.info = model.info.model_copy(update={"classes": table})
    scene = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    result = predict_scene(scene, model, tmp_path / "out")
    run = subprocess.run(
        ["gdalinfo", "-json", str(result.classes)], capture_output=True, text=True, check=True
    )
    assert not run.stderr
    found = json.loads(run.stdout)
    [band] = found["bands"]
    assert band["categories"][::10] == odd
    assert band["noDataValue"] == 255
    colors = band["colorTable"]["entries"][:41:10]
    assert ["#{:02X}{:02X}{:02X}".format(*color) for color in colors] == COLORS
    assert [column["name"] for column in found["rat"]["fieldDefn"]] == [
        "Value",
        "Count",
        "Class",
        "Red",
        "Green",
        "Blue",
        "Alpha",
    ]
    assert [row["f"] for row in found["rat"]["row"]] == attributes(result)


@pytest.mark.heavy
def test_pictures_show_the_classes(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, indices)
    with rasterio.open(result.mask) as file:  # the sidecar holds where it lies
        assert file.crs.to_epsg() == 32640
        assert file.transform.almost_equals(from_origin(500_000, 2_700_000, 0.3, 0.3))
        rgba = file.read().transpose(1, 2, 0)
    colors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLORS], np.uint8)
    mapped = indices != 99
    np.testing.assert_array_equal(rgba[..., 3], np.where(mapped, 255, 0))
    np.testing.assert_array_equal(rgba[mapped][:, :3], colors[indices[mapped]])
    decoded, _ = decode_values(read_mask(result.mask), FakeModel().info.class_table)
    np.testing.assert_array_equal(decoded, np.where(mapped, indices, 255))
    with rasterio.open(result.overlay) as file:
        assert file.width >= 480
        assert file.height > 60
        assert file.count == 3


@pytest.mark.parametrize(
    ("dtype", "bands"), [(np.uint8, 3), (np.uint16, 3), (np.uint16, 13), (np.int32, 5)]
)
def test_large_scenes_give_small_pictures_in_pure_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: type, bands: int
) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 64)
    indices = np.kron(
        np.random.default_rng(0).integers(0, 5, (10, 6)), np.ones((20, 20), int)
    ).astype(dtype)
    scene = write_raster(tmp_path / "town.tif", np.repeat(indices[..., None], bands, axis=2))
    result = predict_scene(scene, FakeModel(bands=bands, dtype=np.dtype(dtype).name), tmp_path)
    with rasterio.open(result.mask) as file:
        assert (file.height, file.width) == (64, 38)
        assert file.bounds == pytest.approx((500_000, 2_699_940, 500_036, 2_700_000))
        found = {
            "#{:02X}{:02X}{:02X}".format(*color) for color in file.read([1, 2, 3]).reshape(3, -1).T
        }
    assert found <= set(COLORS)
    assert len(found) == 5


def test_without_crs_there_is_neither_sidecar_nor_area(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, np.where(indices == 99, 0, indices), ".png")
    assert result.report["area_m2"] is None
    assert not Path(f"{result.mask}.aux.xml").exists()
    assert pyogrio.read_info(result.polygons, layer="land_cover")["crs"] is None
    with rasterio.open(result.classes) as file:
        assert file.crs is None
        assert cog_validate(result.classes)[0]


def test_polygons_have_the_areas_of_the_report(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, indices)
    meta, _, _, fields = pyogrio.raw.read(result.polygons, layer="land_cover", read_geometry=False)
    table = dict(zip(meta["fields"], fields, strict=True))
    for name in NAMES:
        found = table["area_m2"][table["class"] == name].sum()
        # a map of blocks keeps its corners
        assert found == pytest.approx(result.report["area_m2"][name], rel=1e-3)


@pytest.mark.heavy
def test_all_files_of_a_map_are_drawn_in_map_colours(tmp_path: Path, indices: np.ndarray) -> None:
    model = FakeModel()
    model.info.classes = [
        c.model_copy(update={"map_color": f"#0{i}00FF"}) for i, c in enumerate(model.info.classes)
    ]
    drawn = {c.map_color for c in model.info.classes}
    scene = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    result = predict_scene(scene, model, tmp_path / "out", polygons=True)
    with rasterio.open(result.classes) as file:
        assert [file.colormap(1)[10 * i][:3] for i in range(5)] == [(i, 0, 255) for i in range(5)]
    _, _, _, fields = pyogrio.raw.read(
        result.polygons, layer="land_cover", columns=["color"], read_geometry=False
    )
    assert set(fields[0]) == drawn
    colors = read_mask(result.mask)[indices != 99][:, :3]
    np.testing.assert_array_equal(
        colors, np.stack([indices, 0 * indices, 255 + 0 * indices], -1)[indices != 99]
    )
    np.testing.assert_array_equal(
        decode_values(read_mask(result.mask), model.info.class_table)[0],
        np.where(indices == 99, 255, indices),
    )
    for file in (tmp_path / "out").iterdir():
        content = file.read_bytes().decode("latin-1").upper()
        assert not [c for c in COLORS if c in content], file
    style = result.classes.with_suffix(".qml").read_text()
    assert all(color.lower() in style for color in drawn)
    legend = draw_legend(model.info.class_table, dict.fromkeys(NAMES, 0.2), 768)
    assert all((legend == (i, 0, 255)).all(axis=2).any() for i in range(5))


def test_legend_has_every_colour_and_the_width_asked_for() -> None:
    class_table, shares = FakeModel().info.class_table, dict.fromkeys(NAMES, 0.2)
    wide, narrow = draw_legend(class_table, shares, 768), draw_legend(class_table, shares, 300)
    assert narrow.shape[0] > wide.shape[0]
    assert [
        draw_legend(class_table, shares, width).shape[1] for width in range(1000, 1020)
    ] == list(range(1000, 1020))
    for color in COLORS:
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (wide == rgb).all(axis=2).any()
        assert (narrow == rgb).all(axis=2).any()


FULL_DISK = """
import resource, sys
from pathlib import Path
from segment.core.choices import PolygonFormat
from segment.core.errors import InputError
from segment.mapping.predict import predict_scene
from tests.fakes import FakeModel
import matplotlib.font_manager, cv2, pyogrio
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    predict_scene(Path(sys.argv[1]), FakeModel(), Path(sys.argv[2]), polygons=True, confidence=True)
except InputError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_full_disk_is_an_error_and_leaves_no_outputs(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 5, (300, 200, 1), np.uint8)
    scene = write_raster(tmp_path / "town.tif", noise)
    for limit in (100, 5_000, 20_000, 30_000, 60_000, 110_000):
        command = [sys.executable, "-c", FULL_DISK, str(scene), str(tmp_path / "out"), str(limit)]
        run = subprocess.run(
            command, capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=60
        )
        assert run.returncode == 2, (limit, run)
        assert re.fullmatch(".*cannot be written completely.*\n", run.stdout), (limit, run)
        assert [p.name for p in tmp_path.rglob("*") if not re.search(r"/out(/\.|$)", str(p))] == [
            "town.tif"
        ], limit


def test_colours_of_ones_own_are_those_of_all_files(tmp_path: Path, indices: np.ndarray) -> None:
    file = tmp_path / "own.yaml"
    own = {name: f"#0{i}00FF" for i, name in enumerate(NAMES)}
    del own["water"]
    entries = "".join(f'- {{name: {name.upper()}, color: "{own[name]}"}}\n' for name in own)
    file.write_text(entries)
    drawn = own | {"water": COLORS[-1]}
    scene = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    result = predict_scene(scene, FakeModel(), tmp_path / "out", polygons=True, colors=file)
    with rasterio.open(result.classes) as raster:
        found = [raster.colormap(1)[10 * i][:3] for i in range(5)]
        assert (raster.read(1) == np.where(indices == 99, 255, indices * 10)).all()
    assert ["#{:02X}{:02X}{:02X}".format(*color) for color in found] == list(drawn.values())
    _, _, _, fields = pyogrio.raw.read(
        result.polygons, layer="land_cover", columns=["color"], read_geometry=False
    )
    assert set(fields[0]) == set(drawn.values())
    with rasterio.open(result.mask) as raster:
        mask = raster.read([1, 2, 3]).transpose(1, 2, 0)[indices != 99]
    assert {"#{:02X}{:02X}{:02X}".format(*color) for color in np.unique(mask, axis=0)} == set(
        drawn.values()
    )
    assert result.report["settings"]["colors"] == drawn
    assert "own.yaml does not name water: drawn in the colours of the model." in repr(result)
    for path in (result.classes.with_suffix(".qml"), result.page):
        content = path.read_text(encoding="utf-8").upper()
        assert all(color in content for color in drawn.values())
        assert not [color for color in COLORS[:-1] if color in content]


def test_other_colours_go_on_with_the_rows_of_a_stopped_map(
    tmp_path: Path, indices: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    own = ClassTable([Class(name=NAMES[0], color="#FF00FF")])

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr("segment.mapping.scene.write_pictures", stop)
        predict_scene(scene, FakeModel(), tmp_path / "out")
    model = FakeModel()
    result = predict_scene(scene, model, tmp_path / "out", colors=own)
    assert model.tiles == 0
    with rasterio.open(result.classes) as raster:
        assert raster.colormap(1)[0][:3] == (255, 0, 255)
    again = predict_scene(scene, model, tmp_path / "out", colors=own)
    assert again.report["notes"][-1] == "The files existed already; nothing was computed."
    with pytest.raises(InputError, match="exists. Add --overwrite"):  # it has other colours
        predict_scene(scene, model, tmp_path / "out")


def test_a_map_without_its_page_is_not_finished(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, indices)
    result.page.unlink()
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        map_it(tmp_path, indices)


def test_the_report_names_moment_version_and_settings(tmp_path: Path, indices: np.ndarray) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    result = map_it(tmp_path, indices)
    report = json.loads(result.report_file.read_text())
    assert before <= datetime.fromisoformat(report["created"]) <= datetime.now(UTC)
    assert report["version"] == version("aerial-segment")
    wanted = {"confidence": True, "polygons": "gpkg", "min_area": 0, "gsd": None, "factor": 1}
    wanted |= {"bands": [1], "nodata": None, "tile": 96, "augment": False, "truth": None}
    assert {name: report["settings"][name] for name in wanted} == wanted


def test_all_files_are_listed(tmp_path: Path, indices: np.ndarray) -> None:
    result = map_it(tmp_path, indices)
    text = repr(result)
    listed = re.split(r",\s+|\n\s+", text[text.index("-> ") + 3 :])
    assert sorted(listed) == sorted(str(p) for p in result.classes.parent.iterdir())
    assert listed[0] == str(result.classes)
    assert {Path(name).name for name in listed} <= set(
        output_names(Source(tmp_path / "town.tif"), tmp_path / "out", MapOptions(), [])
    )


def test_an_earlier_map_may_have_polygons_of_any_format(tmp_path: Path) -> None:
    names = output_names(Source(tmp_path / "town.tif"), tmp_path, MapOptions(), [])
    assert {f"town.{name}" for name in get_args(PolygonFormat)} <= {*names}
    assert len(names) == len({*names}) and names[0] == "town_classes.tif"


def test_the_style_of_confidence_covers_all_probabilities(
    tmp_path: Path, indices: np.ndarray
) -> None:
    result = map_it(tmp_path, indices)
    style = ElementTree.parse(result.confidence.with_suffix(".qml"))
    renderer = style.find("pipe/rasterrenderer")
    assert (renderer.get("type"), renderer.get("band")) == ("singlebandpseudocolor", "1")
    items = renderer.findall("rastershader/colorrampshader/item")
    assert [float(item.get("value")) for item in items] == [0, 0.25, 0.5, 0.75, 1]
    assert [items[0].get("label"), items[-1].get("label")] == ["0 %", "100 %"]


def test_the_key_of_a_signed_address_is_in_no_output(tmp_path: Path, indices: np.ndarray) -> None:
    file = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    signed = {"dirname": "signed", "filename": "town.tif?sig=SECRET"}
    with rasterio.MemoryFile(file.read_bytes(), **signed) as scene:
        result = predict_scene(scene.name, FakeModel(), tmp_path / "out", polygons=True, suggest=1)
    assert result.report["scene"] == "town.tif" and result.classes.name == "town_classes.tif"
    for written in (tmp_path / "out").iterdir():
        assert b"SECRET" not in written.read_bytes(), written


def test_options_that_do_nothing_are_reported(tmp_path: Path, indices: np.ndarray) -> None:
    scene = write_raster(tmp_path / "town.tif", indices[..., None], nodata=99)
    model, options = FakeModel(), {"min_area": 2.0, "boundary_width": 5}
    notes = predict_scene(scene, model, tmp_path / "plain", **options).report["notes"]
    assert sum("is not used, as" in note for note in notes) == 2
    truth = write_raster(tmp_path / "truth.tif", np.minimum(indices, 4)[..., None] * 10)
    options |= {"truth": truth, "polygons": True}
    notes = predict_scene(scene, model, tmp_path / "used", **options).report["notes"]
    assert not any("is not used" in note for note in notes)

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from segment.core.errors import InputError
from segment.core.raster.georeference import read_projection
from segment.core.raster.info import MOST_BANDS
from segment.core.raster.opening import open_raster
from tests.conftest import write_raster
from tests.tiffs import BANDS, PLANAR, write_tiff


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("size", [32, 256])
def test_a_file_that_was_cut_off_is_an_error_and_not_a_picture(tmp_path, name, size):
    pixels = np.random.default_rng(0).integers(0, 255, (size, size, 3)).astype(np.uint8)
    whole = write_raster(tmp_path / name, pixels).read_bytes()
    for share in (0.02, 0.1, 0.5, 0.9, 0.99):
        cut = tmp_path / f"cut-{share}{name[1:]}"
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="cut-"), open_raster(cut) as raster:
            raster.read()


def test_a_name_that_the_system_refuses_is_an_error_that_names_it(tmp_path):
    with (
        pytest.raises(InputError, match=r"aaa\.tif: no such file"),
        open_raster(tmp_path / f"{'a' * 300}.tif"),
    ):
        pass


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logarithms_of_colours_are_not_read_as_colours(tmp_path, dtype):
    """OpenCV before 5 writes floats of three bands so, unless another compression is asked for."""
    pixels, file = np.random.default_rng(0).random((8, 9, 3)), tmp_path / "a.tif"
    logarithms = [cv2.IMWRITE_TIFF_COMPRESSION, 34676] if dtype == "float32" else []
    cv2.imwrite(str(file), pixels.astype(dtype), logarithms)
    if dtype == "float32":
        with pytest.raises(InputError, match=r"a\.tif: stores logarithms"), open_raster(file):
            pass
        cv2.imwrite(str(file), pixels.astype(dtype), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    with open_raster(file) as raster:
        assert (raster.read()[0][..., ::-1] == pixels.astype(dtype)).all()


class Counted:
    """A dataset that notes what it is asked for."""

    def __init__(self, dataset, asked):
        self._dataset, self._asked = dataset, asked

    def __getattr__(self, name):
        self._asked.append(name)
        return getattr(self._dataset, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._dataset.close()


@pytest.fixture
def asked(monkeypatch):
    """What datasets that are opened are asked for."""
    names, open_dataset = [], rasterio.open
    monkeypatch.setattr(rasterio, "open", lambda *a, **k: Counted(open_dataset(*a, **k), names))
    return names


@pytest.mark.parametrize("planar", [1, 2])
def test_reading_a_header_asks_no_more_of_many_bands(tmp_path, asked, planar):
    """Each property of a dataset is a walk over its bands."""
    found = []
    for bands in (1, 40, 426, MOST_BANDS):
        path = write_tiff(tmp_path / f"{bands}.tif", {BANDS: bands, PLANAR: planar})
        with open_raster(path) as raster:
            assert len(raster.bands) == bands and raster.info.bands == bands
            assert (
                raster.block_bytes == bands
                and len(raster.identity) == 9
                and len(raster.descriptions) == bands
            )
        found.append(sorted(asked))
        asked.clear()
    assert all(names == found[0] for names in found) and len(found[0]) < 40


@pytest.mark.parametrize("bands", [MOST_BANDS + 1, 30_000, 65_535])
@pytest.mark.parametrize(
    "options", [{}, {"bands": (1, 2, 3)}, {"factor": 0.5}, {"driver": "GTiff"}]
)
def test_more_bands_than_a_file_may_have_are_refused_before_any_is_asked_for(
    tmp_path, asked, bands, options
):
    path = write_tiff(tmp_path / "many.tif", {BANDS: bands})
    assert path.stat().st_size < 140
    with (
        pytest.raises(
            InputError, match=f"declares {bands:,} bands, at most 4,096 are read. Extract"
        ),
        open_raster(path, **options),
    ):
        pass
    assert set(asked) == {"count"}


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_a_file_of_several_images_says_that_one_of_them_is_read(tmp_path, pages):
    path = tmp_path / "pages.tif"
    for page in range(pages):
        write_raster(
            path,
            np.full((3, 16, 16), page, np.uint8),
            **({"APPEND_SUBDATASET": "YES"} if page else {}),
        )
    with open_raster(path) as raster:
        assert raster.notes == (
            [f"The file holds {pages} images, and one is read. Another is GTIFF_DIR:{pages}:{path}"]
            if pages > 1
            else []
        )
        assert not raster.read()[0].any()


ESRI = (
    'PROJCS["WGS_1984_UTM_Zone_32N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",'
    '6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["Degree",0.0174532925199433]],PROJECTION'
    '["Transverse_Mercator"],PARAMETER["False_Easting",500000],PARAMETER["False_Northing",0],'
    'PARAMETER["Central_Meridian",9],PARAMETER["Scale_Factor",0.9996],PARAMETER['
    '"Latitude_Of_Origin",0],UNIT["Meter",1]]'
)


@pytest.mark.parametrize(
    ("name", "world"), [("a.png", "a.pgw"), ("b.c.jpg", "b.c.jgw"), ("d.png", "d.wld")]
)
def test_the_crs_of_a_picture_with_a_world_file_is_that_of_its_prj(tmp_path, name, world):
    scene = write_raster(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    projection = scene.with_suffix(".prj")
    projection.write_text(ESRI)
    with open_raster(scene) as raster:
        assert raster.crs is None and not raster.notes  # without a place, a CRS means nothing
    (tmp_path / world).write_text("0.5\n0\n0\n-0.5\n600000\n5000000\n")
    for factor in (1.0, 0.5):
        with open_raster(scene, factor=factor) as raster:
            assert raster.crs == CRS.from_epsg(32632)
            assert raster.ground_sampling_distance == pytest.approx(0.5 / factor, rel=1e-3)
            assert raster.notes == [f"Its CRS is that of {projection.name} beside it: EPSG:32632."]
    projection.write_text("Projection UTM\nZone 32\n")
    with open_raster(scene) as raster:
        assert raster.crs is None and "holds no CRS that is understood" in raster.notes[0]
    projection.rename(projection.with_suffix(".PRJ")).write_text(ESRI)
    with open_raster(scene) as raster:
        assert raster.crs == CRS.from_epsg(32632)
    scene.with_suffix(".shp").touch()
    with open_raster(scene) as raster:
        assert raster.crs is None and not raster.notes


def test_a_prj_does_not_overrule_the_crs_of_a_file(tmp_path):
    scene = write_raster(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint8))
    scene.with_suffix(".prj").write_text(ESRI)
    with open_raster(scene) as raster:
        assert raster.crs == CRS.from_epsg(32640) and not raster.notes


def test_a_name_that_no_file_can_have_has_no_projection():
    assert read_projection("NETCDF:" + 300 * "a") == (None, None)

"""Maps of images in memory equal those of files with the same pixels, bit for bit."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.testing import assert_array_equal, assert_equal
from PIL import Image

import segment
from segment.core.errors import InputError
from segment.core.progress import Silent
from segment.map_outputs.image_map import ImageMap
from segment.mapping.arrays import predict_array
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_probabilities, predict_window
from tests.conftest import write_raster
from tests.fakes import FakeModel, PlaceModel

PLACE = {"crs": "EPSG:32640", "transform": Affine(0.3, 0, 500_000, 0, -0.3, 2_700_000)}
SIZES = [(64, 96), (33, 70), (20, 13), (1, 1), (97, 32), (1, 70)]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)


def noise(height: int = 50, width: int = 90, bands: int = 3, hole: bool = True) -> np.ndarray:
    """Noise without zeros, but for a rectangle of zeros."""
    pixels = np.random.default_rng(height).integers(1, 255, (height, width, bands), np.uint8)
    pixels[height // 5 : height // 2, width // 4 : width // 2] *= not hole
    return pixels


def assert_same(found: ImageMap, scene: Path, model: FakeModel, **options: Any) -> None:
    """Asserts that a map is what the file gives: the map itself, and the probabilities."""
    labels = np.asarray(found.labels)
    assert_array_equal(labels, predict_window(scene, model, **options))
    written = predict_scene(scene, model, scene.parent / "maps", overwrite=True, **options)
    with rasterio.open(written.classes) as file:
        assert_array_equal(labels, file.read(1))
    expected = predict_probabilities(scene, model, **options)
    assert found.probabilities.dtype == np.float32
    assert_array_equal(found.probabilities, expected)


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("augment", [False, True])
def test_arrays_are_mapped_as_files(tmp_path: Path, height: int, width: int, augment: bool) -> None:
    pixels, model = noise(height, width), PlaceModel(bands=3)
    scene = write_raster(tmp_path / "scene.tif", pixels, nodata=0)
    found = predict_array(pixels, model, probabilities=True, nodata=0, augment=augment, **PLACE)
    assert_same(found, scene, model, augment=augment)
    plain = write_raster(tmp_path / "scene.png", pixels)  # without a georeference
    found = predict_array(pixels, model, probabilities=True, augment=augment)
    assert_same(found, plain, model, augment=augment)


@pytest.mark.heavy
@pytest.mark.parametrize("gsd", [0.1, 0.3, 1.7])
@pytest.mark.parametrize("nodata", [None, 0])
def test_resampled_arrays_are_mapped_as_files(
    tmp_path: Path, gsd: float, nodata: int | None
) -> None:
    model = PlaceModel(bands=3, ground_sampling_distance=0.3, ground_sampling_range=(0.2, 0.5))
    pixels = noise(61, 45)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    for place in ({}, PLACE):
        path = scene if place else write_raster(tmp_path / "plain.png", pixels)
        found = predict_array(pixels, model, probabilities=True, nodata=nodata, gsd=gsd, **place)
        assert_same(found, path, model, gsd=gsd, nodata=nodata)


def test_a_masked_array_and_a_mask_hide_the_same_pixels_as_nodata(tmp_path: Path) -> None:
    pixels, model = noise(), PlaceModel(bands=3)
    pixels[0, 0, 0] = 0  # valid: not all bands are nodata
    expected = predict_array(pixels, model, nodata=0, probabilities=True)
    empty = (pixels == 0).all(axis=2)
    given: list[tuple[np.ndarray, Any]] = [
        (np.ma.masked_equal(pixels, 0), None),
        (pixels, empty),
        (pixels, empty[..., None]),
        (np.ma.masked_array(pixels, np.repeat(empty[..., None], 3, axis=2)), empty),
    ]
    for image, nodata in given:
        found = predict_array(image, model, nodata=nodata, probabilities=True)
        assert_array_equal(found.labels, expected.labels)
        assert_array_equal(found.probabilities, expected.probabilities)
    assert (expected.labels == 255).sum() == empty.sum() > 0
    nothing = np.ma.masked_array(pixels, mask=False)
    assert (predict_array(nothing, model).labels != 255).all()


def test_a_mask_holds_where_the_image_is_resampled(tmp_path: Path) -> None:
    model = PlaceModel(bands=3, ground_sampling_distance=0.3, ground_sampling_range=(0.2, 0.5))
    pixels = noise(61, 45)
    empty = (pixels == 0).all(axis=2)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(scene, "r+") as file:
        file.write_mask(~empty)
    found = predict_array(pixels, model, probabilities=True, nodata=empty, gsd=1.0, **PLACE)
    assert_same(found, scene, model, gsd=1.0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pil_images_are_mapped_as_their_files(tmp_path: Path, mode: str) -> None:
    pixels, model = noise(), PlaceModel(bands=3)
    if mode == "RGBA":
        pixels = np.dstack([pixels, np.where(pixels[..., 0] == 0, 0, 255).astype(np.uint8)])
    path = tmp_path / "scene.png"
    Image.fromarray(pixels).save(path)
    found = predict_array(Image.open(path), model, probabilities=True)
    assert_same(found, path, model)
    assert bool(found.notes) == (mode == "RGBA")
    same = predict_array(pixels, model)  # four bands of 8 bits: the last is alpha
    assert_array_equal(same.labels, found.labels)


def test_pil_images_are_turned_upright_and_palettes_become_colours(tmp_path: Path) -> None:
    pixels, model = noise(hole=False), PlaceModel(bands=3)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x112] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    found = predict_array(Image.open(tmp_path / "turned.png"), model, probabilities=True)
    assert found.labels.shape == (90, 50)
    assert_same(found, tmp_path / "turned.png", model)
    few = Image.fromarray(pixels // 64 * 64).convert("P", palette=Image.Palette.ADAPTIVE)
    found = predict_array(few, model)
    assert "palette" in found.notes[0]
    expected = predict_array(np.asarray(few.convert("RGB")), model)
    assert_array_equal(found.labels, expected.labels)


@pytest.mark.heavy
@pytest.mark.parametrize("dtype", ["uint16", "int16", ">u2", "float32", "float64", "float16"])
def test_types_and_layouts_of_arrays(tmp_path: Path, dtype: str) -> None:
    pixels = noise().astype(dtype)
    read = {">u2": "uint16", "float16": "float32"}.get(dtype, dtype)
    model = PlaceModel(bands=3, dtype="float32" if "f" in dtype else read)
    scene = write_raster(tmp_path / "scene.tif", pixels.astype(read))
    for image in (pixels, np.asfortranarray(pixels), pixels[::-1][::-1]):
        assert_same(predict_array(image, model, probabilities=True, **PLACE), scene, model)


def test_bands_are_chosen_and_grey_arrays_have_one(tmp_path: Path) -> None:
    pixels, model = noise(bands=5), PlaceModel(bands=3)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    found = predict_array(pixels, model, probabilities=True, bands=[4, 2, 1], **PLACE)
    assert_same(found, scene, model, bands=[4, 2, 1])
    grey = predict_array(pixels[..., 0], FakeModel())
    assert_array_equal(grey.labels, np.minimum(pixels[..., 0], 4) * 10)
    assert_array_equal(
        predict_array(pixels[..., 0], model, bands=[1, 1, 1]).labels,
        predict_array(np.repeat(pixels[..., :1], 3, axis=2), model).labels,
    )


def test_paths_and_open_datasets_are_mapped_into_memory(tmp_path: Path) -> None:
    pixels, model = noise(), PlaceModel(bands=3)
    scene = write_raster(tmp_path / "scene.tif", pixels)
    assert_same(predict_array(scene, model, probabilities=True, nodata=0), scene, model, nodata=0)
    with rasterio.open(scene) as dataset:
        assert_same(predict_array(dataset, model, probabilities=True), scene, model)
    within = predict_array(scene, model, probabilities=True, nodata=(0, 40))
    assert_same(within, scene, model, nodata=(0, 40))
    for given in ({"crs": "EPSG:32640"}, {"nodata": np.zeros((50, 90), bool)}):
        with pytest.raises(InputError, match="for arrays"):
            predict_array(scene, model, **given)


U8 = np.zeros((40, 40, 3), np.uint8)
WRONG: list[tuple[Any, str]] = [
    (None, "received None.*cv2.imread.*check the path"),
    ([[1, 2], [3, 4]], "a list, not an array. Give np.array"),
    ([U8, U8], "a list, not an array. Give one at a time"),
    (np.stack([U8, U8]), r"\(2, 40, 40, 3\) is a batch of images. Give one at a time"),
    (U8.transpose(2, 0, 1), r"bands first.*Give image.transpose\(1, 2, 0\)"),
    (U8[0, 0], "2 or 3 dimensions"),
    (U8[:0], "holds no pixel"),
    (U8[..., :2], "Received 2 bands of uint8. Give an image of 3 bands"),
    (np.full((9, 9, 3), 0.5), r"float64 with values of 0.5 to 0.5.*\(image \* 255\).round"),
    (np.full((9, 9, 3), 200.0), r"image.astype\(np.uint8\)"),
    (np.full((9, 9, 3), 200), r"int64 with values of 200 to 200.*image.astype\(np.uint8\)"),
    (np.full((9, 9, 3), 4000, np.uint16), "4000 to 4000. Scale it as in training, to 0 to 255"),
    (np.full((9, 9, 3), np.nan), "3 bands of float64. "),
    (U8 > 0, "type bool cannot be read. A mask goes to nodata="),
    (U8 * 1j, "type complex128 cannot be read"),
    (np.array([["a"]]), "cannot be read"),
    (7, r"received 7 \(int\). Give an array"),
    (Image.fromarray(U8).convert("CMYK"), r'mode CMYK are not read.*convert\("RGB"\)'),
    (U8[..., 0] / 2, r"reads 3 bands of uint8 \(0 to 255\). Received 1 band.*bands=\[1, 1, 1\]"),
]


@pytest.mark.parametrize(("image", "message"), WRONG)
def test_what_is_no_image_of_the_model_is_refused_in_a_line(image: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        predict_array(image, PlaceModel(bands=3), scale="never")
    assert "vsimem" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (U8[..., 0], "grey"),
        (np.zeros((40, 40, 7), np.uint8), "bands 1,2,3"),
        (Image.fromarray(U8).convert("L"), "grey"),
        (np.full((9, 9, 3), 4000, np.uint16), "8 bits"),
        (noise().astype(np.float32) / 255, "8 bits"),
    ],
)
def test_what_is_assumed_of_an_image_is_a_note(image: Any, note: str) -> None:
    assert any(note in line for line in predict_array(image, PlaceModel(bands=3)).notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodata": "x"}, "Give a value, a range .lowest, highest., or a boolean mask"),
        ({"nodata": U8[..., 0]}, "uint8.*boolean mask"),
        ({"nodata": np.zeros((3, 3), bool)}, r"shape \(3, 3\), the image \(40, 40\)"),
        ({"crs": "EPSG:1", "transform": PLACE["transform"]}, "crs is not known"),
        ({"crs": "EPSG:32640"}, "crs without a transform"),
        ({"transform": 3}, "not an affine transform"),
        ({"bands": [4, 1, 2]}, "image: file has 3 bands"),
        ({"bands": [1]}, "Received 1 band"),
        ({"bands": "1,2,3"}, "image: file has 3 bands, asked for are .*Choose from 1 to 3"),
        ({"bands": [1.0, 2.0, 3.0]}, "image: file has 3 bands, asked for are .*Choose from 1 to 3"),
        ({"tile": 33}, "multiple of 8"),
        ({"resample": True}, "image: --resample needs pixel sizes"),
    ],
)
def test_wrong_options_are_refused_in_a_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict_array(U8, PlaceModel(bands=3), **options)


def test_a_truncated_pil_image_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(buffer, "PNG")
    broken = Image.open(io.BytesIO(buffer.getvalue()[:4000]))
    closed = Image.fromarray(noise())
    closed.close()
    for image in (broken, closed):
        with pytest.raises(InputError, match="image: cannot be decoded"):
            predict_array(image, PlaceModel(bands=3))


def test_the_result_names_its_classes_and_draws_itself() -> None:
    pixels = np.full((30, 40, 1), 2, np.uint8)
    pixels[:15] = 4
    seen: list[tuple[int, int]] = []

    class Recorded(Silent):
        def advance(self, task: str, done: int, total: int, note: str = "") -> None:
            seen.append((done, total))

    found = predict_array(pixels, FakeModel(), nodata=2, progress=Recorded())
    assert seen[-1][0] == seen[-1][1] > 0
    assert found.classes == ["building", "land", "road", "vegetation", "water"]
    assert found.values["water"] == 40 and found.pixels["water"] == 600
    assert found.shares["water"] == 1 and found.probabilities is None
    assert "water       100.0 %" in repr(found)
    html = found._repr_html_()
    assert "<td" in html and "600" in html and "data:image/png;base64," in html
    axes = found.plot()
    assert "40 x 30" in axes.get_title()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["water  100.0 %"]
    assert found.plot(axes) is axes
    shown = axes.images[0].get_array()
    assert (shown[20, 20] == 235).all()  # nodata is grey
    large = predict_array(np.ones((30, 3000), np.uint8), FakeModel())
    noted = replace(found, notes=["Warning: The scene is grey.", "Pixels are 1 m."])
    assert repr(noted).endswith("\nWarning: The scene is grey.\nNote: Pixels are 1 m.")
    assert large.photograph.shape == (10, 1024, 3) and large.plot() is not None


def test_the_scene_map_draws_itself(tmp_path: Path) -> None:
    pixels = noise(1, 1)
    for size in ((50, 90), (1, 1), (700, 3)):
        pixels = noise(*size)
        scene = write_raster(tmp_path / "a_<b>.tif", pixels)
        found = predict_scene(scene, PlaceModel(bands=3), tmp_path / str(size), truth=None)
        html = found._repr_html_()
        kind = "jpeg" if max(size) > 480 else "png"  # JPEG where it is reduced
        assert "a_&lt;b&gt;.tif" in html and f"data:image/{kind}" in html and "m²" in html
        axes = found.plot()
        assert axes.images[0].get_array().shape == (*size, 3)
        assert axes.get_legend() is not None
    found.overlay.unlink()
    assert "data:image" not in found._repr_html_() and "water" in found._repr_html_()
    with pytest.raises(InputError, match="cannot be read. Map the scene again"):
        found.plot()


def test_windows_have_the_bundled_model_and_the_whole_scene_as_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, model = write_raster(tmp_path / "scene.tif", noise()), PlaceModel(bands=3)
    whole = predict_window(scene, model)
    assert whole.shape == (50, 90)
    assert_array_equal(predict_window(scene, model, top=20, left=11), whole[20:, 11:])
    assert_array_equal(predict_window(scene, model, 5, 6, 7, 8), whole[5:12, 6:14])
    with pytest.raises(InputError, match="The window is not inside"):
        predict_window(scene, model, top=50)
    with pytest.raises(InputError, match="whole numbers: .* Received 1.5, 0, None, None"):
        predict_window(scene, model, top=1.5)
    asked: list[object] = []
    for name in ("window", "arrays"):

        def load(folder: object, *_: object) -> FakeModel:
            asked.append(folder)
            return model

        monkeypatch.setattr(f"segment.mapping.{name}.load_model", load)
    for call in (predict_window, predict_probabilities, predict_array):
        call(scene)
    assert asked == [segment.bundled.BUNDLED] * 3


@pytest.fixture
def open_rasterio() -> Callable[..., Any]:
    """rioxarray.open_rasterio; tests are skipped without it."""
    pytest.importorskip("xarray")
    found: Callable[..., Any] = pytest.importorskip("rioxarray").open_rasterio
    return found


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("order", [("band", "y", "x"), ("x", "band", "y"), ("y", "x", "band")])
def test_data_arrays_are_mapped_as_their_files(
    tmp_path: Path, open_rasterio: Callable[..., Any], masked: bool, order: tuple[str, ...]
) -> None:
    model = PlaceModel(bands=3)
    scene = write_raster(tmp_path / "scene.tif", noise(), nodata=0)
    image = open_rasterio(scene, masked=masked).transpose(*order)
    found = predict_array(image, model, probabilities=True)
    labels, probabilities = found.labels, found.probabilities
    assert_array_equal(labels, predict_window(scene, model))
    expected = predict_probabilities(scene, model)
    assert_array_equal(probabilities.transpose("y", "x", "class"), expected)
    assert labels.dims == ("y", "x") and probabilities.dims == ("class", "y", "x")
    assert probabilities["class"].values.tolist() == found.classes == labels.attrs["classes"]
    assert labels.attrs["flag_values"].tolist() == [0, 10, 20, 30, 40]
    labels.rio.to_raster(tmp_path / "labels.tif")
    probabilities.rio.to_raster(tmp_path / "probabilities.tif")
    for name, count, nodata in (("labels", 1, 255), ("probabilities", 5, np.nan)):
        with rasterio.open(tmp_path / f"{name}.tif") as file, rasterio.open(scene) as original:
            assert file.crs == original.crs and file.count == count
            assert file.transform.almost_equals(original.transform)
            assert_equal(file.nodata, nodata)
    assert "<td" in found._repr_html_() and found.plot() is not None


@pytest.mark.parametrize("gsd", [None, 0.1, 2.0])
def test_slices_of_data_arrays_are_mapped_as_their_windows(
    tmp_path: Path, open_rasterio: Callable[..., Any], gsd: float | None
) -> None:
    model = PlaceModel(bands=3, ground_sampling_distance=0.3, ground_sampling_range=(0.2, 0.5))
    pixels = noise(hole=False)
    whole = write_raster(tmp_path / "scene.tif", pixels)
    place = PLACE["transform"] @ Affine.translation(11, 7)
    scene = write_raster(tmp_path / "part.tif", pixels[7:40, 11:80], transform=place)
    part = open_rasterio(whole).isel(y=slice(7, 40), x=slice(11, 80))
    found = predict_array(part, model, probabilities=True, gsd=gsd)
    assert_array_equal(found.labels, predict_window(scene, model, gsd=gsd))
    assert found.labels.rio.transform().almost_equals(place)
    every_other = open_rasterio(whole)[:, ::2, ::2]
    transform = predict_array(every_other, model).labels.rio.transform()
    assert transform.a == pytest.approx(0.6) and transform.c == pytest.approx(500_000 - 0.15)


def test_a_mask_hides_more_than_the_nodata_of_a_data_array(
    tmp_path: Path, open_rasterio: Callable[..., Any]
) -> None:
    pixels, mask = noise(), np.zeros((50, 90), bool)
    mask[:, 80:] = True
    image = open_rasterio(write_raster(tmp_path / "scene.tif", pixels, nodata=0))
    labels = np.asarray(predict_array(image, PlaceModel(bands=3), nodata=mask).labels)
    assert_array_equal(labels == 255, mask | (pixels == 0).all(axis=2))


def test_data_arrays_without_a_georeference_or_of_other_dimensions(
    open_rasterio: Callable[..., Any],
) -> None:
    import xarray

    pixels, model = noise(), PlaceModel(bands=3)
    expected = predict_array(pixels, model, nodata=0).labels
    plain = xarray.DataArray(pixels, dims=("y", "x", "colour"))
    for image in (plain, plain.expand_dims("time"), plain.rename(y="latitude", x="longitude")):
        assert_array_equal(predict_array(image, model, nodata=0).labels, expected)
    named = plain.rename(y="row", x="column").rio.set_spatial_dims("column", "row")
    assert predict_array(named, model, nodata=0).labels.dims == ("row", "column")
    grey = plain.isel(colour=0)
    assert predict_array(grey, FakeModel()).labels.shape == (50, 90)
    scaled = plain.astype("float32") / 255
    scaled.encoding = {"rasterio_dtype": "uint8", "_FillValue": 0}
    for image, message in (
        (plain.rename(y="row"), "no dimensions y and x"),
        (xarray.concat([plain, plain], "time"), r"Give one image at a time: image.isel\(time=0\)"),
        (plain.to_dataset(name="scene"), "a Dataset with the variables scene. Give one DataArray"),
        (plain.transpose("colour", "y", "x")[:, :0], "holds no pixel"),
        (scaled, r"image.drop_encoding\(\)"),
    ):
        with pytest.raises(InputError, match=message):
            predict_array(image, model)
    with pytest.raises(InputError, match=r"\(image \* 255\).round"):
        predict_array(plain / 255, model, scale="never")


def test_uneven_coordinates_are_refused(tmp_path: Path, open_rasterio: Callable[..., Any]) -> None:
    file = write_raster(tmp_path / "scene.tif", noise(), **PLACE)
    image = open_rasterio(file)
    places = image.y.values.copy()
    places[20:] -= 30  # strips of two flights, with a gap
    with pytest.raises(InputError, match="coordinates 'y' are not evenly spaced"):
        predict_array(image.assign_coords(y=places), FakeModel(3))
    near = image.assign_coords(y=image.y.values + np.random.default_rng(0).uniform(-1e-4, 1e-4, 50))
    assert_array_equal(
        predict_array(near, FakeModel(3)).labels, predict_array(image, FakeModel(3)).labels
    )


def test_data_arrays_of_dask_are_computed_strip_by_strip(
    tmp_path: Path, open_rasterio: Callable[..., Any]
) -> None:
    pytest.importorskip("dask")
    model = PlaceModel(bands=3)
    scene = write_raster(tmp_path / "scene.tif", noise(600, 40))
    image = open_rasterio(scene, chunks={"y": 100})
    found = predict_array(image, model)
    assert_array_equal(found.labels, predict_window(scene, model))


@pytest.mark.parametrize("part", [(0, 50, 0, 90), (7, 40, 11, 80), (7, 8, 11, 80), (7, 40, 11, 12)])
def test_parts_of_rotated_data_arrays_keep_their_place(
    tmp_path: Path, open_rasterio: Callable[..., Any], part: tuple[int, ...]
) -> None:
    top, bottom, left, right = part
    turned = PLACE["transform"] @ Affine.rotation(30)
    image = open_rasterio(write_raster(tmp_path / "s.tif", noise(), transform=turned))
    cut = image.isel(y=slice(top, bottom), x=slice(left, right))
    labels = predict_array(cut, PlaceModel(bands=3)).labels
    labels.rio.to_raster(tmp_path / "labels.tif")
    with rasterio.open(tmp_path / "labels.tif") as file:
        assert file.transform.almost_equals(turned @ Affine.translation(left, top), 1e-6)
    flipped = predict_array(cut[:, ::-1], PlaceModel(bands=3)).labels
    expected = turned @ Affine.translation(left, bottom) @ Affine.scale(1, -1)
    if bottom - top > 1:
        assert flipped.rio.transform().almost_equals(expected, 1e-6)


@pytest.mark.parametrize(
    "place", [Affine(0.6, 0, 7, 0, -0.6, 9), Affine(0.6, 0.2, 7, 0.2, -0.6, 9)]
)
def test_a_georeference_that_is_given_with_a_data_array_is_that_of_its_labels(
    tmp_path: Path, open_rasterio: Callable[..., Any], place: Affine
) -> None:
    import xarray

    pixels, model = noise(), PlaceModel(bands=3)
    expected = predict_array(pixels, model, crs=32639, transform=place).labels
    plain = xarray.DataArray(pixels, dims=("y", "x", "colour"))
    placed = open_rasterio(write_raster(tmp_path / "scene.tif", pixels, **PLACE))
    for image in (plain, placed, plain.assign_coords(x=range(90), y=range(50))):
        found = predict_array(image, model, crs=32639, transform=place, probabilities=True)
        assert_array_equal(found.labels, expected)
        for made in (found.labels, found.probabilities):
            made.rio.to_raster(tmp_path / "made.tif")
            with rasterio.open(tmp_path / "made.tif") as file:
                assert file.crs == 32639 and file.transform.almost_equals(place, 1e-9)
    only_crs = predict_array(placed, model, crs=32639).labels.rio
    assert only_crs.crs == 32639 and only_crs.transform().almost_equals(PLACE["transform"])


def test_bands_that_a_data_array_names_are_no_alpha(open_rasterio: Callable[..., Any]) -> None:
    import xarray

    pixels, model = noise(hole=False), PlaceModel(bands=3)
    red = np.where(np.arange(90) < 40, 0, 255).astype(np.uint8) * np.ones((50, 1), np.uint8)
    expected = predict_array(np.dstack([red, pixels[..., 1:]]), model).labels
    bands = np.dstack([pixels[..., 0], pixels[..., 2], pixels[..., 1], red])
    names = ["near infrared", "blue", "green", "red"]
    image = xarray.DataArray(bands, dims=("y", "x", "band"), coords={"band": names})
    assert_array_equal(predict_array(image, model).labels, expected)
    opaque = image.assign_coords(band=["red", "blue", "green", "Alpha"])
    assert (predict_array(opaque, model).labels.values[:, :40] == 255).all()


def test_four_bands_of_which_one_seems_to_be_alpha_can_be_chosen() -> None:
    pixels, model = np.dstack([noise(hole=False), np.full((50, 90), 255, np.uint8)]), FakeModel(4)
    with pytest.raises(InputError, match=r"3 bands and one that is taken .* bands=\[1, 2, 3, 4\]"):
        predict_array(pixels, model)
    assert (predict_array(pixels, model, bands=[1, 2, 3, 4]).labels != 255).all()


@pytest.mark.parametrize(
    "numbers", [(0, 0, 0, 0, 0, 0), (np.nan, 0, 0, 0, -1, 0), (1, 1, 0, 1, 1, 0)]
)
def test_a_transform_without_area_is_refused(numbers: tuple[float, ...]) -> None:
    for given in (numbers, Affine(*numbers)):
        with pytest.raises(InputError, match="gives pixels no area"):
            predict_array(noise(), FakeModel(3), crs=32640, transform=given)

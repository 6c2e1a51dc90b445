"""What is let in: by what files hold, never by their names."""

import os
import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil

from segment.app.uploads.formats import IMAGE_PIXELS, SCENE_PIXELS, admit, choose_bands
from segment.app.uploads.pictures import bytes_at_once, check_texts
from segment.app.uploads.tiff import read_images
from segment.core.errors import InputError
from tests.conftest import write_raster
from tests.tiffs import (
    BANDS,
    COUNTS,
    HEIGHT,
    KIND,
    MASK,
    METADATA,
    PLANAR,
    REDUCED,
    ROWS,
    TILE_HEIGHT,
    TILE_WIDTH,
    WIDTH,
    WITHIN,
    write_tiff,
)


@pytest.fixture
def received(tmp_path):
    return tmp_path / "uploads"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("bomb", "at most 50 megapixels"),
        ("claim", "at most 500 megapixels"),
        ("empty", "an empty file"),
        ("program", "a program"),
        ("svg", "an SVG drawing"),
        ("vrt", "a VRT"),
        ("vrt as tif", "a VRT"),
        ("vrt in a jpeg", "cannot be read as a raster"),
        ("remote", "a VRT"),
        ("zip", "a ZIP archive"),
    ],
)
def test_hostile_files_are_refused(hostile, received, tmp_path, kind, rule):
    received.mkdir()
    upload = received / hostile[kind].name
    os.link(hostile[kind], upload)
    most = SCENE_PIXELS if kind == "claim" else IMAGE_PIXELS
    with pytest.raises(InputError, match=rule):
        admit(upload, [received], tmp_path / "job", most)


@pytest.mark.heavy
def test_a_bomb_below_the_limit_of_pixels_is_refused(received, tmp_path):
    upload = write_raster(received / "plain.png", np.zeros((4800, 4800, 3), np.uint8), zlevel=9)
    with pytest.raises(InputError, match="the file is incomplete, or almost empty"):
        admit(upload, [received], tmp_path / "job", IMAGE_PIXELS)


def test_a_scene_too_wide_for_memory_is_refused(received, tmp_path):
    wide = write_raster(received / "wide.tif", np.zeros((1, 100_001, 3), np.uint8))
    with pytest.raises(InputError, match="is 100,001 x 1 pixels, at most 100,000 a side"):
        admit(wide, [received], tmp_path / "job", SCENE_PIXELS)


def test_a_single_huge_block_is_refused(received, tmp_path, monkeypatch):
    monkeypatch.setattr("segment.app.uploads.formats._LARGEST_BLOCK", 2**20)
    noise = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), np.uint8)
    parts, whole = (
        write_raster(received / f"{edge}.tif", noise, tiled=True, blockxsize=edge, blockysize=edge)
        for edge in (64, 1024)
    )
    admit(parts, [received], tmp_path / "job", SCENE_PIXELS)
    with pytest.raises(
        InputError, match="is a single block of 3 MB, which cannot be read in parts"
    ):
        admit(whole, [received], tmp_path / "job", SCENE_PIXELS)


def write_jpeg(path: Path, progressive: int, sampling: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (160, 320, 3), np.uint8)
    cv2.imwrite(
        str(path),
        noise,
        [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling],
    )
    return path


@pytest.mark.parametrize(
    ("sampling", "samples"),
    [
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 3),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, 2),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, 1.5),
    ],
)
def test_progressive_jpegs_may_take_as_much_memory_as_a_block(
    received, tmp_path, monkeypatch, sampling, samples
):
    """All of their coefficients, of two bytes, are decoded before the first row is."""
    rows, whole = (
        write_jpeg(received / f"{progressive}.jpg", progressive, sampling) for progressive in (0, 1)
    )
    assert bytes_at_once(rows) == 0 and bytes_at_once(whole) == 2 * 160 * 320 * samples
    admit(whole, [received], tmp_path / "job", SCENE_PIXELS)
    monkeypatch.setattr("segment.app.uploads.formats._LARGEST_BLOCK", 100_000)
    admit(rows, [received], tmp_path / "again", SCENE_PIXELS)
    with pytest.raises(InputError, match="Save it as a JPEG that is not progressive"):
        admit(whole, [received], tmp_path / "again", SCENE_PIXELS)


@pytest.mark.parametrize("cut", [2, 3, 5, 20, 160])
def test_headers_of_jpegs_may_be_anything(tmp_path, cut):
    path = write_jpeg(tmp_path / "a.jpg", 1, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    path.write_bytes(path.read_bytes()[:cut] + b"\xff" * 300_000)
    assert bytes_at_once(path) == 0


@pytest.mark.heavy
def test_bands_are_named_by_numbers():
    assert choose_bands("4, 3,2") == (4, 3, 2) and choose_bands(" ") is None
    for text, rule in (
        ("red", "not a list of band numbers"),
        ([1, 2], "not a list of band numbers"),
        ("9" * 5000, "not a list"),
        (",".join("1" * 17), "at most 16"),
    ):
        with pytest.raises(InputError, match=rule):
            choose_bands(text)


def test_names_that_no_file_can_have_are_reported(received, tmp_path):
    received.mkdir()
    for name in ("a" * 300 + ".tif", "a\0.tif", "\ud800.tif"):
        with pytest.raises(InputError, match="uploaded first"):
            admit(received / name, [received], tmp_path / "job", IMAGE_PIXELS)


def test_long_names_are_cut_by_their_bytes(received, tmp_path):
    image = write_raster(received / f"{'𠀀' * 60}.tif", np.zeros((8, 8, 3), np.uint8))
    assert admit(image, [received], tmp_path / "job", IMAGE_PIXELS).path.name == "𠀀" * 30 + ".tif"


def test_names_stay_within_the_folder(received, tmp_path):
    """Of a name nothing remains that a path could be made of, and files elsewhere are not admitted
    at all.
    """
    image = write_raster(received / "-..\\..\\e t?c.tif", np.zeros((8, 8, 3), np.uint8))
    source = admit(image, [received], tmp_path / "job", IMAGE_PIXELS)
    assert source.path == tmp_path / "job" / "e_t_c.tif" and source.driver == "GTiff"
    outside = write_raster(tmp_path / "outside.tif", np.zeros((8, 8, 3), np.uint8))
    (received / "link.tif").symlink_to(outside)
    for path in (outside, received / ".." / "outside.tif", received / "link.tif", received):
        with pytest.raises(InputError, match="uploaded first"):
            admit(path, [received], tmp_path / "job", IMAGE_PIXELS)


def test_renamed_pictures_are_taken_for_what_they_are(received, tmp_path):
    picture = write_raster(received / "a.png", np.full((8, 8, 3), 9, np.uint8))
    source = admit(picture.rename(received / "a.tif"), [received], tmp_path / "job", IMAGE_PIXELS)
    assert source.path.name == "a.png" and source.driver == "PNG"
    with source.open() as raster:
        assert (raster.read()[0] == 9).all()


def let_in(upload, most=SCENE_PIXELS):
    return admit(upload, [upload.parent], Path(tempfile.mkdtemp(dir=upload.parent.parent)), most)


@pytest.mark.parametrize(
    ("bands", "rule"),
    [(65_535, "at most 4,096 are read"), (5000, "4,096"), (300, "at most 16 bands")],
)
@pytest.mark.parametrize("planar", [1, 2])
def test_headers_that_declare_many_bands_are_refused(received, bands, rule, planar):
    received.mkdir()
    with pytest.raises(InputError, match=rule) as caught:
        let_in(write_tiff(received / "a.tif", {BANDS: bands, PLANAR: planar}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", [{KIND: REDUCED}, {KIND: MASK}, {KIND: REDUCED | MASK}, {255: 2}, {}]
)
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", True)])
@pytest.mark.parametrize(
    "block", [{ROWS: 28_000}, {ROWS: 2**31}, {TILE_WIDTH: 32_768, TILE_HEIGHT: 32_768}]
)
def test_blocks_of_overviews_masks_and_pages_are_small_too(received, kind, order, big, block):
    """A strip of a reduced copy is decoded for the page's picture, and one of a mask for
    any pixel.
    """
    received.mkdir()
    whole, reduced = (
        {WIDTH: 30_000, HEIGHT: 16_000, ROWS: 1},
        {
            WIDTH: 28_000,
            HEIGHT: 16_000,
            ROWS: 1,
            259: 8,
        },
    )
    bomb = reduced | block | {BANDS: 3} | kind
    upload = write_tiff(
        received / "a.tif",
        whole,
        {WIDTH: 15_000, HEIGHT: 8000, ROWS: 16, KIND: REDUCED},
        bomb,
        order=order,
        big=big,
    )
    with upload.open("ab") as file:
        file.truncate(4 * 2**20)  # about as much as it unpacks to
    assert [image.width for image in read_images(upload)] == [30_000, 15_000, 28_000]
    assert [image.is_page for image in read_images(upload)] == [True, False, not kind]
    with pytest.raises(
        InputError,
        match=r"an overview, mask or page is a single block of (1281|3072) MB, at most 500 MB",
    ):
        let_in(upload)


@pytest.mark.parametrize("kind", [REDUCED, MASK, REDUCED | MASK])
def test_overviews_larger_than_the_image_are_refused(received, kind):
    received.mkdir()
    sides = {WIDTH: 64, HEIGHT: 64, ROWS: 64, COUNTS: 4096}
    with pytest.raises(
        InputError, match="overview or mask is 20,000 x 64 pixels, image is 64 x 64"
    ):
        let_in(write_tiff(received / "a.tif", sides, {WIDTH: 20_000, HEIGHT: 64, KIND: kind}))
    # a page, which is not read
    let_in(write_tiff(received / "pages.tif", sides, {WIDTH: 20_000, HEIGHT: 64}))


@pytest.mark.parametrize("kind", [{}, {KIND: MASK}, {KIND: REDUCED}])
@pytest.mark.parametrize("big", [False, True])
def test_images_without_number_or_end_are_refused(received, kind, big):
    """GDAL compares each mask with all before it: 10,000 in a megabyte take minutes."""
    received.mkdir()
    with pytest.raises(InputError, match="TIFF holds more than 100 images"):
        let_in(write_tiff(received / "many.tif", {}, *[kind] * 5000, big=big))
    for last in (1, 2, 7):
        ring = write_tiff(
            received / f"ring{last}.tif", *[kind] * last, big=big, next_image=16 if big else 8
        )
        with pytest.raises(InputError, match="TIFF holds a ring of images"):
            let_in(ring)


@pytest.mark.parametrize("big", [False, True])
def test_images_within_images_count_too(received, big):
    """GDAL takes them for overviews."""
    received.mkdir()
    first, huge = (
        {WIDTH: 64, HEIGHT: 64, ROWS: 64, COUNTS: 4096},
        {
            WIDTH: 20_000,
            HEIGHT: 64,
            KIND: REDUCED,
        },
    )
    whole = write_tiff(received / "a.tif", first | {WITHIN: 0}, huge, big=big)
    start, entry, number = (16, 20, "Q") if big else (8, 12, "I")
    second = start + struct.calcsize(f"<{'Q' if big else 'H'}{number}") + entry * 10
    raw = bytearray(whole.read_bytes())
    for offset, rule in ((second, "overview or mask is 20,000 x 64"), (start, "a ring of images")):
        # no next image
        raw[second - struct.calcsize(number) : second] = bytes(struct.calcsize(number))
        place = (
            raw.index(struct.pack("<HH", WITHIN, 16 if big else 4))
            + entry
            - struct.calcsize(number)
        )
        raw[place : place + struct.calcsize(number)] = struct.pack("<" + number, offset)
        whole.write_bytes(raw)
        with pytest.raises(InputError, match=rule):
            let_in(whole)


@pytest.mark.parametrize("size", [16 * 2**20 + 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("tag", [METADATA, 700, 34_377])
def test_metadata_may_not_be_larger_than_pictures(received, size, tag):
    received.mkdir()
    upload = write_tiff(received / "a.tif", {tag: 8})
    raw = upload.read_bytes()
    upload.write_bytes(
        raw.replace(struct.pack("<HHI", tag, 4, 1), struct.pack("<HHI", tag, 2, size))
    )
    with pytest.raises(InputError, match=f"MB of metadata in tag {tag}, at most 16 MB"):
        let_in(upload)


@pytest.mark.parametrize("cut", [2, 4, 7, 8, 9, 30, 60, 100])
@pytest.mark.parametrize("fill", [b"", b"\xff" * 5000, bytes(5000)])
def test_headers_of_tiffs_may_be_anything(received, cut, fill):
    received.mkdir()
    whole = write_tiff(received / "whole.tif", {}).read_bytes()
    upload = received / "a.tif"
    upload.write_bytes(whole[:cut] + fill)
    with pytest.raises(InputError) as caught:
        let_in(upload)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("domain", ["OVERVIEWS", "overviews", "GEOLOCATION"])
def test_metadata_that_leads_to_other_files_is_refused(received, tmp_path, domain):
    """GDAL opens what it names in any format: a file of the server, a VRT, an address."""
    secret = write_raster(tmp_path / "secret.tif", np.full((32, 32, 3), 77, np.uint8))
    item = "X_DATASET" if domain == "GEOLOCATION" else "OVERVIEW_FILE"
    upload = write_raster(received / "a.tif", np.zeros((64, 64, 3), np.uint8))
    for place in (str(secret), "/vsicurl/http://127.0.0.1:9/x.tif", ":::BASE:::secret.tif"):
        with rasterio.open(upload, "r+") as file:
            file.update_tags(ns=domain, **{item: place})
        with pytest.raises(
            InputError,
            match=f"metadata refers to other files \\({domain}\\)",
        ):
            let_in(upload)


def test_rasters_with_overviews_masks_and_metadata_are_let_in(received):
    pixels = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    plain = write_raster(
        received / "plain.tif",
        pixels,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
    )
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(plain, "r+") as file:
        file.write_mask(np.full((600, 600), 255, np.uint8))
        file.update_tags(taken="2020", ns="SENSOR")
        file.build_overviews([2, 4, 8])
    cog = received / "cog.tif"
    rasterio.shutil.copy(plain, cog, driver="COG")
    for upload in (plain, cog):
        images = read_images(upload)
        assert (
            images[0].width == 600
            and images[0].block_bytes == 3 * (256 if upload == plain else 512) ** 2
        )
        assert len(images) >= 4 and not any(image.is_page for image in images[1:])
        with let_in(upload).open() as raster:
            assert raster.references == [] and raster.read()[1].all()


def write_png(path: Path, *chunks: tuple[bytes, bytes]) -> Path:
    """A PNG with chunks before its picture."""
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    raw = path.read_bytes()
    made = b"".join(
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks
    )
    path.write_bytes(raw[:33] + made + raw[33:])
    return path


PACKED = zlib.compress(bytes(5 * 2**20), 9)


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"a\0\0" + PACKED),
        (b"iTXt", b"a\0\1\0en\0\0" + PACKED),
        (b"iCCP", b"a\0\0" + PACKED),
        (b"tEXt", b"a\0" + bytes(5 * 2**20)),
    ],
)
def test_texts_of_pngs_may_not_unpack_to_more_than_pictures(received, chunk):
    """400 kB of them took 750 MB."""
    let_in(write_png(received / "few.png", chunk, (b"tEXt", b"Author\0me"), (b"zTXt", b"no text")))
    with pytest.raises(InputError, match="texts of more than 16 MB beside its picture"):
        let_in(write_png(received / "many.png", *[chunk] * 4))


def test_chunks_of_pngs_are_counted(received):
    with pytest.raises(InputError, match="more than 10,000 chunks"):
        check_texts(write_png(received / "a.png", *[(b"prVt", b"")] * 10_001))


def test_segments_of_jpegs_are_counted(received, tmp_path):
    """A picture behind more of them would not be looked at, and may be progressive."""
    upload = write_jpeg(received / "a.jpg", 1, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
    raw = upload.read_bytes()
    upload.write_bytes(raw[:2] + b"\xff" * 200_000 + raw[2:])
    assert bytes_at_once(upload) == 2 * 160 * 320 * 1.5
    upload.write_bytes(raw[:2] + b"\xff\xfe\0\2" * 10_001 + raw[2:])
    with pytest.raises(InputError, match="more than 10,000 segments"):
        let_in(upload)

"""Bands that are chosen for a model, by what files state that they are."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from segment.core.errors import InputError
from segment.core.inputs.named_scenes import as_sources
from segment.core.pixels.band_scale import BandScale
from segment.core.raster.bands import WantedBands, choose_bands, find_bands, names_of_bands
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source, as_source
from tests.conftest import write_raster

RGB = WantedBands(3)
S2 = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"]
PALETTE = {i: (3 * i % 256, 255 - i, (7 * i) % 256, 255) for i in range(256)}


def dataset(names: list[str | None], colors: list[str] | None = None, dtype: str = "uint8") -> Any:
    """What a header states of bands."""
    count = len(names)
    return SimpleNamespace(
        count=count,
        descriptions=tuple(names),
        colorinterp=[ColorInterp[c] for c in colors or ["gray"] + ["undefined"] * (count - 1)],
        dtypes=(dtype,) * count,
    )


def colors_of(names: list[str | None], colors: list[str] | None = None) -> tuple[int | None, ...]:
    found = find_bands(dataset(names, colors), range(1, len(names) + 1))
    return tuple(found.get(color) for color in ("red", "green", "blue"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Blue", "Green", "Red", "NIR"], (3, 2, 1)),
        (["red", "green", "blue", "near infrared"], (1, 2, 3)),
        (["Band 1 - Red", "Band 2 - Green", "Band 3 - Blue", "Band 4 - Infra-red"], (1, 2, 3)),
        (["B", "G", "R", "N"], (3, 2, 1)),
        (["Blue (475 nm)", "Green (560 nm)", "Red (668 nm)", "Red edge (717 nm)"], (3, 2, 1)),
        (["coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge"], (6, 4, 2)),
        (["443 nm", "490 nm", "560 nm", "665 nm", "705 nm"], (4, 3, 2)),
        (["0.48 um", "0.56 um", "0.655 um", "0.865 um"], (3, 2, 1)),
        ([f"{wave} Nanometers" for wave in range(400, 900, 5)], (54, 33, 19)),
        (
            ["B4, central wavelength 665 nm", "B3, central wavelength 560 nm", "B2, 490 nm"],
            (1, 2, 3),
        ),
        (S2, (4, 3, 2)),
        ([f"{name}_10m" for name in ("B02", "B03", "B04", "B08")], (3, 2, 1)),
        (["B2", "B3", "B4", "B8"], (3, 2, 1)),  # Landsat 7 has its band 8 in another pixel size
        ([name.replace("B0", "B") for name in S2], (4, 3, 2)),
        ([f"SR_B{n}" for n in range(1, 8)], (4, 3, 2)),  # Landsat 8
        ([f"SR_B{n}" for n in (1, 2, 3, 4, 5, 7)], (None,) * 3),  # Landsat 5 has no SR_B6
        (["B4", "B3", "B2"], (None,) * 3),  # colours, or infrared, red, green of Landsat 5
        ([f"B{n}" for n in range(1, 14)], (None,) * 3),  # counted
        ([f"Band {n}" for n in range(1, 14)], (None,) * 3),
        ([f"b{n}" for n in range(1, 14)], (None,) * 3),
        (["red", "red", "green", "blue"], (None, 3, 4)),
        (["blue-green", "red", "NDVI"], (2, None, None)),
        (["NIR", "Red", "Green", "SWIR1"], (2, 3, None)),
        (["sur_refl_b01", "sur_refl_b04", "sur_refl_b03", "x"], (None,) * 3),
        ([None] * 5, (None,) * 3),
    ],
    ids=str,
)
def test_bands_are_found_by_their_descriptions(names, expected):
    assert colors_of(names) == expected


def test_descriptions_come_before_the_colour_interpretation():
    colors = ["red", "green", "blue", "alpha"]
    assert colors_of([None] * 4, colors) == (1, 2, 3)
    assert colors_of(["B02", "B03", "B04", "B08"], colors) == (3, 2, 1)
    assert colors_of([None, None, None, "NIR"], colors) == (1, 2, 3)
    assert colors_of(["NIR", None, None, None], colors) == (None, 2, 3)
    assert colors_of([None] * 5, ["nir", "red", "green", "blue", "rededge"]) == (2, 3, 4)
    infrared = choose_bands(dataset([None] * 3, ["nir", "red", "green"]), (1, 2, 3), RGB)
    assert "band 1 near infrared" in infrared.notes[0]


@pytest.mark.parametrize(
    ("names", "count", "bands", "note"),
    [
        (["Blue", "Green", "Red", "NIR"], 3, (3, 2, 1), "Bands 3,2,1 of 4.*names Red, Green, Blue"),
        (["Blue", "Green", "Red"], 3, (3, 2, 1), "Bands 3,2,1 of 3"),
        (["Red", "Green", "Blue"], 3, (1, 2, 3), None),
        (["NIR", "Red", "Green"], 3, None, "Warning: .*band 1 near infrared, and none blue"),
        (["Nahes Infrarot", "Rot", "Grün"], 3, None, "Warning: .*band 1 near infrared"),
        (["rouge", "vert", "proche infrarouge"], 3, None, "Warning: .*band 3 near infrared"),
        ([None] * 3, 3, None, None),
        ([None] * 4, 3, (1, 2, 3), r"Warning: .* which of its 4 bands .*--bands\.$"),
        (["NIR", None, None, None], 3, (2, 3, 4), "Warning: .* bands 2,3,4 are read"),
        ([None] * 13, 3, (1, 2, 3), "Warning: .*4,3,2 for all bands of Sentinel-2"),
        (["NIR", "Red", "Green", "SWIR1"], 3, None, "none of its bands blue"),
        ([None], 3, (1, 1, 1), "Warning: The scene is grey"),
        ([None] * 2, 3, None, None),
        ([None] * 5, 4, None, None),
        (["Blue", "Green", "Red", "NIR"], 4, None, None),
        (["Blue", "Green", "Red", "NIR"], 1, None, None),
    ],
    ids=str,
)
def test_a_model_without_band_names_takes_colours_if_it_has_three(names, count, bands, note):
    choice = choose_bands(dataset(names), range(1, len(names) + 1), WantedBands(count))
    assert choice.bands == bands
    assert [bool(re.search(note or "-", n)) for n in choice.notes] == ([True] if note else [])


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint32"])
def test_one_band_of_other_types_is_no_photograph(dtype):
    """It is more likely elevation, an index or a class map."""
    assert choose_bands(dataset([None], dtype=dtype), [1], RGB).bands is None


def test_a_model_that_names_its_bands_finds_them():
    wanted = WantedBands(4, ("red", "green", "blue", "near infrared"))
    bgrn = dataset(["Blue", "Green", "Red", "NIR", "SWIR"])
    assert choose_bands(bgrn, range(1, 6), wanted).bands == (3, 2, 1, 4)
    infrared = WantedBands(3, ("near infrared", "red", "green"))
    assert choose_bands(bgrn, range(1, 6), infrared).bands == (4, 3, 2)
    assert choose_bands(dataset([None] * 5), range(1, 6), infrared).bands is None
    assert choose_bands(dataset([None] * 3), range(1, 4), infrared).notes == ()
    assert choose_bands(dataset([None]), [1], infrared).bands is None
    assert choose_bands(dataset(S2), range(1, 14), WantedBands(2, ("B11", "b8a"))).bands == (12, 9)
    named = choose_bands(bgrn, range(1, 6), WantedBands(3, ("B04", "B03", "B02")))
    assert named.bands == (3, 2, 1)


def test_names_for_a_model_are_complete_or_none():
    assert names_of_bands(dataset(["Blue", "G", "Red", "B8A"]), (3, 1, 4)) == ("red", "blue", "b8a")
    assert names_of_bands(dataset(["Blue", None]), (1, 2)) == ()
    assert names_of_bands(dataset(["Band 1", "Band 2"]), (1, 2)) == ()
    rgb = dataset([None] * 3, ["red", "green", "blue"])
    assert names_of_bands(rgb, (1, 2, 3)) == ("red", "green", "blue")


def palette(path: Path, indices: np.ndarray, **profile: Any) -> Path:
    write_raster(path, indices[..., None], **profile)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, PALETTE)
    return path


@pytest.fixture
def indices() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (40, 60), np.uint8)


def colored(indices: np.ndarray) -> np.ndarray:
    return np.array([PALETTE[i][:3] for i in range(256)], np.uint8)[indices]


@pytest.mark.parametrize("factor", [1.0, 0.5, 1.7])
def test_a_palette_is_read_as_its_colours(tmp_path, indices, factor):
    """Colours are resampled, not indices."""
    path = palette(tmp_path / "p.tif", indices)
    plain = write_raster(tmp_path / "rgb.tif", colored(indices))
    with open_raster(path, expected=RGB) as first:
        assert first.bands == (1, 2, 3) and first.info.colors == ("red", "green", "blue")
        assert first.notes == ["The colours of the palette are read as red, green and blue."]
        source = Source(path, factor=factor).as_opened(first)
    with source.open() as raster, open_raster(plain, factor=factor) as expected:
        for found, wanted in zip(raster.read(), expected.read(), strict=True):
            assert np.array_equal(found, wanted)
        assert raster.transform == expected.transform and raster.crs == expected.crs


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_nodata_of_a_palette_are_indices(tmp_path, indices, factor):
    indices[:20] = 7
    indices[:, :30] = 9
    path = palette(tmp_path / "p.tif", indices, nodata=7)
    hidden = (indices == 7) | (indices == 9) | (indices == 10)
    with open_raster(path, nodata=(9, 10), factor=factor, expected=RGB) as raster:
        pixels, valid = raster.read()
        if factor == 1:
            assert np.array_equal(valid, ~hidden)
            assert np.array_equal(pixels[valid], colored(indices)[valid])
        else:
            assert not valid[:10].any() and not valid[:, :15].any() and valid[11:, 16:].any()
        one = raster.identity
    with open_raster(path, nodata=9, factor=factor, expected=RGB) as raster:
        assert raster.identity != one


def test_colours_of_a_palette_may_be_asked_for_and_indices_too(tmp_path, indices):
    path = palette(tmp_path / "p.tif", indices)
    for bands, expected in (
        ((3, 1, 2), colored(indices)[..., [2, 0, 1]]),
        ((1,), indices[..., None]),
        ((1, 1, 1), np.repeat(indices[..., None], 3, axis=2)),
    ):
        with open_raster(path, bands) as raster:
            assert np.array_equal(raster.read()[0], expected)
    with pytest.raises(InputError, match="Choose from 1 to"), open_raster(path, (4,)):
        pass


def test_transparent_colours_are_hidden(tmp_path, indices):
    path = tmp_path / "p.png"
    write_raster(path, indices[..., None])
    colors = PALETTE | {5: (1, 2, 3, 0)}
    with rasterio.open(
        path, "w", driver="PNG", height=40, width=60, count=1, dtype="uint8"
    ) as file:
        file.write(indices, 1)
        file.write_colormap(1, colors)
    with open_raster(path, expected=RGB) as raster:
        assert np.array_equal(raster.read()[1], indices != 5)


def test_grey_with_alpha_keeps_its_mask(tmp_path, indices):
    pixels = np.stack([indices, np.where(indices < 100, 0, 255).astype(np.uint8)], axis=2)
    path = write_raster(tmp_path / "ga.png", pixels)
    with open_raster(path, expected=RGB) as raster:
        assert raster.bands == (1, 1, 1)
        found, valid = raster.read()
    assert np.array_equal(valid, indices >= 100)
    assert np.array_equal(found[valid], np.repeat(indices[valid][:, None], 3, axis=1))


def test_bands_that_are_asked_for_count_in_scenes_that_have_them(tmp_path, indices):
    pixels = np.stack([indices, indices + 1, indices + 2, indices + 3], axis=2)
    four = write_raster(tmp_path / "four.tif", pixels, photometric="minisblack")
    three = write_raster(tmp_path / "three.tif", pixels[..., :3])
    sources = as_sources([four, three], (4, 2, 1))
    with sources[0].open(RGB) as raster:
        assert raster.bands == (4, 2, 1) and raster.choice.notes == ()
    with sources[1].open(RGB) as raster:
        assert raster.bands == (1, 2, 3)
        assert "--bands 4,2,1 does not apply, as the file has 3 bands" in raster.notes[0]
    for alone in (as_source(three, (4, 2, 1)), *as_sources([three], (4, 2, 1))):
        with pytest.raises(InputError, match="Choose from 1 to 3"), alone.open(RGB):
            pass


def test_the_chosen_bands_are_part_of_the_identity(tmp_path, indices):
    pixels = np.stack([indices] * 4, axis=2)
    path = write_raster(tmp_path / "a.tif", pixels, photometric="minisblack")
    identities = []
    for names in (("Blue", "Green", "Red", "NIR"), (None,) * 4):
        with rasterio.open(path, "r+") as file:
            file.descriptions = names
        with open_raster(path, expected=RGB) as raster:
            identities.append(raster.identity[2:])
            source = Source(path).as_opened(raster)
        with source.open() as again:
            assert again.identity[2:] == identities[-1]
    assert identities[0] != identities[1]
    assert (3, 2, 1) in identities[0] and (1, 2, 3) in identities[1]


@pytest.mark.parametrize("frames", [2, 3, 4])
def test_frames_of_an_animation_are_no_colours(tmp_path, frames):
    first, *others = (
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8))
        for seed in range(frames)
    )
    first.save(tmp_path / "moving.gif", save_all=True, append_images=others)
    with (
        pytest.raises(InputError, match=r"have a palette each.* -b 1 -expand rgb"),
        open_raster(tmp_path / "moving.gif", expected=WantedBands(3)),
    ):
        pass


def notes_of(path: Path, **options: Any) -> str:
    with open_raster(path, expected=WantedBands(3), **options) as raster:
        return " ".join(raster.notes)


@pytest.mark.parametrize(("bits", "high"), [(1, "1"), (4, "15")])
def test_pictures_of_few_bits_are_dark(tmp_path, bits, high):
    pixels = np.random.default_rng(0).integers(0, 2**bits, (9, 9, 3), np.uint8)
    path = write_raster(tmp_path / "dark.tif", pixels, nbits=bits)
    assert f"nearly black to a model of 8 bits. Bring them to 8 bits: --scale 0,{high}" in (
        notes_of(path)
    )
    scale = BandScale((0.0,) * 3, (2.0**bits - 1,) * 3, "uint8", "the values that were given")
    assert "black" not in notes_of(path, scale=scale)
    assert "black" not in notes_of(write_raster(tmp_path / "bright.tif", pixels))


def test_inverted_pictures_are_reported(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 1), np.uint8)
    inverted = write_raster(tmp_path / "inverted.tif", pixels, photometric="MINISWHITE")
    assert "0 is white" in notes_of(inverted)
    assert "0 is white" not in notes_of(write_raster(tmp_path / "plain.tif", pixels))

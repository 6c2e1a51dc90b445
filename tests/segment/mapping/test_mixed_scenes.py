"""Folders of scenes of all kinds: bands by what files state, and one bad scene among others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from segment import cli
from segment.core.cli.batch import attempt_each
from segment.core.cli.command import run
from segment.core.errors import InputError, Interrupted
from segment.core.progress import Silent
from segment.core.raster.sources import Source
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_window
from tests.conftest import write_bands, write_raster
from tests.fakes import FakeModel, PlaceModel

PALETTE = {i: (i % 5, 7 * i % 256, 255 - i, 255) for i in range(256)}


class ThreeBands(PlaceModel):
    """Model whose answer depends on all three bands, and on the place in the tile."""

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        mixed = (1 * pixels[..., :1] + 3 * pixels[..., 1:2].astype(int) + 9 * pixels[..., 2:]) % 97
        return super().answer(mixed)


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)


@pytest.fixture
def colors() -> np.ndarray:
    return np.random.default_rng(0).integers(4, 250, (60, 90, 4), np.uint8)


def with_palette(path: Path, indices: np.ndarray, **profile: Any) -> Path:
    write_raster(path, indices, **profile)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, PALETTE)
    return path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        found: np.ndarray = file.read(1)
    return found


@pytest.mark.parametrize("resample", [{}, {"gsd": 0.3, "resample": True}], ids=["own", "resampled"])
def test_the_map_is_that_of_the_colours_alone(tmp_path: Path, colors: np.ndarray, resample) -> None:
    model = ThreeBands(bands=3, ground_sampling_distance=0.5)
    rgb = write_bands(tmp_path / "rgb.tif", colors[..., :3])
    expected = read(predict_scene(rgb, model, tmp_path / "rgb", **resample).classes)
    scenes = {
        "named": write_bands(tmp_path / "a.tif", colors[..., [3, 2, 1, 0]], ("NIR", "B", "G", "R")),
        "turned": write_bands(tmp_path / "b.tif", colors[..., [2, 1, 0]], ("B02", "B03", "B04")),
        "unnamed": write_bands(tmp_path / "c.tif", colors),
    }
    for name, scene in scenes.items():
        result = predict_scene(scene, model, tmp_path / name, **resample)
        assert np.array_equal(read(result.classes), expected)
        notes = " ".join(result.report["notes"])
        assert ("does not state which" in notes) == (name == "unnamed")
        assert ("are read as red, green, blue" in notes) == (name != "unnamed")
        if not resample:
            window = predict_window(scene, model, 10, 20, 30, 40)
            assert np.array_equal(window, expected[10:40, 20:60])
    asked = predict_scene(scenes["named"], model, tmp_path / "asked", bands=(4, 3, 2), **resample)
    assert np.array_equal(read(asked.classes), expected)
    assert not any("are read" in note for note in asked.report["notes"])


def test_palettes_and_grey_are_mapped_as_pictures(tmp_path: Path, colors: np.ndarray) -> None:
    model, indices = ThreeBands(bands=3), colors[..., :1]
    looked_up = np.array([PALETTE[i][:3] for i in range(256)], np.uint8)[indices[..., 0]]
    for name, scene, pixels in (
        ("palette", with_palette(tmp_path / "p.tif", indices), looked_up),
        ("grey", write_bands(tmp_path / "g.tif", indices), np.repeat(indices, 3, axis=2)),
    ):
        plain = write_bands(tmp_path / f"{name}.tif", pixels)
        expected = predict_scene(plain, model, tmp_path / f"{name}1")
        found = predict_scene(scene, model, tmp_path / f"{name}2")
        assert np.array_equal(read(found.classes), read(expected.classes))
        assert any("red, green and blue" in note for note in found.report["notes"])


def test_what_a_model_does_not_map_is_refused_with_the_reason(tmp_path: Path, colors) -> None:
    rgb, four = FakeModel(bands=3), FakeModel(bands=4)
    cases = [
        (
            write_bands(tmp_path / "two.tif", colors[..., :2]),
            rgb,
            "2 bands of uint8.*--bands 1,1,1",
        ),
        (
            write_bands(tmp_path / "cir.tif", colors, ("NIR", "Red", "Green", "SWIR")),
            rgb,
            "The file names none of its bands blue",
        ),
        (write_bands(tmp_path / "dem.tif", colors[..., :1].astype("f4")), rgb, "1 band of float32"),
        (write_bands(tmp_path / "five.tif", colors[..., [0, 1, 2, 3, 3]]), four, "--bands 1,2,3,4"),
        (with_palette(tmp_path / "p.tif", colors[..., :1]), four, "palette"),
    ]
    for scene, model, reason in cases:
        with pytest.raises(InputError, match=reason):
            predict_scene(scene, model, tmp_path / "out")
    with pytest.raises(InputError, match="leave --bands out"):
        predict_scene(tmp_path / "p.tif", rgb, tmp_path / "out", bands=(1, 1, 1))
    assert not (tmp_path / "out").exists()


def test_a_model_that_names_its_bands_reads_them_in_its_order(tmp_path: Path, colors) -> None:
    model = FakeModel(bands=4, band_names=["near infrared", "red", "green", "blue"])
    colors[..., 3] %= 5
    scene = write_bands(tmp_path / "a.tif", colors, ("Red", "Green", "Blue", "NIR"))
    result = predict_scene(scene, model, tmp_path)
    assert np.array_equal(read(result.classes), colors[..., 3] * 10)
    assert any("Bands 4,1,2,3 of 4 are read" in note for note in result.report["notes"])
    more = np.concatenate([colors, colors], axis=-1)
    several = write_bands(tmp_path / "b.tif", more, tuple(f"B0{i}" for i in range(1, 9)))
    with pytest.raises(
        InputError, match="numbers of near infrared, red, green, blue, in this order"
    ):
        predict_scene(several, model, tmp_path)


def test_a_map_of_other_bands_is_not_resumed(tmp_path: Path, colors: np.ndarray) -> None:
    """The names in the file decide, so they are part of what a map is made of."""
    scene = write_bands(tmp_path / "a.tif", colors)
    first = predict_scene(scene, ThreeBands(bands=3), tmp_path / "maps")
    stamp = scene.stat()
    with rasterio.open(scene, "r+") as file:
        file.descriptions = ("NIR", "R", "G", "B")
    scene.touch()
    with pytest.raises(InputError, match="exists"):
        predict_scene(scene, ThreeBands(bands=3), tmp_path / "maps")
    assert stamp.st_size and first.report["made_of"]


@pytest.mark.parametrize("nodata", [(0, 3), [0, 3]])
@pytest.mark.parametrize("gsd", [None, 0.1])
def test_a_range_is_nodata_on_the_scenes_own_grid(tmp_path: Path, colors, nodata, gsd) -> None:
    colors[20:, 50:] = np.random.default_rng(1).integers(0, 4, (40, 40, 4))
    scene = write_bands(tmp_path / "a.tif", colors[..., :3])
    model = ThreeBands(bands=3, ground_sampling_distance=0.2)
    options = {"gsd": gsd, "resample": gsd is not None or None}
    plain = predict_scene(scene, model, tmp_path / "plain", **options)
    assert any(note.endswith("--nodata 0-3") for note in plain.report["notes"])
    result = predict_scene(scene, model, tmp_path / "maps", nodata=nodata, **options)
    assert np.array_equal(read(result.classes) == 255, (colors < 4).all(axis=2))
    assert not any("--nodata" in note for note in result.report["notes"])


def mixed_scenes(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Writes forty scenes; returns the stems of those to map, and why others are refused."""
    random = np.random.default_rng(0)
    mapped, refused = set(), {}

    def add(name: str, pixels: np.ndarray, reason: str | None = None, **options: Any) -> None:
        write_bands(folder / name, pixels, **options)
        if reason is None:
            mapped.add(Path(name).stem)
        else:
            refused[name] = reason

    for number in range(3):
        for count, reason in ((1, None), (2, "2 bands"), (3, None), (4, None), (5, None)):
            pixels = random.integers(0, 250, (20 + number, 30, count), np.uint8)
            add(f"b{count}_{number}.tif", pixels, reason)
            if count in (1, 3) and number < 2:
                name = f"type{count}_{number}.tif"
                kind, factor = (("uint16", 16), ("float32", 1 / 255))[number]
                add(
                    name,
                    (pixels * factor).astype(kind),
                    "1 band of float32" if count + number == 2 else None,
                )
        add(f"b13_{number}.tif", random.integers(0, 250, (20, 30, 13), np.uint8))
        add(f"plain_{number}.png", random.integers(0, 250, (20, 30, 3), np.uint8))
        for name, content in (("text", b"no raster\n"), ("zero", b"")):
            (folder / f"{name}{number}.tif").write_bytes(content)
            refused[f"{name}{number}.tif"] = "not recognized"
        with_palette(folder / f"palette{number}.tif", random.integers(0, 9, (20, 30, 1), np.uint8))
        mapped.add(f"palette{number}")
        cut = write_bands(
            folder / f"cut{number}.tif", random.integers(0, 250, (99, 99, 3), np.uint8)
        )
        cut.write_bytes(cut.read_bytes()[:5000])
        refused[cut.name] = "cannot be read"
    add("16_bit_named.tif", random.integers(0, 9999, (9, 9, 13), np.uint16))
    add("signed.tif", random.integers(-9999, 9999, (9, 9, 3), np.int16))
    add("tiny.tif", random.integers(0, 250, (1, 1, 3), np.uint8))
    add("all_black.tif", np.zeros((20, 30, 3), np.uint8))
    return mapped, refused


@pytest.mark.heavy
def test_a_folder_of_mixed_scenes_ends_with_all_that_can_be_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mapped, refused = mixed_scenes(tmp_path / "scenes")
    assert len(mapped) + len(refused) >= 40
    loaded: list[object] = []

    def load(*_: object, **__: object) -> FakeModel:
        loaded.append(capsys.readouterr().err)
        return FakeModel(bands=3)

    monkeypatch.setattr("segment.core.onnx_models.loading.load_model", load)
    out = tmp_path / "maps"
    assert call("predict", tmp_path / "scenes", "--output", out) == 2
    assert {file.name.removesuffix("_classes.tif") for file in out.glob("*_classes.tif")} == mapped
    lines = (str(loaded[0]) + capsys.readouterr().err).splitlines()
    assert lines.pop() == (
        f"segment-predict: {len(refused)} of {len(mapped) + len(refused)} inputs failed, see above."
    )
    assert len(lines) == len(refused)
    for name, reason in refused.items():
        (line,) = [line for line in lines if f"/{name}: " in line]
        assert reason in line, line
    # headers are checked before the network is loaded
    assert str(loaded[0]).count("\n") == len(refused) - sum("cut" in name for name in refused)
    assert not list(out.glob(".*"))
    # what was mapped is not mapped again, and what is whole now is
    assert call("predict", tmp_path / "scenes", "--output", out) == 2


def call(command: str, *arguments: object) -> int:
    return run(getattr(cli, command).__wrapped__, [str(a) for a in arguments])


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--truth", "TRUTH"], "--truth belongs to one scene"),
        (["--model", "nowhere"], "nowhere"),
        (["--tile", "100"], "a multiple of 32"),
        (["--nodata", "3-0"], "--nodata: 3-0 goes down"),
        (["--gsd", "0"], "--gsd"),
        (["COPY"], "scenes are named 'a'"),
    ],
)
def test_problems_of_the_whole_command_come_before_those_of_scenes(
    tmp_path: Path, capsys, options: list[str], problem: str
) -> None:
    scene = write_bands(tmp_path / "a.tif", np.zeros((9, 9, 3), np.uint8))
    copy = write_bands(tmp_path / "more" / "a.tif", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "text.tif").write_text("no raster")
    places = {"TRUTH": scene, "COPY": copy}
    chosen = [places.get(option, option) for option in options]
    out = tmp_path / "maps"
    assert call("predict", scene, tmp_path / "text.tif", *chosen, "--output", out) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line
    assert not out.exists()


def test_bands_that_are_asked_for_count_in_the_scenes_that_have_them(
    tmp_path: Path, colors, monkeypatch, capsys
) -> None:
    write_bands(tmp_path / "four.tif", colors % 5)
    write_bands(tmp_path / "three.tif", colors[..., :3] % 5)
    loading = "segment.core.onnx_models.loading.load_model"
    monkeypatch.setattr(loading, lambda *_, **__: FakeModel(3))
    scenes = [tmp_path / "four.tif", tmp_path / "three.tif"]
    assert call("predict", *scenes, "--bands", "4,2,1", "--output", tmp_path / "maps") == 0
    assert "--bands 4,2,1 does not apply, as the file has 3 bands" in capsys.readouterr().out
    for name, band in (("four", 3), ("three", 0)):
        found = read(tmp_path / "maps" / f"{name}_classes.tif")
        assert np.array_equal(found, colors[..., band] % 5 * 10)
    assert call("predict", scenes[1], "--bands", "4,2,1", "--output", tmp_path / "alone") == 2
    assert "Choose from 1 to 3" in capsys.readouterr().err


def attempt(checks: Callable[[Source], None], work: Callable[[Source], None], count: int) -> None:
    sources = [Source(Path(f"{number}.tif")) for number in range(count)]
    attempt_each("do", sources, checks, lambda fit: (fit, work))


def test_failures_of_single_scenes_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def check(source: Source) -> None:
        if source.name == "1.tif":
            raise InputError("1.tif: bad.")

    def work(source: Source) -> None:
        if source.name == "2.tif":
            raise PermissionError(13, "Permission denied", "2.tif")
        done.append(source.name)

    with pytest.raises(InputError, match=r"^2 of 4 inputs failed, see above\.$"):
        attempt(check, work, 4)
    assert done == ["0.tif", "3.tif"]
    bad, denied = capsys.readouterr().err.splitlines()
    assert bad == "do: 1.tif: bad." and denied.startswith("do: 2.tif: Permission denied. ")


def test_nothing_is_prepared_where_no_scene_fits() -> None:
    def refuse(source: Source) -> None:
        raise InputError(f"{source.name}: bad.")

    sources = [Source(Path(f"{number}.tif")) for number in range(2)]
    with pytest.raises(InputError, match="2 of 2"):
        attempt_each("do", sources, refuse, lambda fit: pytest.fail("prepared"))
    with pytest.raises(InputError, match=r"^0\.tif: bad\.$"):
        attempt_each("do", sources[:1], refuse, lambda fit: pytest.fail("prepared"))


def test_ctrl_c_stops_all_scenes() -> None:
    def stop(_: Source) -> None:
        raise Interrupted("stopped.")

    with pytest.raises(Interrupted):
        attempt(lambda _: None, stop, 3)


def test_the_report_holds_the_notes(tmp_path: Path, colors: np.ndarray) -> None:
    colors[:30] = 0
    scene = write_bands(tmp_path / "a.tif", colors)
    result = predict_scene(scene, FakeModel(bands=3), tmp_path, progress=Silent())
    notes = json.loads(result.report_file.read_text())["notes"]
    assert sum("bands 1,2,3 are read" in n for n in notes) == 1
    assert sum("50% of the scene, from its border, is 0 in all bands" in n for n in notes) == 1

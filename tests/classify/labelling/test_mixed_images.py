"""Images and scenes of all kinds: bands by what files state, nodata ranges, one bad file."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal

from classify import cli
from classify.labelling.arrays import predict_array
from classify.labelling.formats import as_csv, as_json, as_table
from classify.labelling.inference import read_input
from classify.labelling.predict import band_notes, predict_images
from classify.labelling.scene import label_scene
from segment.core.cli.command import run
from segment.core.errors import InputError
from segment.core.model.info import LabelInfo
from segment.core.raster.sources import Source
from tests.conftest import write_bands
from tests.fakes import FakeModel


class Labeller(FakeModel):
    """Knows an image's class by the mean of its first band: above 40 k it is class k."""

    def __init__(self, labels: dict[str, Any] | None = None):
        super().__init__(3, tile=16, labels=LabelInfo(**({"resize": 0} | (labels or {}))))
        self.info = self.info.model_copy(update={"task": "classify"})

    def answer(self, pixels: np.ndarray) -> np.ndarray:
        means = pixels[..., 0].mean(axis=(1, 2))
        return np.eye(5, dtype=np.float32)[(means / 40).astype(int).clip(0, 4)] * 0.9 + 0.02


@pytest.fixture
def colors() -> np.ndarray:
    """Red of class 1, and other bands of other classes."""
    pixels = np.random.default_rng(0).integers(45, 75, (32, 48, 4), np.uint8)
    return pixels + np.array([0, 40, 80, 120], np.uint8)


def test_the_key_of_a_signed_address_is_in_no_listing(tmp_path: Path, colors) -> None:
    file = write_bands(tmp_path / "a.tif", colors[..., :3]).read_bytes()
    wrong = write_bands(tmp_path / "b.tif", colors[..., :2]).read_bytes()
    signed = {"dirname": "signed", "filename": "a.tif?sig=SECRET"}
    other = {"dirname": "others", "filename": "b.tif?sig=SECRET"}
    with rasterio.MemoryFile(file, **signed) as one, rasterio.MemoryFile(wrong, **other) as two:
        found = list(predict_images([one.name, two.name], Labeller()))
        alone = predict_array(one.name, Labeller())
    assert [p.image for p in found] == ["/vsimem/signed/a.tif", "/vsimem/others/b.tif"]
    assert found[0].given == ["land"] and found[1].problem.startswith("/vsimem/others/b.tif: ")
    assert alone.image == found[0].image
    assert "SECRET" not in as_json(found) + as_csv(found) + as_table(found)


def test_listings_for_programs_have_exact_names(tmp_path: Path, colors) -> None:
    names = ["tab\there.tif", "\x1b[31mred.tif", "\x9b\u202ename.tif", "caf\xe9.tif"]
    files = [write_bands(tmp_path / name, colors[..., :3]) for name in names]
    found = list(predict_images(files, Labeller()))
    text = as_json(found)
    assert [Path(entry["image"]).name for entry in json.loads(text)] == names
    assert [Path(row[0]).name for row in csv.reader(as_csv(found).split("\n")[1:])] == names
    for shown in (text, as_table(found), str(found[1])):
        assert shown.replace("\n", "").isprintable()
    assert "caf\xe9.tif" in text and "\\x1b[31mred.tif" in as_table(found)
    odd = [replace(found[0], image="\udce9.tif")]
    assert json.loads(as_json(odd))[0]["image"] == "\udce9.tif" and "\\xe9.tif" in as_csv(odd)


def test_images_are_labelled_by_the_colours_that_they_name(tmp_path: Path, colors) -> None:
    scenes = [
        write_bands(tmp_path / "a.tif", colors[..., [3, 2, 1, 0]], ("NIR", "Blue", "Green", "Red")),
        write_bands(tmp_path / "b.tif", colors),
        write_bands(tmp_path / "c.tif", colors[..., :3]),
        write_bands(tmp_path / "d.tif", colors[..., [3, 2, 1, 0]], ("NIR", "Blue", "Green", "Red")),
        write_bands(tmp_path / "e.tif", colors[..., :2]),
    ]
    found = list(predict_images(scenes, Labeller()))
    assert [one.given for one in found] == [["land"]] * 4 + [[]]
    assert "Received 2 of uint8" in str(found[4].problem)
    infrared = write_bands(tmp_path / "f.tif", colors, ("NIR", "Red", "Green", "SWIR"))
    (refused,) = predict_images([infrared], Labeller())
    assert "Received 4 of uint8. The file names none of its bands blue. Name" in str(refused)
    with pytest.raises(InputError, match="none of its bands blue"):
        label_scene(infrared, Labeller(), tmp_path / "maps", grid=16)
    named, unnamed = band_notes(found)
    assert named.startswith(f"note: {scenes[0]} (and 1 more): Bands 4,3,2 of 4 are read")
    assert unnamed.startswith(f"warning: {scenes[1]}: The file does not state which of its 4")
    asked = list(predict_images(scenes[:4], Labeller(), bands=(4, 1, 2)))
    assert [one.given[0] for one in asked] == ["land", "water", "land", "land"]
    assert "does not apply, as the file has 3 bands" in " ".join(asked[2].notes)


def test_bands_are_not_chosen_where_nobody_would_report_it(tmp_path: Path, colors) -> None:
    """As in the images that a model is quantised with."""
    scene = write_bands(tmp_path / "b.tif", colors)
    assert read_input(Source(scene), Labeller().info, []).shape == (16, 16, 3)
    with pytest.raises(InputError, match="Received 4 of uint8"):
        read_input(Source(scene), Labeller().info)


def test_a_model_of_other_bands_takes_no_colours(tmp_path: Path, colors) -> None:
    scene = write_bands(tmp_path / "b.tif", colors)
    for labels in ({"read_bands": [8, 4, 3], "file_bands": 13}, {"band_names": ["B08", "x", "y"]}):
        (found,) = predict_images([scene], Labeller(labels))
        assert "Received 4 of uint8" in str(found.problem)


def test_cells_are_labelled_by_the_same_bands(tmp_path: Path, colors: np.ndarray) -> None:
    colors[:, :16] = 0
    scene = write_bands(
        tmp_path / "a.tif", colors[..., [2, 1, 0, 3]], ("Blue", "Green", "Red", "NIR")
    )
    plain = label_scene(scene, Labeller(), tmp_path / "plain", grid=16)
    notes = " ".join(plain.report["notes"])
    assert "Bands 3,2,1 of 4 are read" in notes and notes.endswith("--nodata 0")
    result = label_scene(scene, Labeller(), tmp_path / "maps", grid=16, nodata=(0, 3))
    with rasterio.open(result.labels) as file:
        assert_array_equal(file.read(1), [[255, 10, 10]] * 2)


def test_a_bad_scene_does_not_stop_the_cells_of_others(
    tmp_path: Path, colors, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    folder = tmp_path / "scenes"
    write_bands(folder / "a.tif", colors)
    write_bands(folder / "b.tif", colors[..., :2])
    (folder / "c.tif").write_text("no raster")
    whole = write_bands(folder / "d.tif", colors).read_bytes()
    (folder / "d.tif").write_bytes(whole[:1000])
    monkeypatch.setattr("segment.core.model.runtime.load_model", lambda *_, **__: Labeller())
    monkeypatch.setattr("segment.core.model.folder.load_model_info", lambda _: Labeller().info)
    out = tmp_path / "maps"
    arguments = [str(folder), "--grid", "16", "--output", str(out)]
    assert run(cli.predict.__wrapped__, arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in lines[:3]] == [
        str(folder / name) for name in ("b.tif", "c.tif", "d.tif")
    ]
    assert lines[3:] == ["classify-predict: 3 of 4 inputs failed, see above."]
    assert (out / "a_labels.tif").is_file()
    assert run(cli.predict.__wrapped__, [*arguments, "--nodata", "x"]) == 2
    assert "--nodata: 'x' is neither a value nor a range" in capsys.readouterr().err


def test_images_without_a_valid_pixel_are_refused_and_counted(
    tmp_path: Path, colors: np.ndarray
) -> None:
    good = write_bands(tmp_path / "good.tif", colors[..., :3])
    empty = write_bands(tmp_path / "empty.tif", np.zeros_like(colors[..., :3]), nodata=0)
    found = list(predict_images([good, empty], Labeller()))
    assert found[0].problem is None and found[0].labels
    assert found[1].labels == [] and "no pixel is valid" in str(found[1].problem)

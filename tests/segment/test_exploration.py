"""Exploring a tile folder finds what would spoil a training."""

import json

import numpy as np
import pytest
import rasterio

from segment.cli import explore as command
from segment.core.command import run
from segment.core.errors import InputError
from segment.core.palette import Class, Palette, save_palette
from segment.exploration import explore

from ..conftest import write_raster
from .test_neighbours import ground

LAND, WATER, BLANK = (0x80, 0x40, 0x00), (0x00, 0x00, 0xFF), (0, 0, 0)


def found(root, tmp_path, **options):
    return explore(root, tmp_path / "report", **options)


def told(exploration, *words):
    """The finding that holds all the words."""
    some = [f for f in map(str, exploration.findings) if all(word in f for word in words)]
    assert len(some) == 1, (words, list(map(str, exploration.findings)))
    return some[0]


@pytest.fixture
def scenes(tmp_path):
    """Three scenes of four parts each, a seventh of them water; one mask holds a blank, one scene has masks with palettes."""
    root = tmp_path / "tiles"
    for number in range(3):
        scene = ground(number, 160, 200)
        for part, (r, c) in enumerate((r, c) for r in (0, 80) for c in (0, 100)):
            mask = np.full((80, 100, 3), LAND, np.uint8)
            mask[:, :14] = WATER
            if (number, part) == (1, 2):
                mask[:20, 50:] = BLANK
            folder = root / f"scene {number}"
            write_raster(folder / "images" / f"p{part}.png", scene[r : r + 80, c : c + 100])
            if number == 2:
                indices = (mask[..., 2] == 255).astype(np.uint8)
                write_palette(folder / "masks" / f"p{part}.png", indices)
            else:
                write_raster(folder / "masks" / f"p{part}.png", mask)
    return root


def write_palette(path, indices):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="PNG", height=80, width=100, count=1, dtype="uint8") as file:
        file.write(indices, 1)
        file.write_colormap(1, {0: (*LAND, 255), 1: (*WATER, 255)})


def test_what_spoils_a_training_is_told(scenes, palette, tmp_path):
    save_palette(palette, scenes / "classes.yaml")
    exploration = found(scenes, tmp_path)
    assert "17 borders" not in str(exploration)
    told(
        exploration,
        "are neighbours cut from one scene",
        "3 of 3 groups",
        "continue each other at 4 borders",
        "3 scenes are independent",
    )
    told(exploration, "#000000", "1,000 pixels", "p2.png", "class table does not name")
    told(exploration, "land has 8", "times those of water", "class_weights=balanced")
    told(exploration, "4 masks are pictures with a palette (scene 2)")
    told(exploration, "12 images are smaller than a tile")
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["class_pixels"]["water"] == 12 * 14 * 80 and figures["undeclared"] == {"#000000": 1000}
    assert figures["ignored_pixels"] == 1000 and len(figures["neighbours"]) == 12
    page = (tmp_path / "report" / "report.html").read_text()
    assert "scene 2" in page and page.count("<img") >= 7 and "http" not in page.replace("http://www.w3.org", "")


def test_tables_that_contradict_the_masks_are_told(scenes, tmp_path):
    (scenes / "classes.json").write_text(
        json.dumps([{"name": "Land", "color": "#111111"}, {"name": "Water", "color": "#222222"}])
    )
    exploration = found(scenes, tmp_path)
    told(exploration, "classes.json contradicts the masks", "#111111 (Land)", "#804000", "does not name")
    told(exploration, "No class table fits", "'#0000FF'")
    told(exploration, "#000000", "few masks hold it")


def test_files_that_do_not_fit_are_listed_and_the_others_explored(scenes, palette, tmp_path):
    save_palette(palette, scenes / "classes.yaml")
    (scenes / "scene 0" / "masks" / "p0.png").unlink()
    write_raster(scenes / "scene 0" / "masks" / "p1.png", np.zeros((10, 10, 3), np.uint8))
    broken = scenes / "scene 1" / "images" / "p0.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    exploration = found(scenes, tmp_path)
    told(exploration, "Files that do not fit", "2 more")
    assert exploration.figures["images"] == 9 and len(exploration.figures["problems"]) == 3


def test_divided_scenes_copies_and_missing_classes_are_told(tmp_path):
    table = [Class(name="land", color="#804000"), Class(name="water", color="#0000FF"), Class(name="snow", color="#FFFFFF")]
    root = tmp_path / "tiles"
    for part, seeds in (("train", (1, 2, 3)), ("val", (4, 3))):
        for seed in seeds:
            write_raster(root / part / "town" / "images" / f"{seed}.tif", ground(seed, 96, 96))
            write_raster(root / part / "town" / "masks" / f"{seed}.tif", np.eye(96, dtype=np.uint8)[..., None])
    save_palette(Palette(table), root / "classes.yaml")
    exploration = found(root, tmp_path)
    told(exploration, "divided between parts: town")
    told(exploration, "1 images come twice", "town/3.tif")
    told(exploration, "No pixel is snow")
    assert exploration.figures["ground_sampling_distance"] == [0.3]


def test_groups_that_continue_each_other_are_told(tmp_path, palette):
    scene = ground(5, 96, 288)
    for number in range(3):
        write_raster(tmp_path / "t" / f"g{number}" / "images" / "a.png", scene[:, 96 * number : 96 * (number + 1)])
        write_raster(tmp_path / "t" / f"g{number}" / "masks" / "a.png", np.eye(96, dtype=np.uint8)[..., None])
    save_palette(palette, tmp_path / "t" / "classes.yaml")
    told(found(tmp_path / "t", tmp_path), "Groups continue each other", "share 1 borders", "1 other pairs", "They may be parts of")


def test_the_command(scenes, tmp_path, capsys):
    assert run(command.__wrapped__, [str(scenes), "--output", str(tmp_path / "report")]) == 0
    assert "neighbours" in capsys.readouterr().out
    assert run(command.__wrapped__, [str(scenes), "--output", str(tmp_path / "report")]) == 2
    with pytest.raises(InputError, match="side by side"):
        found(tmp_path / "report", tmp_path / "x")

"""How often an exploration opens and decodes files, which is what its time depends on."""

from collections import Counter

import numpy as np
import pytest

from segment.config import DataSettings
from segment.core.labels.classes import save_class_table
from segment.core.progress import Silent
from segment.core.raster import opening
from segment.core.raster.reader import Raster
from segment.data.collections import open_tiles
from segment.exploration.explore import explore
from segment.exploration.image_statistics import gather_statistics
from segment.exploration.material import find_material
from tests.conftest import write_raster
from tests.segment.exploration.test_neighbours import ground


@pytest.fixture
def tiles(tmp_path, class_table):
    def write(count, groups):
        root = tmp_path / f"tiles{count}"
        for number in range(count):
            folder = root / f"scene{number % groups}"
            mask = (np.arange(48)[:, None] < 24 + np.zeros((48, 48, 1), int)).astype(np.uint8)
            name = f"r{48 * number:06}_c000000.png"
            write_raster(folder / "images" / name, ground(number, 48, 48))
            write_raster(folder / "masks" / name, mask)
        save_class_table(class_table, root / "classes.yaml")
        return root

    return write


@pytest.fixture
def reads(monkeypatch):
    """Counts how often each file is opened, and its pixels are decoded."""
    opened, decoded = Counter(), Counter()

    class Counting(Raster):
        def __init__(self, dataset, path, *rest):
            opened[path] += 1
            super().__init__(dataset, path, *rest)

        def read_stored(self, *arguments):
            decoded[self.path] += 1
            return super().read_stored(*arguments)

    monkeypatch.setattr(opening, "Raster", Counting)
    return opened, decoded


@pytest.mark.heavy
@pytest.mark.parametrize("count", [4, 40])
def test_each_tile_is_opened_twice_and_decoded_once(tiles, reads, count):
    opened, decoded = reads
    settings = DataSettings(tile=48)
    material = find_material(tiles(count, 2), settings, 0, Silent())
    assert not decoded
    found = gather_statistics(material, Silent(), 0)
    assert len(decoded) == 2 * count and set(decoded.values()) == {1}
    # once more for a sample of images, whose alpha bands are compared
    assert max(opened.values()) == 3 and sum(opened.values()) == 4 * count + min(count, 64)
    assert found.masks.masks == count and len(found.pixels.prints) == count


@pytest.mark.heavy
def test_a_division_by_ground_reads_no_tile_again(tiles, reads, tmp_path):
    _, decoded = reads
    explored = explore(tiles(30, 1), tmp_path / "report", DataSettings(tile=48))
    assert "Squares of ground" in str(explored)
    masks = [count for path, count in decoded.items() if "/masks/" in path]
    # two of each class are shown twice at most, and of images the picture of the split
    assert sum(masks) <= 30 + 2 * 6 and max(masks) <= 3
    trained = open_tiles(tmp_path / "tiles30", DataSettings(tile=48), 0)
    assert f"of {trained.division.edge} px" in str(explored)


def test_masks_of_very_many_values_are_counted_like_others(tmp_path, class_table):
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64, 1)
    folder = tmp_path / "t" / "scene"
    write_raster(folder / "images" / "a.tif", ground(0, 64, 64))
    write_raster(folder / "masks" / "a.tif", values)
    save_class_table(class_table, tmp_path / "t" / "classes.yaml")
    found = gather_statistics(
        find_material(tmp_path / "t", DataSettings(), 0, Silent()), Silent(), 0
    )
    assert found.held == [None]
    indices, whole = found.of_classes(class_table)
    assert indices[0, :2].tolist() == whole[0].tolist() == [1, 1] and indices.sum() == 64 * 64

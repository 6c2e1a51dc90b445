"""What grids of drawn pictures show, and say they show."""

from types import SimpleNamespace

import numpy as np
import pytest

from classify.generator.sample_grids import SampleGrids, arrange_in_rows, draw_classes

pytestmark = pytest.mark.heavy


class Drawer:
    """Draws pictures of 4 x 4 px whose level is the class index, and keeps what it was
    asked for.
    """

    def __init__(self, classes: int):
        names = [f"c{number}" for number in range(classes)]
        self.info = SimpleNamespace(class_table=SimpleNamespace(names=names))

    def draw(self, labels, seed=0, first=0, bandwidth=0.5):
        self.asked = seed, bandwidth
        return np.broadcast_to(
            np.asarray(labels, np.uint8)[:, None, None, None], (len(labels), 4, 4, 3)
        )


def test_the_words_tell_seed_and_bandwidth():
    drawer = Drawer(2)
    grid, words = draw_classes(drawer, 7, 1)
    assert (
        drawer.asked == (7, 1)
        and words == "Drawn pictures, a row each of c0, c1; seed 7, bandwidth 1."
    )
    assert grid.shape == (2 * 6 - 2, 10 * 6 - 2, 3) and grid[0, 0, 0] == 0 and grid[6, 0, 0] == 1


def test_of_many_classes_those_that_are_shown_are_named():
    grid, words = draw_classes(Drawer(23))
    assert grid.shape[0] == 20 * 6 - 2
    assert (
        words.endswith("c18, c19 (20 of 23 classes); seed 0, bandwidth 0.5.") and "c20" not in words
    )


def test_grids_of_an_epoch_that_was_killed_are_written_again(tmp_path):
    drawer, images = Drawer(2), [SimpleNamespace(labels=(0,))]
    drawer.reconstruct = lambda pictures, labels: pictures
    dataset = SimpleNamespace(images=images, image_at=lambda _: np.zeros((4, 4, 3), np.uint8))
    SampleGrids(tmp_path / "grids", dataset, 1).add(drawer)
    written = {file.name: file.read_bytes() for file in (tmp_path / "grids").iterdir()}
    assert set(written) == {"samples-002.png", "reconstructions-002.png"}
    (tmp_path / "grids" / "samples-002.png").write_bytes(b"of the killed training")
    SampleGrids(tmp_path / "grids", dataset, 1).add(drawer)
    assert {file.name: file.read_bytes() for file in (tmp_path / "grids").iterdir()} == written


@pytest.mark.parametrize("count, rows, columns", [(1, 1, 1), (3, 1, 3), (10, 1, 10), (11, 2, 10)])
def test_a_row_that_is_not_full_ends_in_white(count, rows, columns):
    found = arrange_in_rows(np.zeros((count, 4, 4, 3), np.uint8), 10)
    assert found.shape == (rows * 6 - 2, columns * 6 - 2, 3)
    assert found[-1, -1, 0] == (255 if count % columns else 0)

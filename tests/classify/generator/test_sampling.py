"""Folders of drawn pictures, of a generator that draws each class in its own grey."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from classify.generator.sampling import write_samples

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (("a/b", "a_b", "c"), ("a_b_", "a_b", "c")),
        (("a_b_", "a/b", "a_b"), ("a_b_", "a_b__", "a_b")),
        (("a/b", "a_b/", "x"), ("a_b", "a_b_", "x")),
        (("a/b", "x/y", "z"), ("a_b", "x_y", "z")),
        (("..", "__", "."), ("___", "__", "_")),
    ],
)
def test_each_class_has_a_folder_of_its_own(tmp_path: Path, names, folders) -> None:
    def draw(labels, *_: object, **__: object) -> np.ndarray:
        greys = 50 + 50 * np.asarray(labels, np.uint8)[:, None, None, None]
        return np.broadcast_to(greys, (len(labels), 8, 8, 3)).copy()

    table = SimpleNamespace(names=list(names))
    generator = SimpleNamespace(info=SimpleNamespace(class_table=table), draw=draw)
    drawn = write_samples(generator, tmp_path / "drawn", 7)  # type: ignore[arg-type]
    assert drawn.counts == dict(zip(names, (3, 2, 2), strict=True))
    for number, folder in enumerate(folders):
        files = sorted((tmp_path / "drawn" / folder).iterdir())
        assert [int(file.stem) % 3 for file in files] == [number] * (3 if number == 0 else 2)
        assert all((cv2.imread(str(file)) == 50 + 50 * number).all() for file in files)

"""Answers that are unsure, and cells smoothed with their neighbours, against plain loops."""

import csv
from pathlib import Path

import numpy as np
import pytest

from classify.cluster.cell_job import ARRAYS, CellJob
from classify.labelling.cell_labels import CellAnswers, CellLabels, answer_cells
from classify.labelling.cells import Cells
from classify.labelling.doubt import UNSURE, Doubt, shown_classes
from classify.labelling.formats import as_csv, as_json, as_table
from classify.labelling.predict import choose_labels
from classify.labelling.prediction import Prediction
from segment.core.cluster.block_file import BlockFile, block_path, write_block
from segment.core.labels.classes import Class, numbered_color
from segment.core.model.folder import NOVELTY_FILE
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.pixels.novelty import NoveltyDetector
from segment.core.raster.blocks import Blocks, divide
from segment.core.raster.sources import Source
from tests.classify.labelling.test_grid import EDGE, FakeLabeller
from tests.conftest import write_raster
from tests.fakes import COLORS, NAMES, FakeModel

TABLE = [
    Class(name=n, color=c, value=v) for n, c, v in zip(NAMES[:3], COLORS, (0, 1, 5), strict=False)
]


def info(unsure: float | None = 0.5, table: list[Class] = TABLE) -> ModelInfo:
    found = FakeModel(classes=3).info
    labels = LabelInfo(resize=0, unsure=unsure)
    return found.model_copy(update={"task": "classify", "labels": labels, "classes": table})


def answers(rows: int = 5, columns: int = 6, seed: int = 0) -> CellAnswers:
    random = np.random.default_rng(seed)
    found = CellAnswers(
        random.dirichlet([0.6] * 3, (rows, columns)).astype(np.float32),
        random.random((rows, columns)) > 0.2,
        random.random((rows, columns)) > 0.8,
    )
    found.probabilities[~found.seen] = 0
    return found


def smoothed(found: CellAnswers) -> np.ndarray:
    """Cell by cell, as one would write it on paper."""
    means = found.probabilities.astype(np.float64).copy()
    rows, columns = found.seen.shape
    for row, column in np.ndindex(rows, columns):
        sums, weights = np.zeros(3), 0
        for i in range(max(row - 1, 0), min(row + 2, rows)):
            for k in range(max(column - 1, 0), min(column + 2, columns)):
                if found.seen[i, k] and not found.unfamiliar[i, k]:
                    weight = (2 - abs(i - row)) * (2 - abs(k - column))
                    sums, weights = sums + weight * found.probabilities[i, k], weights + weight
        if found.seen[row, column] and weights:
            means[row, column] = sums / weights
    return means


@pytest.mark.parametrize(("rows", "columns"), [(5, 6), (1, 1), (1, 4), (3, 1)])
def test_smoothing_averages_a_cell_and_its_neighbours(rows: int, columns: int) -> None:
    for seed in range(5):
        found = answers(rows, columns, seed)
        assert found.smoothed().probabilities == pytest.approx(smoothed(found), abs=1e-6)


def test_cells_are_unsure_below_the_threshold_or_where_unfamiliar() -> None:
    found = answers()
    labels = CellLabels.of(found, info())
    highest = found.probabilities.max(axis=2)
    expected = np.where((highest < 0.5) | found.unfamiliar, 3, found.probabilities.argmax(axis=2))
    expected[~found.seen] = 255
    assert labels.indices.tolist() == expected.ravel().tolist()
    assert set(expected.ravel()) >= {0, 1, 2, 3, 255}
    seen = found.seen.ravel()
    assert labels.probabilities[seen].tolist() == highest.ravel()[seen].tolist()
    without = CellLabels.of(found, info(None))
    assert without.indices.max(initial=0, where=without.indices != 255) == 2


def test_smoothing_makes_no_cell_unsure_that_was_sure() -> None:
    found, seen = answers(16, 16), answers(16, 16).seen.ravel()
    plain, smooth = (CellLabels.of(found, info(), smooth=s).indices for s in (False, True))
    assert not ((plain != 3) & (smooth == 3) & seen).any()
    assert ((plain == 3) & (smooth != 3)).any()
    final = smoothed(found)
    sure = smooth < 3
    assert smooth[sure].tolist() == final.reshape(-1, 3).argmax(axis=1)[sure].tolist()


@pytest.mark.parametrize(("classes", "unsure"), [(255, None), (254, 0.5), (255, 0.5)])
def test_classes_leave_a_value_for_unsure(classes: int, unsure: float | None) -> None:
    table = [Class(name=f"c{i}", color=numbered_color(i), value=i) for i in range(classes)]
    content = info(unsure, table).model_dump(mode="json")
    if unsure is not None and classes == 255:
        with pytest.raises(ValueError, match=r"labels\.unsure: is not null, but classes have all"):
            ModelInfo.model_validate(content)
        return
    shown = shown_classes(ModelInfo.model_validate(content))
    assert len(shown) == classes + (unsure is not None)


def test_unsure_has_a_name_a_colour_and_a_value_of_its_own() -> None:
    classes = shown_classes(info())
    assert classes.names == [*NAMES[:3], UNSURE] and classes.classes[3].value == 2
    assert shown_classes(info(None)).names == NAMES[:3]
    taken = [*TABLE[:2], Class(name="Unsure", color="#DCDCDC", value=2)]
    assert shown_classes(info(0.5, taken)).names[3] == "unsure (none of these)"
    assert shown_classes(info(0.5, taken)).classes[3].color == "#C4C4C4"
    greys = [Class(name=c, color=c, value=i) for i, c in enumerate(("#C4C4C4", "#FFFFFF"))]
    assert len({c.color for c in shown_classes(info(0.5, [*greys, taken[2]])).classes}) == 4


def test_the_detector_of_the_model_folder_is_asked(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    dark = [random.integers(0, 60, (32, 32, 3)).astype(np.uint8) for _ in range(80)]
    NoveltyDetector.fit(dark[:50], dark[50:]).save(tmp_path)
    assert (tmp_path / NOVELTY_FILE).is_file()
    model = FakeModel(bands=3)
    model.info, model.folder = info().model_copy(update={"bands": 3}), tmp_path  # type: ignore[attr-defined]
    doubt = Doubt.of(model)
    bright = random.integers(180, 255, (32, 32, 3)).astype(np.uint8)
    assert doubt.unfamiliar([dark[0], bright]).tolist() == [False, True]
    sure = np.array([[0.9, 0.1, 0], [0.9, 0.1, 0]], np.float32)
    assert doubt.unsure(sure, doubt.unfamiliar([dark[0], bright])).tolist() == [False, True]
    model.info = info(None)
    assert Doubt.of(model) == Doubt()


def test_unsure_is_shown_in_all_forms() -> None:
    p = np.array([[0.9, 0.1, 0], [0.4, 0.35, 0.25]], np.float32)
    found = list(choose_labels(["a.png", "b.png"], p, np.array([False, True]), info(), 2))
    assert [one.given for one in found] == [["building"], ["unsure"]]
    assert as_table(found).splitlines() == [
        "a.png          *building 0.900   land 0.100",
        "b.png  unsure   building 0.400   land 0.350",
    ]
    assert as_csv(found).splitlines()[2] == "b.png,unsure,building,0.400000,land,0.350000"
    assert '"unsure": true' in as_json(found) and '"unsure": false' in as_json(found)
    assert str(found[1]) == "b.png  unsure  building 0.400  land 0.350"
    assert "b.png: unsure" in found[1]._repr_html_()
    assert "unsure" not in as_table(found[:1])


def test_rows_of_images_that_could_not_be_labelled_are_as_long_as_others() -> None:
    found = [
        Prediction("a.png", [("building", 0.9), ("land", 0.1)], ["building"]),
        Prediction("b.png", [], [], "b.png: no such file"),
    ]
    rows = list(csv.reader(as_csv(found).splitlines()))
    assert rows[2] == ["b.png", *[""] * 5] and {len(row) for row in rows} == {6}
    assert as_csv(found[1:]) == "image,given\nb.png,"


def test_a_class_may_be_called_unsure() -> None:
    table = [
        Class(name=name, color=c) for name, c in zip(("Unsure", "b", "c"), COLORS, strict=False)
    ]
    p = np.array([[0.9, 0.1, 0], [0.4, 0.35, 0.25]], np.float32)
    found = choose_labels(["a", "b"], p, np.array([False, True]), info(0.5, table), 1)
    rows = as_csv(list(found)).splitlines()[1:]
    assert rows == ["a,Unsure,Unsure,0.900000", "b,unsure (none of these),Unsure,0.400000"]


@pytest.mark.heavy
@pytest.mark.parametrize(("height", "width"), [(70, 90), (40, 37)])
def test_blocks_give_the_answers_of_the_whole(tmp_path: Path, height: int, width: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 200, (height, width, 1)).astype(np.uint8)
    source = Source(write_raster(tmp_path / "town.tif", pixels))
    cells, model = Cells(height, width, EDGE), FakeLabeller()
    whole = answer_cells(source, cells, cells.whole, model, False)
    assert whole.seen.all() and len(np.unique(whole.probabilities)) > 4
    joined = CellAnswers.empty(cells.whole.shape, 5)
    rows, columns = (edges.tolist() for edges in cells.borders())
    blocks = Blocks(divide(rows[-1], 32, rows), divide(columns[-1], 32, columns))
    job = CellJob(Path(), tmp_path, source, [], cells, False)
    for block in blocks:
        write_block(path := block_path(tmp_path, block), *job.compute(block, model))
        area = cells.within(block)
        with BlockFile(path) as file:
            for name in ARRAYS:
                place = np.ix_(area.rows, area.columns)
                getattr(joined, name)[place] = file.read(name)
    for name in ARRAYS:
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()

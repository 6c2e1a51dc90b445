import json
from collections import Counter

import pytest

from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.exploration.class_tables import find_class_tables


@pytest.fixture
def dubai_table(tmp_path):
    classes = [
        {"title": "Water", "color": "#50e3c2", "shape": "polygon"},
        {"title": "Unlabeled", "color": "#9B9B9B"},
    ]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes, "tags": []}))
    return tmp_path


def test_tables_of_labelling_tools_are_read_and_held_against_the_masks(dubai_table):
    (table,) = find_class_tables(dubai_table)
    assert table.colors == {"#50E3C2": "Water", "#9B9B9B": "Unlabeled"}
    held = Counter({"#E2A929": 90, "#9B9B9B": 10})
    assert table.absent(held) == {"#50E3C2": "Water"} and table.unknown(held) == {"#E2A929": 90}


def test_own_tables_hold_for_values_as_for_colours(tmp_path, class_table):
    (tmp_path / "deep").mkdir()
    save_class_table(class_table, tmp_path / "deep" / "classes.yaml")
    (table,) = find_class_tables(tmp_path)
    assert not table.absent(Counter({"0": 5, "1": 5})) and not table.unknown(
        Counter({"0": 5, "1": 5})
    )
    assert table.absent(Counter({"0": 5})) == {"#0000FF": "water"} and table.unknown(
        Counter({"7": 1})
    ) == {"7": 1}


@pytest.mark.parametrize(
    "content", ["", "{", "[1, 2]", '{"name": "x", "color": 5}', '{"name": "x", "color": "red"}']
)
def test_other_files_are_no_tables(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    (tmp_path / "classes.yaml").write_text(content)
    assert find_class_tables(tmp_path) == []


def test_masks_drawn_in_map_colours_fit_their_table(tmp_path):
    class_table = ClassTable(
        [Class(name="a", color="#100000", map_color="#300000"), Class(name="b", color="#200000")]
    )
    save_class_table(class_table, tmp_path / "classes.yaml")
    (table,) = find_class_tables(tmp_path)
    drawn = Counter({"#300000": 5, "#200000": 5})
    assert not table.absent(drawn) and not table.unknown(drawn)
    assert table.absent(Counter({"#300000": 5})) == {"#200000": "b"}


@pytest.mark.parametrize("levels", [20, 5000, 100_000])
def test_tables_that_nest_deeply_are_passed_over_or_read(tmp_path, levels):
    inner = '{"name": "Water", "color": "#50e3c2"}'
    (tmp_path / "classes.json").write_text("[" * levels + inner + "]" * levels)
    assert len(find_class_tables(tmp_path)) == (levels < 100)

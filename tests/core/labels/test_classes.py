import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.labels.classes import (
    IGNORED,
    Class,
    ClassTable,
    load_class_table,
    save_class_table,
)
from segment.core.labels.mask_values import decode_values

CLASSES = [
    Class(name="land", color="#804000"),
    Class(name="water", color="#0000ff", value=7),
    Class(name="unlabeled", color="#9B9B9B", value=9, ignore=True),
]


def test_values_decode_to_positions():
    indices, undeclared = decode_values(
        np.array([[0, 7, 9, 255, 3, 3]], np.uint8)[..., None], ClassTable(CLASSES)
    )
    assert indices.tolist() == [[0, 1, IGNORED, IGNORED, IGNORED, IGNORED]]
    assert undeclared == {"3": 2}


def test_colors_decode_to_positions():
    colors = np.array([[[128, 64, 0], [0, 0, 255], [155, 155, 155], [1, 2, 3]]], np.uint8)
    indices, undeclared = decode_values(colors, ClassTable(CLASSES))
    assert indices.tolist() == [[0, 1, IGNORED, IGNORED]]
    assert undeclared == {"#010203": 1}


def test_a_fourth_band_is_transparency_and_not_looked_at():
    colors = np.array([[[0, 0, 255, 10]]], np.uint8)
    assert decode_values(colors, ClassTable(CLASSES))[0].tolist() == [[1]]


def test_lookup_tables_go_back_to_values_and_colors():
    class_table = ClassTable(CLASSES)
    assert class_table.values()[[0, 1, IGNORED]].tolist() == [0, 7, 255]
    assert class_table.colors()[[1, IGNORED]].tolist() == [[0, 0, 255, 255], [0, 0, 0, 0]]


def test_table_survives_its_file(tmp_path):
    save_class_table(ClassTable(CLASSES), tmp_path / "classes.yaml")
    assert load_class_table(tmp_path / "classes.yaml") == ClassTable(CLASSES)


def test_indices_can_count_by_another_tables_classes():
    indices, undeclared = decode_values(
        np.array([[0, 7, 9]], np.uint8)[..., None], ClassTable(CLASSES), ["road", "Water"]
    )
    assert indices.tolist() == [[IGNORED, 1, IGNORED]]
    assert not undeclared


def test_floats_that_are_no_values_are_undeclared_or_nodata():
    mask = np.array([[0.0, 7.0, 0.7, np.nan, np.inf]])[..., None]
    indices, undeclared = decode_values(mask, ClassTable(CLASSES))
    assert indices.tolist() == [[0, 1, IGNORED, IGNORED, IGNORED]]
    assert undeclared == {"0.7": 1}


@pytest.mark.parametrize(
    "table, word",
    [
        ([Class(name="Land", color="#000000"), Class(name="land", color="#000001")], "name"),
        ([Class(name="a", color="#000000"), Class(name="a", color="#000001")], "name"),
        ([Class(name="a", color="#000000"), Class(name="b", color="#000000")], "color"),
        ([Class(name="a", color="#000000", value=1), Class(name="b", color="#000001")], "value"),
        ([Class(name=f"c{i}", color=f"#0000{i:02X}", value=i) for i in range(256)], "255"),
        ([Class(name="a", color="#000000", ignore=True)], "no class"),
    ],
)
def test_unclear_tables_are_refused(table, word):
    with pytest.raises(InputError, match=word):
        ClassTable(table)


@pytest.mark.parametrize(
    "text",
    [
        "name: water",
        "- {name: a}",
        "- {name: a, color: blue}",
        "- [",
        "- {name: a, color: '#000000', x: 1}",
    ],
)
def test_broken_files_are_named(tmp_path, text):
    (tmp_path / "classes.yaml").write_text(text)
    with pytest.raises(InputError, match="classes.yaml"):
        load_class_table(tmp_path / "classes.yaml")


def test_names_may_be_whole_numbers(tmp_path):
    file = tmp_path / "classes.yaml"
    file.write_text("- {name: 111, color: '#000000'}\n- {name: 211, color: '#FFFFFF'}\n")
    assert load_class_table(file).names == ["111", "211"]
    file.write_text("- {name: yes, color: '#000000'}\n")
    with pytest.raises(InputError, match=r"name: Input should be a valid string"):
        load_class_table(file)


def test_maps_are_drawn_in_a_colour_of_their_own():
    class_table = ClassTable(
        [
            Class(name="land", color="#804000", map_color="#f4e0b4"),
            Class(name="water", color="#0000FF"),
        ]
    )
    assert class_table.colors()[[0, 1]].tolist() == [[0xF4, 0xE0, 0xB4, 255], [0, 0, 255, 255]]
    assert [c.map_color for c in class_table.classes] == ["#F4E0B4", "#0000FF"]
    assert class_table.classes[1] == Class(
        name="water", color="#0000FF", value=1, map_color="#0000ff"
    )


def test_a_map_colour_survives_the_file_and_is_left_out_where_it_is_the_default(tmp_path):
    class_table = ClassTable(
        [
            Class(name="land", color="#804000", map_color="#F4E0B4"),
            Class(name="water", color="#0000FF"),
        ]
    )
    save_class_table(class_table, tmp_path / "classes.yaml")
    assert load_class_table(tmp_path / "classes.yaml") == class_table
    assert (tmp_path / "classes.yaml").read_text().count("map_color") == 1


A, B, C = [[16, 0, 0]], [[32, 0, 0]], [[48, 0, 0]]


def pairs(first: str, second: str, **ignored: str) -> ClassTable:
    """Two learned classes in colours A and B that are drawn in `first` and `second`, and an ignored
    one.
    """
    table = [
        Class(name="a", color="#100000", map_color=first),
        Class(name="b", color="#200000", map_color=second),
    ]
    return ClassTable([*table, Class(name="none", ignore=True, **({"color": "#9B9B9B"} | ignored))])


def test_a_drawn_map_decodes_as_a_mask():
    drawn = np.array([A, B, C], np.uint8)
    indices, _ = decode_values(drawn, pairs("#300000", "#200000"))
    assert indices.tolist() == [[0], [1], [0]]


@pytest.mark.parametrize(
    "class_table", [pairs("#200000", "#300000"), pairs("#300000", "#400000", color="#300000")]
)
def test_a_drawn_map_that_could_be_misread_is_undeclared(class_table):
    indices, undeclared = decode_values(np.array([A, B, [[64, 0, 0]], C], np.uint8), class_table)
    assert indices[:3].tolist() == [[0], [1], [IGNORED]]
    assert indices[3] == IGNORED
    assert "#400000" in undeclared


def test_what_ignored_classes_are_drawn_in_hides_nothing():
    undeclared = decode_values(
        np.full((1, 1, 3), 255, np.uint8), pairs("#300000", "#400000", map_color="#FFFFFF")
    )[1]
    assert undeclared == {"#FFFFFF": 1}


@pytest.mark.parametrize(
    ("first", "second"), [("#300000", "#300000"), ("#20000a", "#20000A"), ("#200000", "#200000")]
)
def test_maps_of_classes_in_one_colour_are_refused(first, second):
    with pytest.raises(
        InputError, match=r"Several classes have the map_color '#[0-9a-f]{6}'\. Give each its own"
    ):
        pairs(first, second)


def test_tables_that_differ_in_map_colours_decode_alike():
    assert pairs("#300000", "#400000").decodes_as(pairs("#100000", "#200000"))
    assert not pairs("#300000", "#400000").decodes_as(ClassTable(CLASSES))


@pytest.mark.parametrize("value", ["yes", "on", "true", "[false]"])
def test_a_truth_value_is_no_mask_value(tmp_path, value):
    (tmp_path / "classes.yaml").write_text(f'- {{name: land, color: "#8429F6", value: {value}}}\n')
    with pytest.raises(InputError):
        load_class_table(tmp_path / "classes.yaml")

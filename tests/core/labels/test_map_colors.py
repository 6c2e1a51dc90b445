from pathlib import Path
from typing import Any

import pytest

from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable
from segment.core.labels.map_colors import recolor

TABLE = ClassTable(
    [
        Class(name="Water", color="#0000FF", value=7),
        Class(name="road", color="#804000", map_color="#808080", value=3),
        Class(name="unlabeled", color="#9B9B9B", value=255, ignore=True),
    ]
)


def drawn(table: ClassTable) -> dict[str, str]:
    return {c.name: c.map_color for c in table.classes}


def test_classes_are_matched_by_name_and_keep_all_but_their_map_colour(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        '- {name: ROAD, color: "#123456", map_color: "#ff00ff", value: 9}\n'
        '- {name: water, color: "#00ffff"}\n- {name: shadow, color: "#000000", ignore: true}\n'
    )
    found = recolor(TABLE, file)
    assert found.notes == ()
    assert drawn(found.table) == {"Water": "#00FFFF", "road": "#FF00FF"}
    assert found.table.decodes_as(TABLE)
    assert [c.value for c in found.table.mapped] == [7, 3]
    assert recolor(TABLE, None).table is TABLE


def test_classes_without_a_colour_keep_theirs_with_a_note() -> None:
    found = recolor(TABLE, ClassTable([Class(name="road", color="#FF0000")]))
    assert drawn(found.table) == {"Water": "#0000FF", "road": "#FF0000"}
    assert found.notes == ("colors does not name Water: drawn in the colours of the model.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('- {name: waters, color: "#0000FF"}', "no class 'waters', but Water, road. Did you mean"),
        ('- {name: sand, color: "#0000FF"}', "Correct the name, or leave the class out."),
        ('- {name: road, color: "#0000FF"}', "Water and road would both be drawn in #0000FF"),
        ('- {name: road, color: "red"}', "class 1, color: .*be like '#E2A929'"),
        (
            '- {name: road, color: "#0000FF"}\n- {name: Road, color: "#00FFFF"}',
            "Several classes have the name 'road'",
        ),
        (
            '- {name: road, color: "#00FFFF"}\n- {name: water, color: "#00FFFF"}',
            "Several classes have the color '#00ffff'",
        ),
        ("[]", "has no class that is not ignored"),
        ("colors: 7", "not a list of classes"),
        ("- {name: [", "not valid YAML"),
        ("- {name: road, color: #0000FF}", 'color: "#E2A929"'),
    ],
)
def test_what_cannot_be_drawn_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        recolor(TABLE, file)
    assert str(error.value).startswith(f"{file}: ")


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: No such file"):
        recolor(TABLE, tmp_path / "none.yaml")


def test_colours_of_the_model_may_change_places() -> None:
    swapped = [Class(name="Water", color="#808080"), Class(name="road", color="#0000FF")]
    assert drawn(recolor(TABLE, ClassTable(swapped)).table) == {
        "Water": "#808080",
        "road": "#0000FF",
    }


@pytest.mark.parametrize("colors", [["#FF0000"], {"Water": "#0000FF"}])
def test_what_is_no_class_table_is_one_line(colors: Any) -> None:
    with pytest.raises(InputError, match="colors: a class table or the path of one. Received"):
        recolor(TABLE, colors)

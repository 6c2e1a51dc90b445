"""Label sets: what labels of a collection may be, and how answers to them are scored."""

import numpy as np
import pytest

from classify.label_sets import LabelView, admitted_classes, find_unions, likeliest_reference
from segment.core.errors import InputError

NAMES = ["forest", "meadow", "pond", "river"]


def test_labels_are_the_classes_listed_or_of_their_name():
    given = {"Grass": "meadow", "water": ["river", "POND"], "cloud": None, "any": NAMES}
    found = admitted_classes("x", given, ["Forest", "grass", "Water", "cloud", "any"], NAMES)
    assert found == {
        "Forest": ["forest"],
        "grass": ["meadow"],
        "Water": ["pond", "river"],
        "cloud": [],
        "any": [],
    }


@pytest.mark.parametrize(
    "given, labels, words",
    [
        ({"gras": "meadow"}, ["forest", "grass"], ["'gras'", "Did you mean 'grass'"]),
        ({"grass": "medow"}, ["grass"], ["'medow'", "Did you mean 'meadow'"]),
        ({}, ["forest", "lawn"], ["folder 'lawn'", "forest, meadow", "null"]),
        ({"a": None, "A": "pond"}, ["a"], ["twice", "a, A"]),
        ({"a": None, "b": NAMES}, ["a", "b"], ["nothing can be learned"]),
    ],
)
def test_faults_name_the_collection_the_value_and_the_cure(given, labels, words):
    with pytest.raises(InputError) as caught:
        admitted_classes("rsscn7", given, labels, NAMES)
    for word in ["data.collections: rsscn7", *words]:
        assert word in str(caught.value)


def test_unions_are_the_sets_of_several_once_in_order():
    assert find_unions([(2, 3), (0,), (), (1, 2), (2, 3)]) == [(1, 2), (2, 3)]


def test_an_answer_within_the_set_is_right_and_any_other_wrong():
    admitted = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [1, 0, 0, 0]], np.float32)
    p = np.array([[0.1, 0.1, 0.2, 0.6], [0.5, 0, 0.3, 0.2], [0.2, 0.8, 0, 0]], np.float32)
    chosen = likeliest_reference(admitted, p)
    assert chosen.tolist() == [[0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    right = chosen.argmax(1) == p.argmax(1)
    assert right.tolist() == [admitted[i, p[i].argmax()] == 1 for i in range(3)]


def test_a_view_sums_the_classes_of_each_label():
    label_map = {"woods": ["forest"], "lake": ["pond", "river"], "sky": [], "stream": NAMES[2:]}
    view = LabelView.of("rsscn7", label_map, NAMES)
    assert view.names == ["woods", "lake or stream"]  # no image tells these apart
    p = np.array([[0.1, 0.4, 0.3, 0.2], [0.7, 0.1, 0.1, 0.1]], np.float32)
    assert view.probabilities(p) == pytest.approx(np.array([[0.1, 0.5], [0.7, 0.2]]))
    assert view.admitted([(2, 3), (0,)]).tolist() == [[0, 1], [1, 0]]
    assert "the sum of those of the classes" in view.how


def test_classes_are_scored_where_labels_overlap():
    """The sum of a wide label is never below that of a label within it."""
    label_map = {"woods": ["forest"], "green": ["forest", "meadow"], "lake": ["pond"]}
    view = LabelView.of("rsscn7", label_map, NAMES)
    assert view.names == NAMES[:3]
    p = np.array([[0.5, 0.3, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1], [0.2, 0.5, 0.2, 0.1]], np.float32)
    assert view.probabilities(p) == pytest.approx(p[:, :3])
    assert view.admitted([(0,), (0, 1), (2,)]).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert "overlap" in view.how

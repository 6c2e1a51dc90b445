import pytest

from classify.config import DataSettings
from classify.data.bands import (
    EUROSAT_BANDS,
    band_names,
    bands_by_name,
    choose_bands,
    rgb_positions,
)
from segment.core.errors import InputError

NAMELESS = (None,) * 13
SENTINEL = ("B2", "B3", "B4", "B8", "QA")


@pytest.mark.parametrize(
    "settings,count,descriptions,expected",
    [
        ({}, 13, NAMELESS, None),
        ({"bands": [3, 1]}, 3, (None,) * 3, (3, 1)),
        ({"bands": ["B04", "b3", "B2", "B8A"]}, 13, NAMELESS, (4, 3, 2, 13)),
        ({"bands": ["B8", "B12"]}, 13, NAMELESS, (8, 12)),
        ({"leave_out": ["B10", 1]}, 13, NAMELESS, (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13)),
        ({"bands": [4, 3, 2], "leave_out": [3, 9]}, 13, NAMELESS, (4, 2)),
        ({"bands": ["B04", "b08", "qa"]}, 5, SENTINEL, (3, 4, 5)),
        ({"bands": ["B02"]}, 13, (*SENTINEL, *["x"] * 8), (1,)),
        ({"bands": ["B02", "Elevation"]}, 13, (None,) * 12 + ("elevation",), (2, 13)),
        ({"leave_out": [2]}, 3, ("red", "green", "blue", None), (1, 3)),
    ],
)
def test_bands_by_number_and_by_name(settings, count, descriptions, expected):
    assert choose_bands(DataSettings.model_validate(settings), count, descriptions) == expected


@pytest.mark.parametrize(
    "settings,count,descriptions,words",
    [
        ({"bands": [0]}, 3, (None,) * 3, ["data.bands", "band 0", "1 to 3", "without names"]),
        ({"bands": [4]}, 3, (None,) * 3, ["data.bands", "band 4", "1 to 3"]),
        ({"bands": ["B04"]}, 3, (None,) * 3, ["data.bands", "'B04'", "1 to 3", "without names"]),
        ({"bands": ["B99"]}, 13, NAMELESS, ["'B99'", "1 to 13", "B01", "B8A"]),
        (
            {"leave_out": ["B10"]},
            5,
            SENTINEL,
            ["data.leave_out", "'B10'", "1 to 5", "B2, B3, B4, B8, QA"],
        ),
        ({"bands": ["B10"]}, 13, (*SENTINEL, *["x"] * 8), ["'B10'", "QA"]),
        ({"bands": [2, "B02"]}, 13, NAMELESS, ["data.bands", "band 2 twice"]),
        ({"bands": [2], "leave_out": ["B02"]}, 13, NAMELESS, ["leave_out", "no band to read"]),
    ],
)
def test_bands_that_there_are_not_are_refused(settings, count, descriptions, words):
    with pytest.raises(InputError) as caught:
        choose_bands(DataSettings.model_validate(settings), count, descriptions)
    assert [word for word in words if word not in str(caught.value)] == [] and "\n" not in str(
        caught.value
    )


@pytest.mark.parametrize(
    "chosen,count,descriptions,expected",
    [
        (None, 3, (None,) * 3, (0, 1, 2)),
        (None, 13, NAMELESS, (3, 2, 1)),
        ((2, 3, 4, 8), 13, NAMELESS, (2, 1, 0)),
        ((4, 3, 2), 13, NAMELESS, (0, 1, 2)),
        (None, 4, ("Blue", "GREEN", "red", "nir"), (2, 1, 0)),
        ((8, 4, 3), 13, NAMELESS, (1, 2, 0)),  # no blue: the band that is left
        ((8, 9, 12, 4), 13, NAMELESS, (3, 0, 1)),
        ((3, 2, 1), 3, (None,) * 3, (0, 1, 2)),
        (None, 1, (None,), (0, 0, 0)),
        (None, 2, (None,) * 2, (0, 1, 1)),
        ((8, 4), 13, NAMELESS, (1, 0, 1)),
    ],
)
def test_where_red_green_and_blue_are(chosen, count, descriptions, expected):
    assert rgb_positions(chosen, count, descriptions) == expected


def test_eurosat_has_thirteen_bands_with_the_narrow_infrared_last():
    assert len(EUROSAT_BANDS) == 13 and EUROSAT_BANDS.index("B8A") == 12


def test_bands_are_found_by_name_whatever_their_order():
    names = band_names((4, 3, 2), 13, [None] * 13)
    assert names == ["B04", "B03", "B02"]
    assert band_names(None, 3, ["red", None, "blue"]) == []
    assert bands_by_name(names, 4, ["B02", "B3", "b04", "B08"]) == (3, 2, 1)
    assert bands_by_name(names, 13, [None] * 13) == (4, 3, 2)
    assert bands_by_name(names, 3, [None] * 3) is None and bands_by_name([], 3, ["B02"] * 3) is None
    with pytest.raises(InputError, match="no band B03"):
        bands_by_name(names, 2, ["B04", "B02"])


def test_alpha_is_read_where_its_number_is_asked_for():
    assert choose_bands(DataSettings(bands=[1, 2, 3, 4]), 3, [None] * 4) == (1, 2, 3, 4)
    with pytest.raises(InputError, match="bands 1 to 4"):
        choose_bands(DataSettings(bands=[5]), 3, [None] * 4)

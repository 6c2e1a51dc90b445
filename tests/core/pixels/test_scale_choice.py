"""What users write for a scale."""

import json
from pathlib import Path

import pytest

from segment.core.errors import InputError
from segment.core.pixels.band_scale import BandScale
from segment.core.pixels.scale_choice import check_scale, parse_scale


def test_choices() -> None:
    assert parse_scale("auto").kind == "auto"
    assert parse_scale(" never ").kind == "never"
    assert parse_scale("0,3000").ends == parse_scale((0, 3000)).ends == (0.0, 3000.0)
    assert parse_scale("-0.5, 1e3").ends == (-0.5, 1000.0)
    percentages = parse_scale("2%, 98.5 %")
    assert (percentages.kind, percentages.ends) == ("percentages", (2.0, 98.5))


def test_the_scale_of_a_report(tmp_path: Path) -> None:
    report = tmp_path / "a_report.json"
    scale = BandScale((1.0, 2.0), (3.0, 4.5), "uint16", "why")
    report.write_text(json.dumps({"scale": scale.report}))
    for option in (report, str(report)):
        found = parse_scale(option).scale
        assert found
        assert (found.low, found.high, found.dtype) == (scale.low, scale.high, "uint16")
        assert found.origin == "the scale of a_report.json"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("sometimes", "unknown"),
        ("", "unknown"),
        ("1", "unknown"),
        ("1,2,3", "unknown"),
        ("2%,98", "unknown"),
        ("2 98", "unknown"),
        ((1, 2, 3), "unknown"),
        (None, "unknown"),
        ("3000,0", "below the second"),
        ("5,5", "below the second"),
        ("98%,2%", "below the second"),
        ("-1%,98%", "0 to 100"),
        ("2%,101%", "0 to 100"),
        ("nan,1", "finite"),
        ("0,inf", "finite"),
        ("0,1e39", "finite"),
        ("nan%,3%", "0 to 100"),
    ],
)
def test_others_are_refused_in_a_line(option: object, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        parse_scale(option)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert "Choose auto, never" in str(error.value)
    assert repr(option) in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("{", "not JSON"),
        ("[1]", "holds no scale"),
        ("{}", "holds no scale"),
        ('{"scale": null}', "holds no scale"),
        ('{"scale": 3}', "not as a map's report holds it"),
        ('{"scale": {"low": [1], "high": [2]}}', "not as a map's report holds it"),
        ('{"scale": {"low": [1], "high": [2, 3], "dtype": "uint16"}}', "not as a map's report"),
        ('{"scale": {"low": [], "high": [], "dtype": "uint16"}}', "not as a map's report"),
        ('{"scale": {"low": [2], "high": [1], "dtype": "uint16"}}', "not as a map's report"),
        ('{"scale": {"low": ["a"], "high": [1], "dtype": "uint16"}}', "not as a map's report"),
        ('{"scale": {"low": [NaN], "high": [1], "dtype": "uint16"}}', "not as a map's report"),
    ],
)
def test_reports_without_a_scale(tmp_path: Path, content: str | None, words: str) -> None:
    report = tmp_path / "report.json"
    if content is not None:
        report.write_text(content)
    with pytest.raises(InputError, match=words) as error:
        parse_scale(report)
    assert "\n" not in str(error.value)
    assert str(report) in str(error.value)


def test_settings_check_themselves() -> None:
    assert check_scale("2%,98%") == "2%,98%"
    with pytest.raises(ValueError, match="below the second"):
        check_scale("98%,2%")

"""The oldest versions that pyproject.toml allows have what is called, and the exact ones of
constraints.txt are among them.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = {
    need.name.lower(): need
    for text in [
        *PROJECT["dependencies"],
        *(t for extra in PROJECT["optional-dependencies"].values() for t in extra),
    ]
    if (need := Requirement(text)).name != PROJECT["name"]
}


@pytest.mark.parametrize(
    "name, first, called",
    [
        ("affine", "3.0", "transform @ (x, y)"),
        ("keras", "3.0", "keras.ops, keras.tree"),
        ("nncf", "2.5", "nncf.quantize with presets"),
        ("numpy", "1.26", "of Python 3.12"),
        ("pyogrio", "0.10", "raw.write to /vsimem/"),
        ("scikit-learn", "1.3", "zero_division=numpy.nan"),
        ("scipy", "1.15", "qmc.Sobol(rng=...)"),
        ("shapely", "2.1", "coverage_simplify, transform(interleaved=False)"),
        ("tf2onnx", "1.17", "beside the protobuf of TensorFlow 2.20"),
        ("typer", "0.19", "options that are typing.Literal"),
    ],
)
def test_lower_bounds_reach_what_is_called(name, first, called):
    lowest = [
        Version(one.version) for one in REQUIREMENTS[name].specifier if one.operator in (">=", "==")
    ]
    assert lowest and max(lowest) >= Version(first), called


def test_the_exact_versions_are_allowed():
    pinned = dict(
        re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    found = {re.sub("[_.]", "-", name).lower(): version for name, version in pinned.items()}
    checked = [name for name, need in REQUIREMENTS.items() if name in found]
    assert len(checked) > 25
    for name in checked:
        assert REQUIREMENTS[name].specifier.contains(found[name], prereleases=True), name

"""Normalisation taken over from the model that weights come from."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from segment.core.choices import Normalisation
from segment.core.labels.classes import Class
from segment.core.model.folder import save_model_folder
from segment.core.networks.pretrained import normalise_input
from segment.core.pixels.normalise import Affine, BandStatistics, resolve_auto
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy

LEARNED = BandStatistics("uint8", 1, np.zeros(3), np.full(3, 255.0), np.full(3, 99.0), np.ones(3))
DARKER = replace(LEARNED, mean=np.full(3, 20.0), maximum=np.full(3, 90.0))
ABOUT = {"task": "segment", "classes": [Class(name="land", color="#00ff00", value=0)]}
PIXELS = np.random.default_rng(0).integers(0, 255, (1, 4, 4, 3)).astype(np.uint8)


def caffe() -> Affine:
    return np.eye(3)[::-1], np.array([-100.0, -110.0, -120.0])


def network(
    statistics: BandStatistics, mode: Normalisation, source: str
) -> tuple[keras.Model, str]:
    pixels = keras.Input((None, None, statistics.bands), dtype=statistics.dtype)
    chosen = resolve_auto(mode, source, statistics)
    x, remark = normalise_input(pixels, statistics, mode, chosen, source, "segment", caffe)
    return keras.Model(pixels, x), remark


@pytest.mark.parametrize(
    "learned, wanted, taken, remark",
    [
        ("standardise", "auto", True, ""),
        ("minmax", "auto", True, ""),
        ("imagenet", "auto", True, ""),  # bands in the order of Caffe
        ("imagenet", "imagenet", True, ""),
        ("standardise", "standardise", False, "normalised by standardise, not as it learned"),
        ("imagenet", "minmax", False, "normalised by minmax, not as it learned"),
    ],
)
def test_auto_normalises_as_the_run_of_the_weights(
    tmp_path: Path, learned: Normalisation, wanted: Normalisation, taken: bool, remark: str
) -> None:
    first, _ = network(LEARNED, learned, "none")
    save_model_folder(tmp_path, first, tiny_info(**ABOUT))
    second, found = network(DARKER, wanted, str(tmp_path))
    assert np.array_equal(first.predict(PIXELS), second.predict(PIXELS)) == taken
    assert remark in found and bool(remark) == bool(found)
    third, _ = network(DARKER, "auto", str(tmp_path / "model.keras"))
    assert np.array_equal(first.predict(PIXELS), third.predict(PIXELS))


@pytest.mark.parametrize("other", [{"bands": 4}, {"dtype": "uint16"}])
def test_a_run_of_other_pixels_is_reported(tmp_path: Path, other: dict[str, object]) -> None:
    info = tiny_info(**(ABOUT | other))
    save_model_folder(tmp_path, network(LEARNED, "standardise", "none")[0], info)
    found, remark = network(DARKER, "auto", str(tmp_path))
    assert "normalised by standardise, not as it learned" in remark
    expected = network(DARKER, "standardise", "none")[0].predict(PIXELS)
    assert np.array_equal(found.predict(PIXELS), expected)

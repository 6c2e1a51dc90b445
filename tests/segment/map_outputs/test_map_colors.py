"""What maps of the bundled classes are drawn in: hues that people expect, told apart with each kind
of colour vision.
"""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

from segment.bundled import BUNDLED
from segment.config import Config
from segment.core.config import load_settings
from segment.core.model.folder import load_model_info
from segment.sample import SAMPLE_CLASSES

CONFIGS = Path(__file__).parents[3] / "configs/segment"
LEARNED = [c for c in SAMPLE_CLASSES if not c.ignore]

# Machado, Oliveira and Fernandes (2009), severity 1, of linear RGB.
VISION = {
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(rgb: np.ndarray, vision: str) -> np.ndarray:
    """CIE L*a*b* (N, 3) of colours (N, 3), 0 to 255, with a kind of colour vision."""
    srgb = rgb / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(VISION[vision]), 0, 1)
    return cv2.cvtColor(linear.astype(np.float32)[None], cv2.COLOR_LRGB2LAB)[0]


def least_distance(rgb: np.ndarray, vision: str) -> float:
    """Of any two colours, CIE76; 2.3 is just noticeable."""
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen(rgb, vision), 2))


@pytest.mark.parametrize(
    ("vision", "at_least"),
    [("normal", 40), ("protanopia", 30), ("deuteranopia", 30), ("tritanopia", 27)],
)
def test_classes_are_distinguished(vision: str, at_least: float):
    assert least_distance(np.array([c.rgb for c in LEARNED], float), vision) > at_least


@pytest.mark.parametrize("vision", VISION)
def test_what_is_laid_over_a_grey_scene_at_45_percent_is_still_distinguished(vision: str):
    for grey in (60, 120, 180):
        assert (
            least_distance(0.45 * np.array([c.rgb for c in LEARNED], float) + 0.55 * grey, vision)
            > 8
        )


def test_red_and_green_that_deuteranopes_confuse_would_fail():
    assert least_distance(np.array([[190, 60, 40], [110, 120, 40]], float), "deuteranopia") < 20


def test_hues_are_those_that_people_expect():
    rgb = {c.name: np.array(c.rgb, int) for c in LEARNED}
    assert rgb["water"].argmax() == 2
    assert rgb["vegetation"].argmax() == 1
    assert rgb["building"].argmax() == 0 and rgb["building"].max() < 160
    assert np.ptp(rgb["road"]) == 0
    assert rgb["land"].min() > 150 and rgb["land"].argsort().tolist() == [2, 1, 0]


@pytest.mark.parametrize("name", ["bundled", "dubai", "dubai-tutorials"])
def test_configs_draw_the_five_classes_alike(name: str):
    classes = load_settings(Config, CONFIGS / f"{name}.yaml", []).data.classes
    assert {c.name: (c.color, c.map_color) for c in classes} == {
        c.name: (c.color, c.map_color) for c in SAMPLE_CLASSES
    }


def test_the_bundled_model_draws_them_so():
    drawn = load_model_info(BUNDLED).class_table
    assert [(c.name, c.color, c.map_color) for c in drawn.classes] == [
        (c.name, c.color, c.map_color) for c in LEARNED
    ]

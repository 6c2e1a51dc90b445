"""The examples run as they stand, on small scenes."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
QUICK = ["model.backbone=resnet18", "data.tile=64", "training.epochs=1"]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short(path):
    assert len(path.read_text().splitlines()) <= 45


def test_the_examples_in_a_row(tmp_path):
    demo = tmp_path / "demo"
    first = load("demo").main(demo, town_size=256, scene_size=300, settings=QUICK)
    assert 0 <= first.report["mean_jaccard"] <= 1 and first.overlay.is_file()
    assert load("demo").main(demo, settings=QUICK).report["jaccard"] == first.report["jaccard"], "what is there is taken up again"
    areas = load("map_scene").main(demo / "new-town" / "scene.tif", demo / "run", tmp_path / "map")
    assert sum(areas.values()) == pytest.approx(300 * 300 * 0.09)
    assert load("predict_array").main(demo / "new-town" / "scene.tif", demo / "run").shape == (64, 64)

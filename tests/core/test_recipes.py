"""Settings that come with the packages are found by name."""

from pathlib import Path

import pytest

import classify
import segment
from segment.core.errors import InputError
from segment.core.recipes import settings_file

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["segment", "classify"])
def test_every_recipe_is_found_by_its_name(package):
    recipes = sorted((ROOT / "configs" / package).glob("*.yaml"))
    assert recipes
    for recipe in recipes:
        found = settings_file(package, Path(recipe.stem))
        assert found.read_text() == recipe.read_text()


def test_settings_load_by_the_name_of_a_recipe():
    by_path = segment.load_settings(segment.Config, ROOT / "configs/segment/dubai.yaml")
    assert segment.load_settings(segment.Config, "dubai") == by_path
    by_path = classify.load_settings(classify.Config, ROOT / "configs/classify/eurosat-rgb.yaml")
    assert classify.load_settings(classify.Config, "eurosat-rgb") == by_path


def test_a_file_in_the_working_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dubai").write_text("training: {epochs: 3}")
    assert segment.load_settings(segment.Config, "dubai").training.epochs == 3


@pytest.mark.parametrize("name", ["dubai.yaml", "folder/dubai"])
def test_paths_are_no_names(name):
    with pytest.raises(InputError, match="cannot be read"):
        segment.load_settings(segment.Config, name)


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(InputError, match="'dubay' is neither a file nor a recipe.*mean dubai"):
        segment.load_settings(segment.Config, "dubay")
    with pytest.raises(InputError, match="Recipes: bundled, dubai, dubai-tutorials, sample"):
        segment.load_settings(segment.Config, "xyz")

"""Recipes: settings that come with the packages, found by name."""

import difflib
from importlib.resources import files
from pathlib import Path

from segment.core.errors import InputError, quoted

_FOLDER = "recipes"  # of segment and classify; a link to configs/segment and configs/classify


def settings_file(package: str, path: Path) -> Path:
    """Finds a file of settings that is given by its path, or by the name of a recipe.

    Args:
        package: Package whose recipes are meant: segment or classify.
        path: A path, or a name such as "dubai". A file of that name in the working folder is
            preferred.

    Returns:
        The path of the file. A path with a folder or a suffix is returned unchanged.

    Raises:
        InputError: If a name is neither that of a file nor that of a recipe.
    """
    name = str(path)
    if path.exists() or path.suffix or len(path.parts) != 1:
        return path
    recipes = {
        Path(entry.name).stem: Path(str(entry))
        for entry in files(package).joinpath(_FOLDER).iterdir()
        if entry.name.endswith(".yaml")
    }
    if name in recipes:
        return recipes[name]
    near = difflib.get_close_matches(name, recipes, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"Recipes: {', '.join(sorted(recipes))}."
    raise InputError(f"{quoted(name)} is neither a file nor a recipe of {package}. {hint}")

"""Training and tuning commands, from their options to the printed result."""

import importlib
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segment.core.cli.command import progress_bar
from segment.core.errors import InputError
from segment.core.model.backend import count_machines, load_keras, machine_number, own_folder


def run_training(
    module: str,
    kind: type[Any],
    data: object,
    output: Path,
    config: Path | None,
    overrides: Sequence[str],
    *,
    resume: bool,
    overwrite: bool,
    quiet: bool,
    function: str = "train",
) -> None:
    """Trains a model and prints the result.

    If several machines train together, only the first one writes to `output`.

    Args:
        module: Name of the module that holds `function`. It imports Keras at its top.
        kind: Class of the settings.
        data: Training data, as `function` takes them.
        output: Folder of the run.
        config: YAML file with settings.
        overrides: `key.key=value` texts that override settings.
        resume: Whether to continue the run in `output`.
        overwrite: Whether an existing run may be replaced.
        quiet: Whether to print errors only.
        function: Name of the function that trains.

    Raises:
        InputError: If settings or data are invalid, or the other machines do not answer.
    """
    from segment.core.config import load_run_settings

    wanted = load_run_settings(kind, output, config, overrides, resume)
    if count_machines() > 1:
        print(f"waiting for {count_machines()} machines to join", file=sys.stderr, flush=True)
    load_keras(join=True)
    train = getattr(importlib.import_module(module), function)
    number = machine_number()
    place = own_folder(output, resume) if number else nullcontext(output)
    with progress_bar(quiet or number > 0) as progress, place as folder:
        progress.say(
            str(train(data, folder, wanted, resume=resume, overwrite=overwrite, progress=progress))
        )
        progress.say(f"report: {output / 'report.html'}")


def run_tuning(
    module: str,
    kind: type[Any],
    data: object,
    output: Path,
    config: Path | None,
    overrides: Sequence[str],
    space: Path | None,
    *,
    cluster: str | None,
    quiet: bool,
    **search: Any,
) -> None:
    """Tunes settings and prints the result.

    Args:
        module: Name of the module that holds the function `tune` and the default SPACE.
        kind: Class of the settings.
        data: Training data, as `tune` takes them.
        output: Folder of the study.
        config: YAML file with settings.
        overrides: `key.key=value` texts that override settings.
        space: YAML file with the settings to tune; by default SPACE is used.
        cluster: Address of a Dask cluster, or None to tune on this machine.
        quiet: Whether to print errors only.
        **search: Fields of `segment.core.tuning.search.Search`.

    Raises:
        InputError: If Optuna is not installed, or settings or data are invalid.
    """
    from segment.core.config import load_settings

    if find_spec("optuna") is None:
        raise InputError("optuna is not installed. Run: pip install 'aerial-segment[tune]'")
    from segment.core.tuning.search import Search
    from segment.core.tuning.search_space import load_space

    tuning, wanted = importlib.import_module(module), load_settings(kind, config, overrides)
    values = tuning.SPACE if space is None else load_space(space)
    with progress_bar(quiet) as progress:
        found = tuning.tune(
            data, output, wanted, values, Search(**search), cluster=cluster, progress=progress
        )
        progress.say(str(found))
        progress.say(f"report: {output / 'report.html'}")

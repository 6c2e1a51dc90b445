"""Run folders: model folders with the settings, history, checkpoints and report of a training."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segment.core.config import (
    CONFIG_FILE,
    MACHINERY,
    Settings,
    dump_settings,
    flatten,
    load_settings,
)
from segment.core.disk import make_folder, remove_empty
from segment.core.errors import InputError, Interrupted
from segment.core.lock import alone, refuse_busy
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    NOVELTY_FILE,
    ONNX_FILE,
    OPENVINO_FOLDER,
    RECORD_FILE,
)
from segment.core.outputs import finish_moving, is_unfinished, refuse_existing, staged
from segment.core.reports.page import PAGE_FILE, REPORT_FILE
from segment.core.training.checkpoints import CHECKPOINT
from segment.core.training.history import HISTORY

CURVES_FILE = "curves.png"
DURATION_FILE = "duration.json"
PRECISION_FILE = "precision.json"
_RUN_FILES = (
    CONFIG_FILE,
    DURATION_FILE,
    PRECISION_FILE,
    HISTORY,
    CURVES_FILE,
    REPORT_FILE,
    PAGE_FILE,
    "checkpoints",
    "tensorboard",
    MODEL_FILE,
    INFO_FILE,
    OPENVINO_FOLDER,
    ONNX_FILE,
    RECORD_FILE,
    NOVELTY_FILE,
    "latents.npz",
    "grids",
    "generated",
)
_BEGUN = (CONFIG_FILE, DURATION_FILE, PRECISION_FILE, RECORD_FILE, "grids", "generated")
_CHANGEABLE = ("training.epochs", "training.early_stopping", "data.root", *MACHINERY)


def check_run(output: Path, config: Settings, *, resume: bool, overwrite: bool) -> None:
    """Checks that a run may be written to a folder, or resumed there.

    Args:
        output: Run folder.
        config: Settings of the run.
        resume: Whether the run in the folder is to be resumed.
        overwrite: Whether an earlier run may be replaced.

    Raises:
        InputError: If a run may not be written there, if it cannot be resumed with these settings,
            or if another process is writing a run there.
    """
    refuse_busy(output)
    _check(output, config, resume, overwrite)


def _check(output: Path, config: Settings, resume: bool, overwrite: bool) -> None:
    if not resume:
        refuse_existing(output, overwrite or _is_only_begun(output), _RUN_FILES)
        return
    if not (output / CHECKPOINT).is_file():
        raise InputError(f"{output}: has no checkpoint to resume from. Train without --resume.")
    earlier = load_settings(type(config), output / CONFIG_FILE)
    before, now = (flatten(c.model_dump(mode="json")) for c in (earlier, config))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key) and key not in _CHANGEABLE:
            raise InputError(
                f"{key}: {now.get(key)!r}, but the run to resume has {before.get(key)!r}. Set that;"
                f" {', '.join(key for key in _CHANGEABLE if key in now)} may change."
            )


def _is_only_begun(output: Path) -> bool:
    """Checks whether the folder was left by a training that was killed in its first epoch."""
    if not (output / CONFIG_FILE).is_file():
        return False
    return all(p.name in _BEGUN or is_unfinished(p.name) for p in output.iterdir())


@contextmanager
def run_folder(
    output: Path, config: Settings, resume: bool, overwrite: bool = True
) -> Iterator[None]:
    """Locks a run folder for the time of a training, and writes the settings into it.

    If the training ends without a checkpoint to resume from, the folder is removed, and an earlier
    folder in its place is restored. If the training is killed, the earlier folder is kept until
    the next training there ends.

    Args:
        output: Run folder.
        config: Settings of the run.
        resume: Whether the run in the folder is resumed.
        overwrite: Whether an earlier run may be replaced.

    Raises:
        InputError: As `check_run` does, for changes since it was called.
        Interrupted: On Ctrl-C. The message explains how to continue.
    """
    made = make_folder(output.absolute().parent)
    try:
        with alone(output):
            _check(output, config, resume, overwrite)
            if resume:  # a training may have been killed while it saved its model
                finish_moving(output, MODEL_FILE)
            with _written(output, config, resume):
                yield
    except BaseException:
        remove_empty(made)
        raise


@contextmanager
def _written(output: Path, config: Settings, resume: bool) -> Iterator[None]:
    place = output.absolute()
    earlier = place.with_name(f".{place.name}.replaced")
    if not resume and output.exists():
        # A training that was killed has not restored the earlier folder yet.
        if earlier.exists() and _is_only_begun(output):
            shutil.rmtree(output)
        else:
            shutil.rmtree(earlier, ignore_errors=True)
            output.rename(earlier)
    before = (output / CONFIG_FILE).read_text(encoding="utf-8") if resume else None
    output.mkdir(exist_ok=True)
    with staged(output / CONFIG_FILE, overwrite=True) as partial:
        partial.write_text(dump_settings(config))
    try:
        yield
        shutil.rmtree(earlier, ignore_errors=True)
    except BaseException as error:
        kept = (output / CHECKPOINT).is_file()
        if not kept:
            shutil.rmtree(output, ignore_errors=True)
            if earlier.exists():
                earlier.rename(output)
        elif before is not None and isinstance(error, InputError):
            (output / CONFIG_FILE).write_text(before, encoding="utf-8")
        if not isinstance(error, KeyboardInterrupt):
            raise
        rest = (
            "The same command with --resume continues after the last epoch."
            if kept
            else "No epoch had ended, nothing was kept."
        )
        raise Interrupted(f"{output}: stopped. {rest}") from error

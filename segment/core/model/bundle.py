"""Model folders for distribution: without what only training needs, and at half their size.

Weights are stored as float16, and are float32 again once they are loaded.
"""

import shutil
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np

from segment.core.errors import InputError
from segment.core.lock import alone
from segment.core.model.folder import (
    INFO_FILE,
    MODEL_FILE,
    NOVELTY_FILE,
    RECORD_FILE,
    check_files,
    load_model_info,
    remove_exports,
    save_model_info,
)
from segment.core.model.weight_files import checksum
from segment.core.outputs import staged, staged_files

_WEIGHTS = "model.weights.h5"
_RECORDS = RECORD_FILE, NOVELTY_FILE


def bundle_model(run: Path, folder: Path) -> None:
    """Copies the model of a run folder into another folder, at half its size.

    The copy holds `model.keras`, `model.yaml` and, where the run has them, the record of the
    training data (as digests) and the data by which unfamiliar tiles are detected. Either all
    files are written or none. Exports of an earlier model are removed from the folder; its other
    files stay. The scores stay those of the unrounded weights.

    Args:
        run: Model folder to copy from.
        folder: Folder to write to.

    Raises:
        InputError: If `run` is no model folder, has a damaged `model.keras`, or is `folder` itself,
            or if another process is writing to `folder`.
        ValueError: If a kernel holds values beyond float16.
    """
    info = load_model_info(run)
    if folder.resolve() == run.resolve():
        raise InputError(
            f"{folder} is the run itself. Choose another folder for its bundled model."
        )
    check_files(run, info, [MODEL_FILE])
    with (
        alone(folder),
        staged_files(folder, (MODEL_FILE, INFO_FILE, *_RECORDS), overwrite=True) as stage,
    ):
        shutil.copyfile(run / MODEL_FILE, stage.new / MODEL_FILE)
        halve_weights(stage.new / MODEL_FILE)
        for name in _RECORDS:
            if (run / name).is_file():
                shutil.copyfile(run / name, stage.new / name)
        checksums = {MODEL_FILE: checksum(stage.new / MODEL_FILE)}
        save_model_info(
            stage.new, info.model_copy(update={"openvino": None, "checksums": checksums})
        )
    remove_exports(folder)


def halve_weights(file: Path) -> None:
    """Rewrites a `.keras` file with its kernels as float16, completely or not at all.

    Vectors (biases, statistics of batch normalisation) stay float32: they are few, and may be too
    small or too large for 16 bits.

    Args:
        file: A `.keras` file, which is replaced.

    Raises:
        ValueError: If a kernel holds values beyond float16.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        staged(file, overwrite=True) as partial,
        ZipFile(file) as archive,
        ZipFile(partial, "w") as halved,
    ):
        for entry in archive.infolist():
            if entry.filename != _WEIGHTS:
                halved.writestr(entry, archive.read(entry), ZIP_DEFLATED)
        source, target = Path(folder) / "whole.h5", Path(folder) / "half.h5"
        with archive.open(_WEIGHTS) as stored, source.open("wb") as copy:
            shutil.copyfileobj(stored, copy)
        _halve(source, target)
        halved.write(target, _WEIGHTS, ZIP_STORED)


def _halve(source: Path, target: Path) -> None:
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: object) -> None:
            if isinstance(item, h5py.Group):
                new.require_group(name).attrs.update(item.attrs)
                return
            assert isinstance(item, h5py.Dataset)
            values = item[()]
            if item.ndim > 1 and item.dtype == np.float32:
                with np.errstate(over="ignore"):
                    values = values.astype(np.float16)
                if not np.isfinite(values).all():
                    raise ValueError(f"{name} holds values beyond float16")
            new.create_dataset(name, data=values).attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)

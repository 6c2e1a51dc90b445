"""Model files at half their size: weights are stored as float16, and float32 again once they are loaded."""

import os
import shutil
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np

from segment.core.output import staged

_WEIGHTS = "model.weights.h5"


def halve_weights(file: Path) -> None:
    """Rewrites a `.keras` file with its kernels as float16, whole or not at all.

    Vectors (biases, statistics of batch normalisation) stay float32: they are few, and may be too small or large for 16 bits.
    Raises ValueError when a kernel holds values beyond float16.
    """
    with tempfile.TemporaryDirectory() as folder, staged(file, overwrite=True) as partial:
        with ZipFile(file) as archive, ZipFile(partial, "w") as halved:
            for entry in archive.infolist():
                if entry.filename != _WEIGHTS:
                    halved.writestr(entry, archive.read(entry), ZIP_DEFLATED)
            source, target = Path(folder) / "whole.h5", Path(folder) / "half.h5"
            with archive.open(_WEIGHTS) as stored, source.open("wb") as copy:
                shutil.copyfileobj(stored, copy)
            _halve(source, target)
            halved.write(target, _WEIGHTS, ZIP_STORED)
        os.chmod(partial, file.stat().st_mode)


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

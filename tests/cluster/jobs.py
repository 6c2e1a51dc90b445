"""Jobs that tests give to workers: they say what became of them through files."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from segment.core.cluster.block_job import BlockJob
from segment.core.cluster.tasks import BlockTask, compute_blocks
from segment.core.cluster.workers import Workers
from segment.core.errors import InputError
from segment.core.model.runtime import Model
from segment.core.raster.blocks import Block


@dataclass(frozen=True)
class Zeros(BlockJob):
    """Blocks of zeros. A file `wait` in the folder keeps them from being finished, `fail-R-C` makes
    one fail, and `kill-R-C` kills its worker. Workers with NO_SCENE in their environment do not see
    the scene, those with LOSES_SCENE not after the check.
    """

    def check_input(self) -> None:
        if "NO_SCENE" in os.environ:
            raise InputError("scene.tif: no such file. Check the path.")

    def compute(self, block: Block, model: Model) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        place = f"{block.row}-{block.column}"
        if "LOSES_SCENE" in os.environ:
            os.environ["NO_SCENE"] = "1"
            self.check_input()
        with open(self.folder / f"tries-{place}", "a") as tries:
            tries.write("x")
        while (self.folder / "wait").exists():
            time.sleep(0.01)
        if (self.folder / f"fail-{place}").exists():
            raise InputError(f"block {place} is broken.")
        if (self.folder / f"kill-{place}").exists():
            os.kill(os.getpid(), 9)
        return {"zeros": np.zeros((block.height, block.width), np.uint8)}, {}


def computed(workers: Workers, job: Zeros, blocks: Iterable[Block]) -> Iterator[BlockTask]:
    """What becomes of each block."""
    return filter(None, compute_blocks(workers, ((job, block) for block in blocks)))


def gpu_is_broken() -> None:
    raise RuntimeError("the driver does not match")


def gpu_is_found() -> None:
    pass

"""Trains the same U-Net in PyTorch when it is asked to, as fast as PyTorch does on a processor.

This is a script of its own, run by `train_step`. A request is a line of JSON, the answer the
seconds a tile.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch
from torch.utils.data import DataLoader, Dataset

BATCH = 8
LONGEST = 10.0  # seconds of a turn

Batch = tuple[torch.Tensor, torch.Tensor]


class Tiles(Dataset):
    """The tiles of a folder, turned, flipped and in other light; read once by each process."""

    def __init__(self, folder: Path):
        """Lists the tiles."""
        self._images = sorted((folder / "images").iterdir())
        self._read, self._random = cache(self._load), np.random.default_rng(0)

    @staticmethod
    def _load(path: Path) -> tuple[np.ndarray, np.ndarray]:
        with (
            rasterio.open(path) as image,
            rasterio.open(path.parents[1] / "masks" / path.name) as mask,
        ):
            return image.read().transpose(1, 2, 0), mask.read(1)

    def __len__(self) -> int:
        """Returns the number of tiles."""
        return len(self._images)

    def __getitem__(self, index: int) -> Batch:
        """Returns a tile."""
        image, mask = self._read(self._images[index])
        random = self._random
        turns, across, down = random.integers(4), *random.integers(2, size=2) * 2 - 1
        image, mask = (np.rot90(part, turns)[::across, ::down] for part in (image, mask))
        light = image * random.uniform(0.9, 1.1) + random.uniform(-25.5, 25.5)
        image = np.clip(light, 0, 255).astype(np.uint8)
        return torch.from_numpy(image), torch.from_numpy(mask.copy())


def focal_and_dice(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Focal loss with gamma 2 and soft Dice of the batch, in float32, without unlabelled pixels."""
    log = torch.log_softmax(logits.float(), 1)
    scored = (truth != 255)[:, None]
    p, truth = log.exp() * scored, truth.long()[:, None] * scored
    chosen = log.gather(1, truth)
    focal = -((1 - chosen.exp()) ** 2 * chosen * scored).sum() / scored.sum()
    true = torch.zeros_like(p).scatter_(1, truth, scored.float())
    hits, both = (part.sum((0, 2, 3)) for part in (true * p, true + p))
    return focal + (1 - 2 * hits / both)[true.sum((0, 2, 3)) > 0].mean()


@cache
def trainee(name: str, classes: int) -> Callable[[Batch], float]:
    """Returns the training step of a new network. A name is eager or compiled, and a precision."""
    how, precision = name.split()
    torch.manual_seed(0)
    model = smp.Unet("resnet34", encoder_weights=None, classes=classes)
    model = model.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    network = torch.compile(model) if how == "compiled" else model

    def step(batch: Batch) -> float:
        images, truth = batch
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = network(pixels)
        loss = focal_and_dice(logits, truth)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


@cache
def stored(folder: Path) -> tuple[list[Batch], int]:
    """Returns the batches that all contestants are given, and the number of classes."""
    with np.load(folder / "batches.npz") as arrays:
        pairs = zip(arrays["images"], arrays["masks"], strict=True)
        return [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in pairs], int(
            arrays["classes"]
        )


@cache
def loader(folder: Path) -> DataLoader:
    """Returns the batches of a tile folder, made in two processes as in `training.workers`."""
    return DataLoader(
        Tiles(folder / "tiles"), BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )


def answer(folder: Path, contestant: str, kind: str, steps: int = 0) -> float:
    """Returns the seconds a tile of steps, or of an epoch with the loading of its tiles."""
    batches, classes = stored(folder)
    step = trainee(contestant, classes)
    if kind == "epoch":
        started = time.perf_counter()
        for batch in loader(folder):
            step(batch)
        return (time.perf_counter() - started) / len(loader(folder).dataset)  # type: ignore[arg-type]
    return timed(step, cycle(batches, steps))


def cycle(batches: list[Batch], steps: int) -> Iterator[Batch]:
    """Yields as many batches, from the first one on again and again."""
    for i in range(steps):
        yield batches[i % len(batches)]


def timed(step: Callable[[Batch], float], batches: Iterator[Batch]) -> float:
    """Returns the seconds a tile of steps, which end after ten seconds at the latest."""
    started, count = time.perf_counter(), 0
    for batch in batches:
        step(batch)
        count += 1
        if time.perf_counter() - started > LONGEST:
            break
    return (time.perf_counter() - started) / count / BATCH


def main(folder: Path) -> None:
    """Answers requests until there are no more."""
    for line in sys.stdin:
        print(json.dumps(answer(folder, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

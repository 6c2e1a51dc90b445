"""Counts of a map, added up in row strips or blocks: pixels, areas, scores and confidence."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.annotations.areas import Area
from segment.core.labels.classes import IGNORED
from segment.core.maps.scene_outputs import describe_scene
from segment.core.model.info import ModelInfo
from segment.core.raster.reader import Raster
from segment.core.raster.sources import Source
from segment.mapping.scale import Scale
from segment.scores import Confusion

BINS = 10
"""Number of equal ranges of probability that pixels are counted in."""

_ALL = 2**22  # pixels of a scene up to which all are counted
_STEP = 4  # beyond: each fourth pixel of each fourth row, which takes no time
_ONE = 254  # value of probability 1 in sums, which whole numbers make the same in any order


class ConfidenceCounts:
    """Probabilities of the mapped classes, added up piece by piece in any order.

    In scenes of more than four megapixels, each fourth pixel of each fourth row counts.
    """

    def __init__(self, classes: int, height: int, width: int):
        """Starts without pixels.

        Args:
            classes: Number of classes.
            height: Rows of the scene.
            width: Columns of the scene.
        """
        self._step = 1 if height * width <= _ALL else _STEP
        self._bins = np.zeros((classes, BINS), np.int64)
        self._sums = np.zeros(classes, np.int64)

    def add(
        self,
        top: int,
        left: int,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
    ) -> None:
        """Adds a rectangle of the map.

        Args:
            top: Its first row.
            left: Its first column.
            labels: Indices of the most probable class, (rows, columns) uint8; 255 where not valid.
            probabilities: Class probabilities, (rows, columns, classes).
        """
        some = (
            slice(-top % self._step, None, self._step),
            slice(-left % self._step, None, self._step),
        )
        labels = labels[some]
        valid = labels != IGNORED
        classes = labels[valid].astype(np.int64)
        count = len(self._sums)
        of_labels = np.flatnonzero(valid) * count + classes
        found = probabilities[some].reshape(-1).take(of_labels).clip(0, 1)
        bins = np.minimum((found * BINS).astype(np.int64), BINS - 1)
        self._bins += np.bincount(classes * BINS + bins, minlength=count * BINS).reshape(
            count, BINS
        )
        steps = np.rint(found * _ONE)  # whole numbers, of which float64 holds sums exactly
        self._sums += np.bincount(classes, steps, minlength=count).astype(np.int64)

    def state(self) -> dict[str, Any]:
        """Returns what was added, as plain numbers for `merge`."""
        return {"bins": self._bins.tolist(), "sums": self._sums.tolist()}

    def merge(self, state: dict[str, Any]) -> None:
        """Adds what was added to others.

        Args:
            state: What `state` returned.
        """
        self._bins += np.array(state["bins"], np.int64)
        self._sums += np.array(state["sums"], np.int64)

    def report(self, names: list[str]) -> dict[str, Any]:
        """Makes the keys of the report.

        Args:
            names: Names of the classes.

        Returns:
            `mean_confidence`, `confidence` {class} and `confidence_shares`, the share of the
            pixels in each of ten equal ranges of probability; None where no pixel was counted.
        """
        counts = self._bins.sum(axis=1)
        total = int(counts.sum())
        means = [
            round(int(s) / (_ONE * int(n)), 4) if n else None
            for s, n in zip(self._sums, counts, strict=True)
        ]
        return {
            "mean_confidence": round(int(self._sums.sum()) / (_ONE * total), 4) if total else None,
            "confidence": dict(zip(names, means, strict=True)),
            "confidence_shares": [
                round(int(n) / total, 6) if total else None for n in self._bins.sum(axis=0)
            ],
        }


class SceneTally:
    """Pixels, areas and scores of a map, added up row strip by row strip.

    Attributes:
        pixels: Number of pixels of each class, (classes,) int64.
        confidence: Probabilities of the mapped classes.
    """

    def __init__(self, scene: Raster, area: Area, info: ModelInfo, scale: Scale):
        """Starts without pixels.

        Args:
            scene: The open scene.
            area: Part of the scene that is mapped.
            info: Description of the model.
            scale: Scale at which the model sees the scene.
        """
        self._scene, self._area, self._info, self._scale = scene, area, info, scale
        self._grid = area.grid(scene)
        self._names = info.class_table.names
        self.pixels = np.zeros(len(self._names), np.int64)
        self._areas: NDArray[np.float64] | None = np.zeros(len(self._names))
        self._confusion: Confusion | None = None
        self.confidence = ConfidenceCounts(len(self._names), scene.height, scene.width)

    def add(
        self,
        start: int,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32] | None = None,
        reference: NDArray[np.uint8] | None = None,
    ) -> None:
        """Adds rows of the map.

        Args:
            start: First row, counted from the top of the map.
            labels: Class indices, (rows, width) uint8; 255 where not valid.
            probabilities: Class probabilities, (rows, width, classes); None leaves out the
                confidence, and the scores that need them.
            reference: Class indices of the reference, (rows, width) uint8; None leaves out all
                scores.
        """
        area = self._area
        counts = np.stack(
            [np.count_nonzero(labels == k, axis=1) for k in range(len(self._names))], axis=1
        )
        self.pixels += counts.sum(axis=0)
        area_of_all, stop = self._grid.pixel_area, start + len(labels)
        areas = (
            self._grid.row_pixel_areas(start, stop)
            if area_of_all is None
            else np.full(stop - start, area_of_all)
        )
        if areas is None or self._areas is None:  # no CRS, or a part off the globe
            self._areas = None
        else:
            self._areas += areas @ counts
        if probabilities is not None:
            self.confidence.add(area.top + start, area.left, labels, probabilities)
        if reference is not None:
            self._confusion = self._confusion or Confusion(self._names)
            self._confusion.add(reference, labels, probabilities)

    def merge_scores(self, state: dict[str, Any]) -> None:
        """Adds scores that were counted elsewhere.

        Args:
            state: What `Confusion.state` returned.
        """
        self._confusion = self._confusion or Confusion(self._names)
        self._confusion.merge(state)

    def state(self) -> dict[str, Any]:
        """Returns what was added, as plain numbers for `restore`."""
        confusion = None if self._confusion is None else self._confusion.state()
        areas = None if self._areas is None else self._areas.tolist()
        return {
            "pixels": self.pixels.tolist(),
            "areas": areas,
            "confusion": confusion,
            "confidence": self.confidence.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from what was added before.

        Args:
            state: What `state` returned.
        """
        self.pixels = np.array(state["pixels"], np.int64)
        self._areas = None if state["areas"] is None else np.array(state["areas"])
        self.confidence.merge(state["confidence"])
        if state["confusion"] is not None:
            self.merge_scores(state["confusion"])

    @property
    def shares(self) -> dict[str, float]:
        """Fraction of the valid pixels that each class takes, by its name."""
        total = max(int(self.pixels.sum()), 1)
        return {name: int(n) / total for name, n in zip(self._names, self.pixels, strict=True)}

    def report(self, seconds: float) -> dict[str, Any]:
        """Makes the report of the map; see `describe_scene`.

        Args:
            seconds: Time that mapping took.

        Returns:
            Keys of report.json. The scores are among them only if there was a reference.
        """
        areas = None if self._areas is None else self._areas.tolist()
        report = describe_scene(self._scene, self._names, areas, seconds, self._grid)
        report |= {
            "scene": Source.of(self._scene.path).name,  # without the key of a signed address
            "model": self._info.name,
            "ground_sampling_distance": self._scale.pixel,
            "pixels_by_class": dict(zip(self._names, self.pixels.tolist(), strict=True)),
            **self.confidence.report(self._names),
            "notes": [*self._notes(), *report["notes"], *self._scale.notes],
        }
        return report | (self._confusion.report() if self._confusion else {})

    def _notes(self) -> list[str]:
        table = self._info.class_table
        empty = [] if self.pixels.any() else ["No pixel of the scene is valid: the map is empty."]
        return empty + [
            f"{c.name} has the value {mapped.value} in the map, where {c.value} is nodata."
            for c, mapped in zip(table.classes, table.mapped, strict=True)
            if c.value != mapped.value
        ]

"""What training knows of its images before it starts: classes, split, statistics, and what is odd about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from classify.config import Config
from classify.images import LabelledImage, find_images
from classify.split import check_parts, digest_split, split_images
from classify.survey import Survey, survey
from segment.core.class_weights import resolve_class_weights
from segment.core.config import split_seed
from segment.core.palette import Palette
from segment.core.parts import PARTS, Part
from segment.core.progress import Progress

_NAMED = 5  # of what is odd, in lines printed


@dataclass(frozen=True)
class TrainingData:
    """Data folders that have been read once.

    parts: images that are trained on and scored. split_digest: of all that were found, see `digest_split`.
    multi_label: whether they carry several labels.
    class_weights: one per class, for the loss.
    """

    palette: Palette
    multi_label: bool
    parts: dict[Part, list[LabelledImage]]
    split_digest: str
    survey: Survey
    class_weights: list[float]

    @classmethod
    def prepare(cls, data: Sequence[Path], config: Config, progress: Progress) -> "TrainingData":
        """Reads data folders and says what it found: unreadable images, duplicates, the split.

        Raises InputError when they do not fit together, or not the settings.
        """
        settings = config.data
        found = find_images(data, settings)
        split = split_images(
            found.images, settings.val_fraction, settings.test_fraction, split_seed(settings.split_seed, config.training)
        )
        check_parts(split, found.palette, found.multi_label)
        seen = survey(split, settings, partial(progress.advance, "reading"))
        for problem in list(seen.unreadable.values())[:_NAMED]:
            progress.say(f"warning: left out: {problem}")
        if len(seen.unreadable) > _NAMED:
            progress.say(f"warning: left out: {len(seen.unreadable) - _NAMED} more, see report.json")
        parts = dict(seen.parts)
        for leak in seen.leaks[:_NAMED]:
            progress.say(f"warning: {leak}")
        if seen.leaks:
            count = f"{len(seen.leaks)} image{'s' if len(seen.leaks) > 1 else ''} that a later part holds too"
            if settings.duplicates == "drop":
                leaking = {leak.image.path for leak in seen.leaks}
                parts = {part: [image for image in images if image.path not in leaking] for part, images in parts.items()}
                progress.say(f"warning: {count}: left out of the earlier part")
            else:
                progress.say(f"warning: {count}: scores flatter (data.duplicates=drop leaves them out of the earlier part)")
        check_parts(parts, found.palette, found.multi_label)
        counts = Counter(label for image in parts["train"] for label in image.labels)
        by_class = [counts[index] for index in range(len(found.palette))]
        weights = resolve_class_weights(config.loss.class_weights, found.palette.names, by_class)
        for part in PARTS:
            progress.say(f"{part:5} {len(parts[part]):6} images" + (_shares(by_class, found.palette) if part == "train" else ""))
        return cls(found.palette, found.multi_label, parts, digest_split(split), seen, weights)

    @property
    def fingerprint(self) -> str:
        """The same for the same images, labels, split and pixels: what a resumed run must find again."""
        places = [
            (part, image.collection, image.path.parent.name, image.path.name, image.labels)
            for part in PARTS
            for image in self.parts[part]
        ]
        statistics = self.survey.statistics
        return sha256(repr((places, self.palette.table, statistics.count, statistics.mean.tolist())).encode()).hexdigest()


def _shares(counts: Sequence[int], palette: Palette) -> str:
    order = sorted(range(len(counts)), key=lambda index: -counts[index])
    shown = [f"{palette.names[index]} {counts[index]}" for index in order[:8]]
    return f": {', '.join(shown)}" + (f" and {len(order) - 8} more classes" if len(order) > 8 else "")

"""What training knows of its images before it starts: classes, split, statistics, and what is odd about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.config import ImageSettings
from classify.data.class_folders import folder_notes
from classify.data.dataset import ImagePixels
from classify.data.images import LabelledImage, find_images
from classify.data.pixels import orientation_notes, prepare_seen, read_pixels
from classify.data.splits import check_parts, digest_split, split_images
from classify.data.survey import Survey, survey
from segment.core.config import PreprocessSettings, TrainingSettings, split_seed
from segment.core.model.folder import LabelInfo
from segment.core.model.record import Remembered, TrainingRecord, read_grid
from segment.core.progress import Progress
from segment.core.raster.classes import Palette
from segment.core.raster.sources import Source, alpha_note
from segment.core.splits import PARTS, Part
from segment.core.training.class_weights import ClassWeights, resolve_class_weights

_NAMED = 5  # of what is odd, in lines printed


@dataclass(frozen=True)
class TrainingData:
    """Data folders that have been read once.

    parts: images that are trained on and scored. split_digest: of all that were found, see `digest_split`.
    multi_label: whether they carry several labels. preprocessing: of all pixels, the statistics in `survey` too. drawn: how many
    training images of a class a generator drew, by its name.
    """

    palette: Palette
    multi_label: bool
    parts: dict[Part, list[LabelledImage]]
    split_digest: str
    survey: Survey
    preprocessing: PreprocessSettings
    drawn: dict[str, int] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        data: Sequence[Path],
        settings: ImageSettings,
        preprocessing: PreprocessSettings,
        training: TrainingSettings,
        progress: Progress,
    ) -> "TrainingData":
        """Reads data folders and says what it found: unreadable images, duplicates, the split.

        Raises InputError when they do not fit together, or not the settings.
        """
        found = find_images(data, settings)
        for note in [note for folder in data for note in folder_notes(folder)]:
            progress.say(f"note: {note}")
        seed = split_seed(settings.split_seed, training)
        split = split_images(found.images, settings.val_fraction, settings.test_fraction, seed, settings.val_seed)
        check_parts(split, found.palette, found.multi_label)
        seen = survey(split, settings, preprocessing, partial(progress.advance, "reading"))
        for turned in orientation_notes([image.path for images in seen.parts.values() for image in images]):
            progress.say(turned)
        if unmasked := alpha_note([Source(image.path) for image in found.images]):
            progress.say(f"note: {unmasked}")
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
        prepared = cls(found.palette, found.multi_label, parts, digest_split(split), seen, preprocessing)
        for part in PARTS:
            shares = _shares(prepared.counts, found.palette) if part == "train" else ""
            progress.say(f"{part:5} {len(parts[part]):6} images{shares}")
        return prepared

    @property
    def counts(self) -> list[int]:
        """Training images of each class."""
        counts = Counter(label for image in self.parts["train"] for label in image.labels)
        return [counts[index] for index in range(len(self.palette))]

    def class_weights(self, wanted: ClassWeights) -> list[float]:
        """One per class, for the loss. Raises InputError when `wanted` names classes that there are not."""
        return resolve_class_weights(wanted, self.palette.names, self.counts)

    def pixels(self, settings: ImageSettings) -> ImagePixels:
        """What reads the images, with the bands that were found, resized as settings say and preprocessed."""
        bands = self.survey.bands

        def read(path: Path) -> NDArray[Any]:
            return prepare_seen(*read_pixels(path, bands.of(path), bands.file_bands), settings.resize, self.preprocessing)[0]

        return ImagePixels(read, settings.cache_mb)

    def label_info(self, settings: ImageSettings) -> LabelInfo:
        """How images are to be read for the model that learned from these; thresholds are 0.5 yet."""
        bands = self.survey.bands
        return LabelInfo(
            resize=settings.resize,
            multi_label=self.multi_label,
            thresholds=[0.5] * len(self.palette) if self.multi_label else [],
            read_bands=None if bands.numbers is None else list(bands.numbers),
            file_bands=bands.file_bands,
            rgb=bands.rgb,
            band_names=bands.names,
        )

    @property
    def record(self) -> TrainingRecord:
        """By what the images are known again; not those that a generator drew."""
        digests = self.survey.digests
        return TrainingRecord.of(
            Remembered(digests[image.path], part, read_grid(image.path))
            for part, images in self.parts.items()
            for image in images
            if image.path in digests
        )

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

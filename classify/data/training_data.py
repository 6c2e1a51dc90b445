"""Training data, checked before training starts: classes, split, statistics and problems."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from classify.config import ImageSettings
from classify.data.collections import find_training_images
from classify.data.headers import find_bands
from classify.data.images import LabelledImage
from classify.data.pixels import ImagePixels, file_notes, prepare_seen
from classify.data.splits import check_parts, digest_split, split_images
from classify.data.survey import Survey, conflict_notes, survey
from classify.label_sets import LabelMap, Unions, find_unions
from segment.core.common_settings import PreprocessSettings, TrainingSettings, split_seed
from segment.core.inputs.named_scenes import alpha_note
from segment.core.labels.classes import ClassTable
from segment.core.model.info import LabelInfo
from segment.core.model.record import RecordEntry, TrainingRecord
from segment.core.progress import Progress
from segment.core.raster.opening import read_grid
from segment.core.raster.sources import Source
from segment.core.splits import PARTS, Part
from segment.core.training.class_weights import ClassWeights, resolve_class_weights

_NAMED = 5  # problems of a kind that are printed


@dataclass(frozen=True)
class TrainingData:
    """Data folders that have been read once.

    Attributes:
        class_table: Class table.
        multi_label: Whether images can have several labels.
        parts: Images of each part that are trained on and scored.
        split_digest: Digest of the split of all images found, see `digest_split`; of collections,
            that of each by its name.
        survey: Bands, statistics and problems of the images.
        preprocessing: Preprocessing of all pixels, also of those behind the statistics in `survey`.
        label_maps: Classes that each label may be, by the names of `data.collections`.
    """

    class_table: ClassTable
    multi_label: bool
    parts: dict[Part, list[LabelledImage]]
    split_digest: str | dict[str, str]
    survey: Survey
    preprocessing: PreprocessSettings
    label_maps: dict[str, LabelMap] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        data: Sequence[Path],
        settings: ImageSettings,
        preprocessing: PreprocessSettings,
        training: TrainingSettings,
        progress: Progress,
        scale: str = "never",
    ) -> "TrainingData":
        """Reads data folders, and reports their split, unreadable images and duplicates.

        Args:
            data: Data folders or CSVs; none where the settings list collections.
            settings: How images are selected, split and read.
            preprocessing: Preprocessing of all pixels.
            training: Settings of the training, for the seed of the split.
            progress: Where progress, notes and warnings are reported.
            scale: How images are brought to 8 bits, see `data.scale`.

        Returns:
            The data, ready for training.

        Raises:
            InputError: If the data do not match each other or the settings.
        """
        seed = split_seed(settings.split_seed, training)
        found = find_training_images(data, settings, seed)
        for note in found.notes:
            progress.say(f"note: {note}")
        split = split_images(
            found.images, settings.val_fraction, settings.test_fraction, seed, settings.val_seed
        )
        check_parts(split, found.class_table, found.multi_label)
        bands = find_bands([image for images in split.values() for image in images], settings)
        if bands.assumed:
            progress.say(
                f"note: the images do not name their {bands.file_bands} bands, which are taken for"
                " those of EuroSAT: B01 to B12, then B8A"
            )
        bands = bands.with_scale(split["train"], scale, progress)
        advance = partial(progress.advance, "reading")
        seen = survey(split, settings, preprocessing, advance, bands)
        for turned in file_notes(
            [image.path for images in seen.parts.values() for image in images]
        ):
            progress.say(turned)
        if unmasked := alpha_note([Source(image.path) for image in found.images]):
            progress.say(f"note: {unmasked}")
        for problem in list(seen.unreadable.values())[:_NAMED]:
            progress.say(f"warning: left out: {problem}")
        if len(seen.unreadable) > _NAMED:
            progress.say(
                f"warning: left out: {len(seen.unreadable) - _NAMED} more, see report.json"
            )
        parts = dict(seen.parts)
        for conflict in conflict_notes(parts, seen.digests):
            progress.say(f"warning: {conflict}")
        for leak in seen.leaks[:_NAMED]:
            progress.say(f"warning: {leak}")
        if seen.leaks:
            count = (
                f"{len(seen.leaks)} image{'s' if len(seen.leaks) > 1 else ''} that a later part"
                " holds too"
            )
            if settings.duplicates == "drop":
                leaking = {leak.image.path for leak in seen.leaks}
                parts = {
                    part: [image for image in images if image.path not in leaking]
                    for part, images in parts.items()
                }
                progress.say(f"warning: {count}: left out of the earlier part")
            else:
                progress.say(
                    f"warning: {count}: scores are too good (data.duplicates=drop leaves them out"
                    " of the earlier part)"
                )
        check_parts(parts, found.class_table, found.multi_label)
        prepared = cls(
            found.class_table,
            found.multi_label,
            parts,
            found.digests or digest_split(split),
            seen,
            preprocessing,
            found.label_maps,
        )
        for part in PARTS:
            shares = _shares(prepared.counts, found.class_table) if part == "train" else ""
            progress.say(f"{part:5} {len(parts[part]):6} images{shares}")
        return prepared

    @property
    def counts(self) -> list[int]:
        """Number of training images of each class, or that may be of it."""
        counts = Counter(label for image in self.parts["train"] for label in image.labels)
        return [counts[index] for index in range(len(self.class_table))]

    def class_weights(self, wanted: ClassWeights) -> list[float]:
        """Computes the weight of each class in the loss.

        Args:
            wanted: Setting of the class weights, see `resolve_class_weights`.

        Returns:
            One weight per class.

        Raises:
            InputError: If `wanted` names a class that does not exist.
        """
        return resolve_class_weights(wanted, self.class_table.names, self.counts)

    def pixels(self, settings: ImageSettings) -> ImagePixels:
        """Makes the reader of the images, with the bands found by the survey.

        Args:
            settings: Size that images are resized to, and memory for kept images.

        Returns:
            A reader of resized and preprocessed images.
        """
        bands = self.survey.bands

        def read(path: Path) -> NDArray[Any]:
            return prepare_seen(*bands.read(path), settings.resize, self.preprocessing)[0]

        return ImagePixels(read, settings.cache_mb, bands.rgb)

    def label_info(self, settings: ImageSettings) -> LabelInfo:
        """Describes how images are read for a model that is trained on this data.

        Args:
            settings: Size that images are resized to.

        Returns:
            The description for `model.yaml`; thresholds are still 0.5.
        """
        bands = self.survey.bands
        return LabelInfo(
            resize=settings.resize,
            multi_label=self.multi_label,
            thresholds=[0.5] * len(self.class_table) if self.multi_label else [],
            read_bands=None if bands.numbers is None else list(bands.numbers),
            file_bands=bands.file_bands,
            rgb=bands.rgb,
            band_names=bands.names,
            label_maps=self.label_maps,
        )

    @property
    def unions(self) -> Unions:
        """Sets of several classes, any of which an image may be."""
        labels = [image.labels for part in PARTS for image in self.parts[part]]
        return [] if self.multi_label else find_unions(labels)

    @property
    def record(self) -> TrainingRecord:
        """Record by which the images are recognised later."""
        digests = self.survey.digests
        return TrainingRecord.of(
            RecordEntry(digests[image.path], part, read_grid(image.path))
            for part, images in self.parts.items()
            for image in images
            if image.path in digests
        )

    @property
    def fingerprint(self) -> str:
        """Digest that is the same for the same images, labels, split and pixels.

        A resumed run must have the same fingerprint.
        """
        placed = [(part, image) for part in PARTS for image in self.parts[part]]
        places = [
            (part, image.collection, image.path.parent.name, image.path.name, image.labels)
            for part, image in placed
        ]
        statistics = self.survey.statistics
        found = places, self.class_table.table, statistics.count, statistics.mean.tolist()
        pixels = [self.survey.digests[image.path] for _, image in placed]
        # pixels come last: the fingerprints of earlier versions lack them
        return "".join(sha256(repr(some).encode()).hexdigest() for some in (found, pixels))


def _shares(counts: Sequence[int], class_table: ClassTable) -> str:
    order = sorted(range(len(counts)), key=lambda index: -counts[index])
    shown = [f"{class_table.names[index]} {counts[index]}" for index in order[:8]]
    return f": {', '.join(shown)}" + (
        f" and {len(order) - 8} more classes" if len(order) > 8 else ""
    )

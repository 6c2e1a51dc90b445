"""Survey of all pixels before training: statistics, class pixels, and a record of the images."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.record import RecordEntry, TrainingRecord
from segment.core.pixels.band_names import COLORS
from segment.core.pixels.normalise import BandStatistics, BandStatisticsMeter
from segment.core.pixels.preprocessing import preprocess
from segment.core.raster.bands import names_of_bands
from segment.core.raster.sources import Source
from segment.core.splits import Part
from segment.data.pairs.pair import Pair
from segment.data.patches import Patch
from segment.data.pixels import TilePixels
from segment.data.recognition import remember

_OPENED = 25  # images that are opened for the names of bands
_GROUPS = 200  # that are compared by the names of their bands


def find_band_names(images: Sequence[Path | Source]) -> list[str]:
    """Finds out what the bands of images are, as far as the files state it.

    Args:
        images: Image files, of which some, spread over all, are opened.

    Returns:
        A name for each band, by which it is found in scenes; empty where files name none, or differ
        in the names.

    Raises:
        InputError: If an image cannot be opened.
    """
    found = _named_bands(images[:: max(1, len(images) // _OPENED)])
    return list(*found) if len(found) == 1 else []


def learned_bands(info: ModelInfo) -> Sequence[str]:
    """Returns the names of the bands that a model learned from.

    Args:
        info: Description of the model.

    Returns:
        The names, red, green and blue for three bands without names; empty where unknown.
    """
    return info.band_names or (COLORS if info.bands == len(COLORS) else ())


def band_order_notes(pairs: Sequence[Pair], learned: Sequence[str] = ()) -> list[str]:
    """Describes images whose bands are others, or in another order, than those of the rest.

    Bands of tiles are read in the order of the file. Each group counts by its first image, and of
    many groups some, spread over all, are opened.

    Args:
        pairs: Images and masks.
        learned: Names of the first bands that a model or its weights learned from; if empty, the
            images are compared with each other.

    Returns:
        A sentence, or nothing where files name no bands.

    Raises:
        InputError: If an image cannot be opened.
    """
    first = {pair.group: pair.source for pair in reversed(pairs)}
    sources = [*first.values()][::-1]
    found = _named_bands(sources[:: max(1, len(sources) // _GROUPS)])
    found.pop((), None)
    if learned:
        wanted, whose = tuple(learned), "the model"
        found = {names: path for names, path in found.items() if names[: len(wanted)] != wanted}
    elif found:
        wanted, whose = next((names, str(path)) for names, path in found.items())
        del found[wanted]
    return [
        f"{path}: bands are {', '.join(names)}, those of {whose} {', '.join(wanted)}. They are read"
        " in the order of the file: export them in one order."
        for names, path in [*found.items()][:1]
    ]


def _named_bands(images: Sequence[Path | Source]) -> dict[tuple[str, ...], Path | str]:
    """Returns the names of the bands of images, each with the first image that has them."""
    found: dict[tuple[str, ...], Path | str] = {}
    for one in images:
        with (one if isinstance(one, Source) else Source(one)).open() as raster:
            found.setdefault(names_of_bands(raster.dataset, raster.bands), raster.path)
    return found


@dataclass(frozen=True)
class Survey:
    """What a pass over all pixels of a tile folder found.

    Pixels that several patches cover count with the first of them.

    Attributes:
        statistics: Statistics of the training pixels after preprocessing.
        class_pixels: (codes,) int64, pixels of each code in the masks of each part, see
            `LabelSets`.
        patch_pixels: (patches, codes) int64, pixels of each code in each training patch.
        labelled: Share of the pixels of each part that have a code, 0 to 1.
        undeclared: Pixels by value or colour that the class table does not name, in all masks.
        record: Record of all images, by which they are recognised later.
        content: Digest of the pixels and labels of all windows of scenes.
        labels: Digest of the labels of all other tiles.
    """

    statistics: BandStatistics
    class_pixels: dict[Part, NDArray[np.int64]]
    patch_pixels: NDArray[np.int64]
    labelled: dict[Part, float]
    undeclared: Counter[str]
    record: TrainingRecord
    content: str = ""
    labels: str = ""


def survey(
    parts: Mapping[Part, Sequence[Patch]],
    pixels: TilePixels,
    tile: int,
    preprocessing: PreprocessSettings,
    progress: Callable[[int, int], None] | None = None,
    codes: int = 0,
) -> Survey:
    """Reads every image and mask once before training starts.

    Args:
        parts: Patches of each part.
        pixels: Source of their pixels, from which nothing was read so far.
        tile: Edge of a tile, pixels.
        preprocessing: What is done to tiles before they are measured.
        progress: Called with the number of patches done and of all.
        codes: Number of codes of their labels; 0: the number of classes.

    Returns:
        Statistics, class shares and undeclared colours.

    Raises:
        InputError: If a file cannot be read completely, if a part holds no pixel to learn from or
            to score, and as `preprocess` does.
    """
    of_image: dict[Path, list[tuple[Part, Patch]]] = {}
    positions: dict[Path, list[int]] = {}
    for part, patches in parts.items():
        for position, patch in enumerate(patches):
            of_image.setdefault(patch.pair.image, []).append((part, patch))
            positions.setdefault(patch.pair.image, []).append(position)
    codes = codes or len(pixels.class_table)
    class_pixels = {part: np.zeros(codes, np.int64) for part, some in parts.items() if some}
    patch_pixels = np.zeros((len(parts.get("train", [])), codes), np.int64)
    areas = dict.fromkeys(class_pixels, 0)
    first = of_image[min(of_image)][0][1].pair.info
    meter = BandStatisticsMeter(first.bands, first.dtype)
    remembered: list[RecordEntry] = []
    content, labels = blake2b(digest_size=16), blake2b(digest_size=16)
    done, total = 0, sum(map(len, of_image.values()))
    for path, placed in sorted(of_image.items()):
        whole = pixels.load(placed[0][1].pair)
        remembered += remember(whole, placed, tile)
        height, width = whole.shape
        for (part, patch), position in zip(placed, positions[path], strict=True):
            image, valid, mask = whole.cut(patch.row, patch.column, tile)
            new = (
                slice(patch.seen_rows, height - patch.row),
                slice(patch.seen_columns, width - patch.column),
            )
            if patch.pair.scene is None:
                labels.update(mask.tobytes())
            else:
                content.update(image.tobytes())
                content.update(mask.tobytes())
            held = np.bincount(mask[new].ravel(), minlength=256)[:codes]
            class_pixels[part] += held
            areas[part] += mask[new].size
            if part == "train":
                patch_pixels[position] = held
                meter.add(preprocess(image, preprocessing, valid)[new], valid[new])
            done += 1
            if progress:
                progress(done, total)
    for part, counts in class_pixels.items():
        if not counts.any():
            raise InputError(
                f"None of the classes {', '.join(pixels.class_table.names)} is in the masks of"
                f" {part}. Compare the class table's colours or values with the masks, or change"
                " the split."
            )
    undeclared = sum(pixels.unknown.values(), Counter[str]())
    return Survey(
        meter.statistics(),
        class_pixels,
        patch_pixels,
        {part: float(held.sum() / areas[part]) for part, held in class_pixels.items()},
        undeclared,
        TrainingRecord.of(remembered),
        content.hexdigest(),
        labels.hexdigest(),
    )

"""Scenes that are trained on as they are, found with their labels."""

import glob
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segment.annotations.label_layers import LabelLayers, stack_labels
from segment.annotations.label_source import open_mask_of_scene
from segment.annotations.vector_labels import VectorLabels
from segment.core.errors import InputError
from segment.core.inputs.named_scenes import find_sources
from segment.core.labels.classes import ClassTable, load_class_table
from segment.core.labels.masks import SUFFIXES
from segment.core.raster.opening import read_info
from segment.core.raster.reader import Raster
from segment.data.pairs.pair import Pair, SceneReading
from segment.label_settings import LabelSettings, SceneSettings


@dataclass(frozen=True)
class FoundImages:
    """Images with their labels, before their pixels are read.

    Attributes:
        pairs: The images; each scene is in a group of its own name.
        class_table: Class table of the labels.
        notes: What to report of scenes and labels.
    """

    pairs: list[Pair]
    class_table: ClassTable
    notes: list[str]


def find_scenes(
    path: Path, settings: SceneSettings, root: str, table: ClassTable | None, option: str
) -> FoundImages:
    """Finds scenes and opens each once, with its labels.

    Args:
        path: A scene, a folder of scenes, or a pattern.
        settings: Their labels, and how they are read.
        root: Folder that the paths of labels start from.
        table: Class table of the labels. By default that of vector labels is made from the values
            of their fields, and that of masks is classes.yaml beside them or beside the scene.
        option: What sets the class table, for messages.

    Returns:
        The scenes.

    Raises:
        InputError: If a scene or its labels cannot be used, or a mask has no class table.
    """
    sources = find_sources([str(path)], bands=settings.bands, nodata=settings.nodata)
    files = [source.path for source in sources]
    stems = Counter(Path(file).stem for file in files)
    labels = settings.labels or []
    vectors = [_vector_labels(one, root) for one in labels if one.field is not None]
    if vectors and table is not None:
        table = ClassTable(table.table)  # with its values: those that are burned
    pairs: list[Pair] = []
    notes: list[str] = []
    scene_of: dict[Path, Path] = {}  # the first one of each mask
    for source, file in zip(sources, files, strict=True):
        if not isinstance(file, Path):
            raise InputError(f"{file}: scenes to train on are files. Copy it to the disk.")
        group = file.stem if stems[file.stem] == 1 else f"{file.parent.name}/{file.stem}"
        with source.open() as raster:
            info = raster.info
            info.require_colors()
            notes += [f"{file}: {note}" for note in raster.notes if note != raster.alpha_note]
            if (undeclared := raster.undeclared_nodata()) is not None:
                notes.append(f"{file}: {undeclared}")
            reading = SceneReading(source.bands, source.nodata)
            if vectors:
                shapes = _burn(vectors, raster, table)
                table, reading = shapes.class_table, replace(reading, shapes=shapes)
                notes += [_in_settings(note) for note in shapes.notes]
                pairs.append(Pair(file, vectors[0].path, group, None, info, scene=reading))
                continue
            mask = _mask_of(file, Path(root, labels[0].path))
            cure = (
                "Name the field of their classes with --field NAME (labels.field in the settings)"
            )
            with open_mask_of_scene(mask, raster, cure) as opened:
                alignment = opened.alignment
            first = scene_of.setdefault(mask, file)
            if first != file and not (info.ground and read_info(mask).ground):
                raise InputError(
                    f"{mask}: is the mask of {first} and of {file}, and not all three are"
                    " georeferenced. Give each scene a mask of its name in one folder, or list the"
                    " scenes in data.collections, each with its labels."
                )
            table = table or _table_beside(mask, file)
            pairs.append(Pair(file, mask, group, None, info, alignment, scene=reading))
    if table is None:
        raise InputError(
            f"{path}: no class table found. Add classes.yaml beside the mask, or set {option}."
        )
    return FoundImages(pairs, table, list(dict.fromkeys(notes)))


def _vector_labels(one: LabelSettings, root: str) -> VectorLabels:
    areas = None if one.areas is None else Path(root, one.areas)
    options = one.model_dump(exclude={"path", "areas"})
    return VectorLabels(path=Path(root, one.path), areas=areas, **options)


def _burn(vectors: Sequence[VectorLabels], scene: Raster, table: ClassTable | None) -> LabelLayers:
    try:
        return stack_labels(vectors, scene, table)
    except InputError as error:
        raise InputError(_in_settings(str(error))) from error


def _in_settings(message: str) -> str:
    """Names the options of segment-tile as the settings have them."""
    names = "field|layer|width|radius|order|background|codes"
    settings = re.sub(rf"--({names})\b", r"labels.\1", message)
    return settings.replace("--labelled-areas", "labels.areas")


def _mask_of(scene: Path, labels: Path) -> Path:
    """Returns the mask of a scene: the file itself, or the one of its name in a folder."""
    if not labels.is_dir():
        return labels
    named = sorted(labels.glob(f"{glob.escape(scene.stem)}.*"))
    masks = [file for file in named if file.suffix.lower() in SUFFIXES]
    if len(masks) != 1:
        found = ", ".join(file.name for file in masks) or "none"
        raise InputError(
            f"{labels}: one mask of the name {scene.stem} is needed for {scene}. Found {found}."
        )
    return masks[0]


def _table_beside(mask: Path, scene: Path) -> ClassTable | None:
    for file in (mask.with_name("classes.yaml"), scene.with_name("classes.yaml")):
        if file.is_file():
            return load_class_table(file)
    return None

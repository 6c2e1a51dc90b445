"""Looking at labelled images before anything is trained on them: one report of what they are and what to mend."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from classify.bundled import BUNDLED
from classify.config import DataSettings
from classify.exploration_page import exploration_page
from classify.findings import find_all
from classify.images import Data, data_folders, find_images
from classify.inference import label_info, read_input
from classify.looks import Looks, common_kind, look_at, read_headers
from classify.view import View, find_twins
from segment.core.ahead import compute_ahead
from segment.core.components import Components, Vectors, principal_components
from segment.core.looks import EDGE
from segment.core.model_folder import load_model_info
from segment.core.output import refuse_existing
from segment.core.progress import Progress, Silent
from segment.core.report import REPORT_FILES, Exploration, write_report_folder
from segment.core.runtime import load_model
from segment.core.sources import Source

COMPONENTS = 16
_BATCH, _WORKERS = 16, 2


def explore(
    data: Data,
    output: Path | str,
    settings: DataSettings | None = None,
    *,
    model: Path | str | None = BUNDLED,
    overwrite: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Exploration:
    """Looks at every image of some data folders, laid out as for training, and writes report.html and report.json to `output`.

    settings: class table and label map, as for training. model: a classifier whose features place the images, too,
    where they have its bands and pixels; None for none. Memory holds some hundred images at a time, and two kilobytes for each.

    Raises InputError when there are no images, none can be read, or `output` exists.
    """
    output, progress = Path(output), progress or Silent()
    refuse_existing(output, overwrite, REPORT_FILES)
    collection = find_images(data_folders(data), settings or DataSettings(), complete=False)
    headers, unopened = read_headers(collection.images, progress)
    with Vectors(EDGE * EDGE * common_kind(headers)[0]) as vectors:
        seen = look_at(collection, headers, vectors, progress, seed)
        components = _components(vectors)
    looks = replace(seen, problems={**unopened, **seen.problems})
    paths = [collection.images[position].path for position in looks.usable]
    features = None if model is None else _features(looks, paths, Path(model), progress)
    view = View(collection, headers, looks, find_twins(collection, looks), components, features)
    findings = find_all(view)
    figures = {"findings": [vars(finding) for finding in findings], **view.figures}
    write_report_folder(output, figures, exploration_page(view, findings), overwrite)
    return Exploration(findings, figures)


def _components(vectors: Vectors) -> Components | None:
    return principal_components(vectors, COMPONENTS) if len(vectors) > 2 else None


def _features(looks: Looks, paths: list[Path], folder: Path, progress: Progress) -> Components | None:
    """Of what a classifier's head sees; None where the images have other bands or pixels than it takes."""
    info = load_model_info(folder)
    if looks.kind != (info.bands, info.dtype) or looks.rgb != label_info(info).rgb:
        return None
    network = load_model(folder, features=True)

    def batches() -> Generator[list[Path], None, None]:
        for first in range(0, len(paths), _BATCH):
            yield paths[first : first + _BATCH]

    def read(some: list[Path]) -> Any:
        return np.stack([read_input(Source(path), info) for path in some])

    done, vectors = 0, None
    with closing(compute_ahead(batches(), read, _WORKERS)) as found:
        for _, pixels in found:
            answers = network.predict(pixels)
            vectors = vectors or Vectors(answers.shape[1])
            for answer in answers:
                vectors.add(answer)
            done += len(answers)
            progress.advance("comparing", done, len(paths))
    assert vectors is not None, "there are images"
    with vectors:
        return _components(vectors)

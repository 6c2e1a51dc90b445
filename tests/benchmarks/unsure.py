"""Unsure answers: errors of both kinds, and the scores by which they could be chosen."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classify.bundled import BUNDLED
from classify.data.images import LabelledImage
from classify.labelling.doubt import Doubt, thinned
from classify.training.unsure import KEPT, choose_limits
from segment.core.errors import InputError
from segment.core.model.info import ModelInfo
from segment.core.model.runtime import load_model
from tests.benchmarks.measure import report_figure
from tests.benchmarks.strangers import strangers

Scores = dict[str, NDArray[np.float64]]


def unsure(
    images: list[Path], model: Path = BUNDLED, count: int = 100, folder: Path | None = None
) -> None:
    """Measures how often images of none of the classes are unsure, and right answers are not.

    Limits are those of the model. A model without them gets limits by half of the images; the
    other half is scored.

    Args:
        images: Data folders with known images, of which the test part counts if the model was
            trained on them, at most 600.
        model: Model folder.
        count: Images of each kind of strangers.
        folder: Photographs taken from the ground; by default those of installed packages.
    """
    from classify.labelling.inference import answer
    from classify.labelling.seen_images import scored_dataset

    network = load_model(model)
    info = network.info
    held = _test_images(images, info)
    dataset = scored_dataset(held, info, 16)
    known = [dataset.image_at(row) for row in range(len(held))]
    batch = partial(_answers, partial(answer, network))
    p = batch(known)
    right = np.array([int(row.argmax()) in one.labels for row, one in zip(p, held, strict=True)])
    kinds = strangers(known, count, folder=folder)
    others = {kind: batch(pictures) for kind, pictures in kinds.items()}
    doubt, scored = Doubt.of(network), np.ones(len(held), bool)
    if not doubt.threshold:
        doubt, scored = _fitted(known, p, right)
    assert doubt.detector is not None
    describe = partial(_scores, doubt)
    of_known = describe(known, p)
    of_others = {kind: describe(kinds[kind], others[kind]) for kind in kinds}
    _compare(of_known, right, of_others)
    turned = doubt.unsure(p, doubt.unfamiliar(known))
    shares = {
        kind: float(doubt.unsure(others[kind], doubt.unfamiliar(kinds[kind])).mean())
        for kind in kinds
    }
    report_figure(
        "images of none of the classes answered unsure, mean over kinds",
        np.mean(list(shares.values())),
        at_least=0.8,
        kinds={kind: round(share, 3) for kind, share in shares.items()},
        fewest=round(min(shares.values()), 3),
        each=count,
    )
    report_figure(
        "right answers that are given",
        1 - turned[right & scored].mean(),
        at_least=0.93,
        wrong_answers_unsure=round(float(turned[~right & scored].mean()), 3),
        accuracy=round(float(right[scored].mean()), 3),
        accuracy_of_given=round(float(right[scored & ~turned].mean()), 3),
        images=int(scored.sum()),
    )


def _test_images(images: list[Path], info: ModelInfo, most: int = 600) -> list[LabelledImage]:
    from classify.training.scored_images import find_scored

    try:
        found = find_scored(images, info, "test").images
    except InputError:
        found = find_scored(images, info).images
    rows = np.unique(np.linspace(0, len(found) - 1, most).round().astype(int))
    return [found[row] for row in rows]


def _answers(predict: Any, pictures: list[NDArray[Any]]) -> NDArray[np.float32]:
    starts = range(0, len(pictures), 16)
    return np.concatenate([predict(np.stack(pictures[i : i + 16])) for i in starts])


def _fitted(
    known: list[NDArray[Any]], p: NDArray[np.float32], right: NDArray[np.bool_]
) -> tuple[Doubt, NDArray[np.bool_]]:
    """Limits by every second image, and which images are the others."""
    from dataclasses import replace

    from segment.core.pixels.novelty import NoveltyDetector

    others = np.arange(len(known)) % 2 > 0
    order = np.random.default_rng(0).permutation(np.flatnonzero(~others)).tolist()
    half, rows = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    detector = NoveltyDetector.fit(
        (thinned(known[i]) for i in half), (thinned(known[i]) for i in rows)
    )
    rows = [row for row in rows if right[row]]
    distances = np.array([detector.score(thinned(known[row])) for row in rows])
    threshold, factor = choose_limits(p[rows].max(axis=1), distances)
    return Doubt(threshold, replace(detector, limit=np.float32(detector.limit * factor))), others


def _scores(doubt: Doubt, pictures: list[NDArray[Any]], p: NDArray[np.float32]) -> Scores:
    """Scores by which an answer could be doubted, high where it should be."""
    assert doubt.detector is not None
    ranked = np.sort(p.astype(np.float64), axis=1)
    distance = np.array([doubt.detector.score(thinned(picture)) for picture in pictures])
    return {
        "probability": 1 - ranked[:, -1],
        "margin": ranked[:, -2] - ranked[:, -1],
        "entropy": -(ranked * np.log(np.maximum(ranked, 1e-12))).sum(axis=1),
        "texture": distance,
    }


def _compare(known: Scores, right: NDArray[np.bool_], others: dict[str, Scores]) -> None:
    """Shares of strangers beyond a limit that keeps 95 % of these right answers, and the AUC."""
    from sklearn.metrics import roc_auc_score

    joined, parts = "probability and texture", ("probability", "texture")
    scales = {name: float(np.quantile(known[name][right], KEPT)) for name in parts}
    for scores in (known, *others.values()):
        scores[joined] = np.maximum(*(scores[name] / scales[name] for name in parts))
    for name, values in known.items():
        limit = np.quantile(values[right], KEPT)
        beyond = {kind: float((s[name] > limit).mean()) for kind, s in others.items()}
        areas = [
            roc_auc_score(
                np.r_[np.zeros(right.sum()), np.ones(len(s[name]))], np.r_[values[right], s[name]]
            )
            for s in others.values()
        ]
        report_figure(
            f"strangers turned away by {name}, 95 % of right answers kept",
            np.mean(list(beyond.values())),
            kinds={kind: round(share, 3) for kind, share in beyond.items()},
            area_under_curve=round(float(np.mean(areas)), 4),
        )

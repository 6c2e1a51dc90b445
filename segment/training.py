"""Training: a tile folder and settings become a run folder."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from segment.augment import augmentation, value_range
from segment.config import Config
from segment.core.config import dump_settings
from segment.core.errors import InputError, Interrupted
from segment.core.model_folder import ModelInfo, load_keras_model, save_model_folder
from segment.core.output import refuse_existing, staged
from segment.core.palette import Palette
from segment.core.progress import Progress, Silent
from segment.core.training import CHECKPOINT, Row, dtype_policy, fit
from segment.dataset import Survey, TileDataset, TilePixels, survey
from segment.evaluation import Evaluation, score_patches
from segment.losses import build_loss, resolve_class_weights
from segment.models import build_model, has_fixed_tile, tile_multiple
from segment.report import plot_training, write_training
from segment.tiles import PARTS, Pair, Part, Patch, find_pairs, find_palette, leaks, split_patches

MONITOR = "val_jaccard"


@dataclass(frozen=True)
class Run:
    """A finished training run.

    history: a row per epoch. validation, test: scores of the best model; test is None without test tiles.
    """

    folder: Path
    history: list[Row]
    validation: Evaluation
    test: Evaluation | None

    def __str__(self) -> str:
        lines = [f"{self.folder}: {len(self.history)} epochs", f"validation  {self.validation}"]
        if self.test:
            lines.append(f"test        {self.test}")
        return "\n".join(lines)


def train(
    tiles: Path | str,
    output: Path | str,
    config: Config | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Trains a model on a tile folder and writes a run folder.

    resume: go on with the run in `output` from its last finished epoch.

    Raises InputError for a fault of the data or the settings, before anything is written; Interrupted on Ctrl-C,
    with the way to go on.
    """
    tiles, output, progress = Path(tiles), Path(output), progress or Silent()
    config = config or Config()
    if not resume:
        refuse_existing(output, overwrite)
    elif not (output / CHECKPOINT).is_file():
        raise InputError(f"{output}: --resume needs a run with a checkpoint. Received none. Train without --resume.")
    keras.utils.set_random_seed(config.training.seed)
    data = _Data.prepare(tiles, config, progress)
    network = _build(config, data, dtype_policy(config.training), progress)
    if not resume:
        _make_run_folder(output, config)
    try:
        return _train(network, data, config, tiles, output, resume, progress)
    except KeyboardInterrupt as error:
        if not (output / CHECKPOINT).is_file():
            shutil.rmtree(output)
            raise Interrupted(f"{output}: stopped before the first epoch ended. Nothing was kept.") from error
        raise Interrupted(f"{output}: stopped. The same command with --resume goes on from the last epoch.") from error
    except BaseException:
        if not (output / CHECKPOINT).is_file():
            shutil.rmtree(output, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Data:
    """What training knows of its tile folder before it starts."""

    palette: Palette
    pairs: Sequence[Pair]
    parts: Mapping[Part, list[Patch]]
    survey: Survey
    class_weights: list[float]

    @classmethod
    def prepare(cls, tiles: Path, config: Config, progress: Progress) -> "_Data":
        pairs = find_pairs(tiles)
        table = Palette(config.data.classes) if config.data.classes else find_palette(tiles, pairs)
        if table is None:
            raise InputError(
                f"{tiles}: training needs a class table. Received none. Put classes.yaml there, or set data.classes."
            )
        parts = split_patches(pairs, config.data, config.training.seed)
        for group in leaks(parts):
            progress.say(f"warning: tiles of {group!r} are trained on and scored: neighbours leak, the scores flatter")
        found = survey(parts, table, config.data.undeclared, config.data.tile, partial(progress.advance, "reading"))
        for value, count in found.undeclared.most_common(5):
            progress.say(f"warning: {count:,} mask pixels hold {value}, which no class has: ignored")
        weights = resolve_class_weights(config.loss, table.names, found.class_pixels)
        groups = {part: sorted({p.pair.group for p in parts[part]}) for part in PARTS if parts[part]}
        for part, names in groups.items():
            listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
            progress.say(f"{part:5} {len(parts[part]):5} tiles of {config.data.tile} px from {listed}")
        return cls(table, pairs, parts, found, weights)


def _build(config: Config, data: _Data, policy: str, progress: Progress) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        built = build_model(config.model, len(data.palette), data.survey.statistics, config.data.normalise, config.data.tile)
    finally:
        keras.config.set_dtype_policy(before)
    progress.say(f"model {built.network.name}, {built.network.count_params():,} weights, on {keras.backend.backend()}")
    if built.encoder:
        progress.say(f"encoder from {built.encoder}")
    return built.network


def _make_run_folder(output: Path, config: Config) -> None:
    if output.exists():
        shutil.rmtree(output)
    with staged(output) as folder:
        folder.mkdir()
        (folder / "config.yaml").write_text(dump_settings(config))


def _train(network: keras.Model, data: _Data, config: Config, tiles: Path, output: Path, resume: bool, progress: Progress) -> Run:
    pixels = TilePixels(data.palette, config.data.undeclared, config.data.cache_mb)
    size, batch = config.data.tile, config.training.batch_size
    augment = partial(augmentation, config.augment, data.survey.statistics)
    training = TileDataset(
        data.parts["train"],
        pixels,
        size,
        batch,
        augment=augment,
        random_crops=config.data.crops == "random",
        seed=config.training.seed,
        workers=config.training.workers,
    )
    scored = {part: TileDataset(data.parts[part], pixels, size, batch) for part in PARTS[1:] if data.parts[part]}
    loss = build_loss(config.loss, data.class_weights)
    info = _describe(network, data, config, tiles)

    def validate() -> Row:
        losses: list[float] = []

        def add_loss(truth: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
            losses.append(float(loss(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(probabilities))))

        confusion = score_patches(network.predict_on_batch, scored["val"], data.palette.names, progress, add_loss).confusion
        figures = {"val_loss": float(np.mean(losses)), MONITOR: confusion.mean_jaccard, "val_accuracy": confusion.accuracy}
        return {name: 0.0 if np.isnan(value) else value for name, value in figures.items()}

    # what is kept computes in float32 wherever it is used, whatever the precision of training
    kept = network if dtype_policy(config.training) == "float32" else _build(config, data, "float32", Silent())

    def save_best(row: Row) -> None:
        kept.set_weights(network.get_weights())
        save_model_folder(output, kept, info.model_copy(update={"scores": {"validation": row}}))

    history = fit(
        network,
        training,
        loss=loss,
        validate=validate,
        monitor=MONITOR,
        save_best=save_best,
        settings=config.training,
        folder=output,
        progress=progress,
        resume=resume,
    )
    return _finish(output, history, scored, info, data.palette, progress)


def _describe(network: keras.Model, data: _Data, config: Config, tiles: Path) -> ModelInfo:
    statistics, first = data.survey.statistics, data.pairs[0].info
    low, high = value_range(statistics)
    distances = [p.info.ground_sampling_distance for p in data.pairs if p.info.ground_sampling_distance]
    return ModelInfo(
        task="segment",
        name=f"{config.model.architecture}/{config.model.backbone}",
        classes=list(data.palette.table),
        bands=first.bands,
        dtype=first.dtype,
        range=(float(low.min()), float(high.max())),
        tile=config.data.tile,
        multiple=tile_multiple(config.model),
        fixed_tile=has_fixed_tile(config.model),
        ground_sampling_distance=float(np.median(distances)) if distances else None,
        training={
            "data": tiles.resolve().name,
            "tiles": {part: len(patches) for part, patches in data.parts.items()},
            "groups": {part: sorted({p.pair.group for p in patches}) for part, patches in data.parts.items()},
            "backend": keras.backend.backend(),
            "settings": config.model_dump(mode="json", exclude={"data": {"classes"}}),
        },
    )


def _finish(
    output: Path,
    history: list[Row],
    scored: Mapping[Part, TileDataset],
    info: ModelInfo,
    palette: Palette,
    progress: Progress,
) -> Run:
    """Scores the best model and writes the reports."""
    best = load_keras_model(output)
    results = {part: score_patches(best.predict_on_batch, dataset, palette.names, progress) for part, dataset in scored.items()}
    run = Run(output, history, results["val"], results.get("test"))
    scores = {part: {k: v for k, v in result.report.items() if k != "confusion"} for part, result in results.items()}
    save_model_folder(output, best, info.model_copy(update={"scores": scores}))
    report = {"part": "validation", **run.validation.report, "test": run.test.report if run.test else None}
    with staged(output / "report.json", overwrite=True) as partial_file:
        partial_file.write_text(json.dumps(report, indent=2))
    with staged(output / "curves.png", overwrite=True) as partial_file:
        plot_training(history).savefig(partial_file, format="png", dpi=120)
    names: dict[Part, str] = {"val": "Validation", "test": "Test"}
    sections = [(names[part], result, scored[part]) for part, result in results.items()]
    best_row = max(history, key=lambda row: row[MONITOR])
    training = info.training
    facts = [
        ("Data", training["data"]),
        ("Training tiles", training["tiles"]["train"]),
        ("Classes", ", ".join(palette.names)),
        ("Epochs", len(history)),
        ("Best epoch", int(best_row["epoch"])),
        ("Backend", training["backend"]),
    ]
    title = f"{info.name} trained on {training['data']}"
    write_training(output / "report.html", title, facts, history, sections, best.predict_on_batch, palette)
    return run

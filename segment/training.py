"""Training: a tile folder and settings become a run folder."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from segment.augment import augmentation, value_range
from segment.config import Config
from segment.core.config import dump_settings, flatten, load_settings
from segment.core.errors import InputError, Interrupted
from segment.core.model_folder import (
    INFO_FILE,
    MODEL_FILE,
    ONNX_FILE,
    OPENVINO_FOLDER,
    ModelInfo,
    load_keras_model,
    save_model_folder,
)
from segment.core.output import refuse_existing, staged
from segment.core.palette import Palette
from segment.core.parts import PARTS, Part
from segment.core.progress import Progress, Silent
from segment.core.training import CHECKPOINT, Row, dtype_policy, fit
from segment.dataset import TileDataset, TilePixels
from segment.evaluation import Evaluation, score_patches
from segment.losses import build_loss
from segment.models import build_model, check_model, has_fixed_tile, tile_multiple
from segment.report import plot_training, write_training
from segment.training_data import TrainingData

MONITOR = "val_jaccard"
_RUN_FILES = (
    "config.yaml", "history.csv", "curves.png", "report.json", "report.html", "checkpoints", "tensorboard",
    MODEL_FILE, INFO_FILE, OPENVINO_FOLDER, ONNX_FILE,
)  # fmt: skip
_CHANGEABLE = ("training.epochs", "training.early_stopping", "training.workers", "training.tensorboard", "data.cache_mb")


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
    if resume:
        _check_resume(output, config)
    else:
        refuse_existing(output, overwrite or _is_only_begun(output), _RUN_FILES)
    check_model(config.model, config.data.tile)
    keras.utils.set_random_seed(config.training.seed)
    data = TrainingData.prepare(tiles, config, progress)
    network = _build(config, data, dtype_policy(config.training), progress, pretrained=not resume)
    if not resume and output.exists():
        shutil.rmtree(output)
    _write_config(output, config)
    try:
        return _train(network, data, config, tiles, output, resume, progress)
    except BaseException as error:
        kept = (output / CHECKPOINT).is_file()
        if not kept:
            shutil.rmtree(output, ignore_errors=True)
        if not isinstance(error, KeyboardInterrupt):
            raise
        told = "The same command with --resume goes on from the last epoch." if kept else "No epoch had ended, nothing was kept."
        raise Interrupted(f"{output}: stopped. {told}") from error


def _is_only_begun(output: Path) -> bool:
    """Whether the folder is what a training that was killed in its first epoch leaves."""
    return output.is_dir() and [p.name for p in output.iterdir()] == ["config.yaml"]


def _check_resume(output: Path, config: Config) -> None:
    """Raises InputError when the run in `output` cannot go on with these settings."""
    if not (output / CHECKPOINT).is_file():
        raise InputError(f"{output}: --resume needs a run with a checkpoint. Received none. Train without --resume.")
    before, now = (flatten(c.model_dump(mode="json")) for c in (load_settings(Config, output / "config.yaml"), config))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key) and key not in _CHANGEABLE:
            raise InputError(
                f"{key}: --resume keeps the run's settings. Received {now.get(key)!r}, but the run has {before.get(key)!r}. "
                f"Leave it; {', '.join(_CHANGEABLE)} may change."
            )


def _write_config(output: Path, config: Config) -> None:
    output.mkdir(parents=True, exist_ok=True)
    with staged(output / "config.yaml", overwrite=True) as partial_file:
        partial_file.write_text(dump_settings(config))


def _build(config: Config, data: TrainingData, policy: str, progress: Progress, pretrained: bool) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        built = build_model(
            config.model,
            len(data.palette),
            data.survey.statistics,
            config.data.normalise,
            config.data.tile,
            pretrained=pretrained,
        )
    finally:
        keras.config.set_dtype_policy(before)
    progress.say(f"model {built.network.name}, {built.network.count_params():,} weights, on {keras.backend.backend()}")
    if built.encoder:
        progress.say(f"encoder from {built.encoder}")
    return built.network


def _train(
    network: keras.Model, data: TrainingData, config: Config, tiles: Path, output: Path, resume: bool, progress: Progress
) -> Run:
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
    info = _describe(data, config, tiles)

    def validate() -> Row:
        losses: list[float] = []

        def add_loss(truth: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> None:
            losses.append(float(loss(keras.ops.convert_to_tensor(truth), keras.ops.convert_to_tensor(probabilities))))

        confusion = score_patches(network.predict_on_batch, scored["val"], data.palette.names, progress, add_loss).confusion
        return {"val_loss": float(np.mean(losses)), MONITOR: confusion.mean_jaccard, "val_accuracy": confusion.accuracy}

    # what is kept computes in float32 wherever it is used, whatever the precision of training
    kept = network if dtype_policy(config.training) == "float32" else _build(config, data, "float32", Silent(), pretrained=False)

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
        data=data.fingerprint,
        resume=resume,
    )
    return _finish(output, history, scored, info, data.palette, progress)


def _describe(data: TrainingData, config: Config, tiles: Path) -> ModelInfo:
    statistics, first = data.survey.statistics, data.pairs[0].info
    low, high = value_range(statistics)
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
        ground_sampling_distance=data.ground_sampling_distance(),
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

"""Trains a small network on one and on two virtual devices of this process, or with other machines;
prints what came of each as JSON.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np

from classify.generator.autoencoder import Latent
from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.model.backend import MACHINES, machine_number
from segment.core.training.devices import take_devices
from segment.core.training.history import Row
from segment.core.training.loop import fit
from segment.core.training.optimizers import Phase
from segment.core.training.session import Session, Training
from tests.core.training import virtual_devices  # noqa: F401 - starts Keras

_CLASSES = 2


class Images(keras.utils.PyDataset):
    """Three batches of 8 x 8 px, the last one of `last` images; the second half has no class 0."""

    def __init__(self, last: int) -> None:
        super().__init__(workers=1)
        self.epoch, self.last = 0, last

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng([self.epoch, index])
        images = random.normal(size=(8 if index < 2 else self.last, 8, 8, 3)).astype(np.float32)
        truth = (images[..., 0] > 0).astype(np.uint8)
        truth[len(truth) // 2 :] = 1
        return images, truth

    def on_epoch_end(self) -> None:
        self.epoch += 1


def network(random: bool) -> keras.Model:
    """random: with layers that draw at random while training."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 3))
    inner = keras.Input((8, 8, 4))
    x = keras.layers.BatchNormalization(momentum=0.5, name="normal")(
        keras.layers.Conv2D(4, 3, use_bias=False, name="middle")(inner)
    )
    inside = keras.Model(
        inner, keras.layers.Dropout(0.5 if random else 0.0, seed=1)(x), name="inside"
    )
    x = inside(keras.layers.Conv2D(4, 1, use_bias=False, name="first")(pixels))
    x = keras.layers.UpSampling2D(8 // 2)(keras.layers.AveragePooling2D(3)(keras.layers.ReLU()(x)))
    if random:
        x = Latent(kl_weight=0.01, warmup_steps=2)([x, x])
    return keras.Model(pixels, keras.layers.Dense(_CLASSES, activation="softmax", name="last")(x))


def overlap(truth, answers):
    """Depends on the batch as a whole, as Dice does."""
    one_hot = keras.ops.one_hot(keras.ops.cast(truth, "int32"), _CLASSES)
    hits, true, found = (
        keras.ops.sum(x, axis=(0, 1, 2)) for x in (one_hot * answers, one_hot, answers)
    )
    return keras.ops.mean(1 - 2 * hits / (true + found))


def train(
    folder: Path,
    devices: int,
    *,
    last: int = 8,
    epochs: int = 3,
    random: bool = False,
    resume: bool = False,
) -> dict:
    folder.mkdir(exist_ok=True)
    trained = network(random)
    settings = TrainingSettings(
        optimizer="adamw",
        learning_rate=0.01,
        schedule="constant",
        epochs=epochs,
        clip_norm=0.05,
        devices=devices,
    )

    def freeze(trainable: bool) -> None:
        trained.get_layer("inside").get_layer("middle").trainable = trainable

    def validate() -> Row:
        images, truth = Images(8)[100]
        loss = overlap(
            keras.ops.convert_to_tensor(truth),
            keras.ops.convert_to_tensor(trained.predict_on_batch(images)),
        )
        return {"val_loss": float(loss), "score": 1 - float(loss)}

    history = fit(
        Training(
            network=trained,
            dataset=Images(last),
            fingerprint="images",
            loss=overlap,
            validate=validate,
            monitor="score",
            save_best=lambda row: trained.save(folder / "best.keras"),
            phases=[
                Phase(1, 0.01, partial(freeze, False)),
                Phase(epochs - 1, 0.01, partial(freeze, True)),
            ],
        ),
        Session(
            folder=folder,
            config=settings,
            settings=settings,
            devices=take_devices(settings),
            resume=resume,
        ),
    )
    kept = keras.models.load_model(folder / "best.keras")
    return {
        "history": history,
        "weights": [weight.tolist() for weight in trained.get_weights()],
        "synchronized": kept.get_layer("inside").get_layer("normal").synchronized,
        "devices": take_devices(settings).count,
    }


def main(folder: Path) -> None:
    if MACHINES in os.environ:
        print(json.dumps({"machines": train(folder / f"{machine_number()}", 1)}))
        return
    found = {name: train(folder / name, devices) for name, devices in (("one", 1), ("two", 2))}
    found["resumed"] = train(folder / "one", 2, epochs=4, resume=True)
    found["unbroken"] = train(folder / "unbroken", 1, epochs=4)
    found["uneven"] = train(folder / "uneven", 2, last=5)
    found["random"] = train(folder / "random", 2, random=True)
    refused = {
        "too many": {"devices": 3, "batch_size": 9},
        "uneven": {"devices": 2, "batch_size": 9},
    }
    for name, settings in refused.items():
        try:
            take_devices(TrainingSettings(**settings))
        except InputError as error:
            found[f"refused: {name}"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""The classical baseline: principal components, then logistic regression or a linear SVM.

It takes seconds, and its score is the one that every network has to beat.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from classify.config import Classifier, ModelSettings
from classify.data.dataset import ImageDataset, one_hot
from segment.core.errors import InputError
from segment.core.pixels.components import Vectors, principal_components
from segment.core.pixels.normalise import BandStatistics, imagenet_statistics, normalisation
from segment.core.progress import Progress

_EDGE = 32  # edge in pixels that images are reduced to, or a few more
_IMAGES_EACH = 4  # images per component: with one each, only noise is learned
_SURE = 30.0  # logit of a label that all images have; negative if none has it


def fit_classical(
    settings: ModelSettings,
    dataset: ImageDataset,
    size: int,
    statistics: BandStatistics,
    classes: int,
    *,
    multi_label: bool,
    seed: int,
    progress: Progress,
) -> keras.Model:
    """Fits the baseline to a dataset and returns it as a network of stock Keras layers.

    Images that may be of several classes give components, and no labels to the classifier. Images
    are standardised, reduced to about 32 x 32 pixels by averaging, and projected on
    principal components, each scaled to a standard deviation of 1. With several labels, each label
    has its own classifier.

    The network takes (batch, size, size, bands) in the dtype of the pixels and returns (batch,
    classes) float32, like other networks.

    Args:
        settings: `components` (at most a quarter of the number of images is used) and `classifier`.
        dataset: Training images (size, size, bands).
        size: Edge of the images in pixels.
        statistics: Statistics of the training pixels.
        classes: Number of classes.
        multi_label: Whether images can have several labels.
        seed: Seed of the support vector machine.
        progress: Where progress is reported.

    Returns:
        The fitted network.

    Raises:
        InputError: If there is only one image.
    """
    pixels = keras.Input((size, size, statistics.bands), dtype=statistics.dtype, name="pixels")
    x = normalisation(statistics, "standardise", imagenet_statistics)(pixels)
    x = keras.layers.AveragePooling2D(max(1, size // _EDGE))(x)
    shrink = keras.Model(pixels, keras.layers.Flatten()(x))
    reference = one_hot(dataset.images, classes)
    with Vectors(shrink.output_shape[-1]) as vectors:
        for index in range(len(dataset)):
            for vector in shrink.predict_on_batch(dataset[index][0]):
                vectors.add(vector)
            progress.advance("baseline", index + 1, len(dataset))
        if len(vectors) < 2:
            raise InputError(
                "model.kind: pca needs two images or more, and there is one. Add images."
            )
        found = principal_components(
            vectors, min(settings.components, max(1, len(vectors) // _IMAGES_EACH))
        )
    scales = np.maximum(found.positions.std(axis=0), 1e-6)
    certain = (reference.sum(axis=1) == 1) | multi_label
    weights, biases = _fit_linear(
        (found.positions / scales)[certain],
        reference[certain],
        settings.classifier,
        multi_label,
        seed,
    )
    axes = found.axes / scales[:, None]
    components = keras.layers.Dense(len(axes), name="features")
    logits = keras.layers.Dense(classes, name="logits")
    last = keras.layers.Activation("sigmoid") if multi_label else keras.layers.Softmax()
    network = keras.Model(
        pixels, last(logits(components(shrink(pixels)))), name=f"pca_{settings.classifier}"
    )
    components.set_weights([axes.T, -axes @ found.mean])
    logits.set_weights([weights.T, biases])
    return network


def _fit_linear(
    positions: NDArray[np.float32],
    reference: NDArray[np.float32],
    classifier: Classifier,
    multi_label: bool,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (classes, components) and biases (classes,) of the logits.

    Classes without images are never predicted.
    """
    weights, biases = (
        np.zeros((reference.shape[1], positions.shape[1])),
        np.full(reference.shape[1], -_SURE),
    )
    everywhere = reference.all(axis=0)
    biases[everywhere] = _SURE
    if multi_label:
        for label in np.flatnonzero(reference.any(axis=0) & ~everywhere):
            model = _classifier(classifier, seed).fit(positions, reference[:, label] > 0)
            weights[label], biases[label] = model.coef_[0], model.intercept_[0]
        return weights, biases
    if everywhere.any():
        return weights, biases
    model = _classifier(classifier, seed).fit(positions, reference.argmax(axis=1))
    if len(model.classes_) == 2:  # a single row, of the second class against the first
        weights[model.classes_] = np.concatenate([np.zeros_like(model.coef_), model.coef_])
        biases[model.classes_] = [0.0, model.intercept_[0]]
    else:
        weights[model.classes_], biases[model.classes_] = model.coef_, model.intercept_
    return weights, biases


def _classifier(name: Classifier, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    return (
        LogisticRegression(max_iter=2000, C=0.1)
        if name == "logistic"
        else LinearSVC(C=0.01, random_state=seed)
    )

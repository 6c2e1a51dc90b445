"""What users choose among, and defaults, apart from what does it: commands tell of these without loading that."""

from typing import Literal

Runtime = Literal["auto", "keras", "openvino"]
"""What computes. auto: Keras where there is a GPU for it, otherwise OpenVINO if the model folder has that, else Keras."""

ExportFormat = Literal["openvino", "onnx"]
"""What a model is exported as."""

Sampler = Literal["gp", "tpe", "random"]
"""How a study chooses settings to try. gp: a Gaussian process; tpe: tree-structured Parzen estimators; random: for comparison."""

Normalisation = Literal["auto", "minmax", "standardise", "imagenet", "imagenet_statistics"]
"""How pixels reach a network. minmax, standardise: by the training pixels. imagenet: as the backbone's own ImageNet weights
expect. imagenet_statistics: by ImageNet's mean and deviation, as weights from PyTorch or MXNet's Gluon, and the bundled models,
expect. auto: imagenet where these are downloaded, imagenet_statistics with a bundled model on RGB of 8 bits, else (with weights
from files, too) standardise."""

SampleStyle = Literal["dry", "varied"]
"""What invented towns look like. dry: all in one dry country; varied: each in a climate, a settlement and a light of its own."""

OVERLAP = 0.1875
"""Fraction of a tile's edge that maps share with its neighbour: the fastest without seams, see docs/tiles.md."""

BANDWIDTH = 0.5
"""Of the densities that a generator's latents are drawn from, see `ClassDensities.draw`."""

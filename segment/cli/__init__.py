"""The segment-* commands: each parses its options, calls one library function and prints."""

from segment.cli.data import explore, sample, tile
from segment.cli.maps import app, predict
from segment.cli.models import evaluate, export, train, tune

__all__ = ["app", "evaluate", "explore", "export", "predict", "sample", "tile", "train", "tune"]

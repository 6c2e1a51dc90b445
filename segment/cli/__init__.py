"""The segment-* commands: each parses its options, calls one library function and prints."""

from segment.cli.data import explore, sample, tile
from segment.cli.maps import predict
from segment.cli.models import evaluate, export, train, tune
from segment.cli.page import app

__all__ = ["app", "evaluate", "explore", "export", "predict", "sample", "tile", "train", "tune"]

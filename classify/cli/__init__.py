"""The classify-* commands: each parses its options, calls one library function and prints."""

from classify.cli.images import predict
from classify.cli.models import evaluate, explore, export, train, tune

__all__ = ["evaluate", "explore", "export", "predict", "train", "tune"]

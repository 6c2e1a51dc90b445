"""The trained model of scene labels that comes with the package; README.md here is its card."""

from pathlib import Path

BUNDLED = Path(__file__).parent
"""A model folder."""

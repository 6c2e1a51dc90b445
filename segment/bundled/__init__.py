"""The trained model of land cover that comes with the package; README.md here is its card."""

from pathlib import Path

BUNDLED = Path(__file__).parent
"""A model folder."""

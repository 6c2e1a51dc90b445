"""The trained scene classifier that comes with the package; README.md is its model card."""

from pathlib import Path

BUNDLED = Path(__file__).parent
"""Model folder of the bundled classifier."""

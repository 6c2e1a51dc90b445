"""The bundled model of land cover; README.md in this folder is its model card."""

from pathlib import Path

BUNDLED = Path(__file__).parent
"""Model folder of the bundled model."""

"""QGIS plug-in: the commands of aerial-segment as Processing algorithms."""

from __future__ import annotations

from typing import Any


def classFactory(interface: Any) -> Any:
    """Returns the plug-in."""
    from .plugin import Plugin

    return Plugin()

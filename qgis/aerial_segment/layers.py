"""Layers of QGIS as files for a command, and files of a command as layers with their styles."""

from __future__ import annotations

import re
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
)
from qgis.PyQt import sip

_OF_PROVIDER = re.compile(r"\|(?:option|credential):.*")


def raster_path(layer: QgsRasterLayer | None, parameter: str) -> str:
    """Returns what GDAL opens for a raster layer.

    Args:
        layer: The layer.
        parameter: What it is given for, for the message.

    Raises:
        QgsProcessingException: If it is not a raster that GDAL reads, such as a map of a server.
    """
    if layer is None:
        raise QgsProcessingException(f"{parameter}: no raster that QGIS can open. Choose a file.")
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"{parameter}: {layer.name()} is no file ({layer.providerType()}). Save it as a GeoTIFF"
            " first: Layer, Save As."
        )
    require_saved(layer, parameter)
    return _OF_PROVIDER.sub("", layer.source())


def require_saved(layer: QgsMapLayer, parameter: str) -> None:
    """Checks that a layer is as its file, which is all that a command knows.

    Args:
        layer: The layer.
        parameter: What it is given for, for the message.

    Raises:
        QgsProcessingException: If it has edits that are not saved, or another coordinate system was
            set for it.
    """
    if layer.isModified():
        raise QgsProcessingException(
            f"{parameter}: {layer.name()} has edits that are not saved. Save them first."
        )
    shown, own = layer.crs(), layer.dataProvider().crs()
    if shown.toProj() != own.toProj():
        names = [crs.userFriendlyIdentifier() if crs.isValid() else "none" for crs in (shown, own)]
        raise QgsProcessingException(
            f"{parameter}: {layer.name()} is shown in the coordinate system {names[0]}, but its"
            f" file has {names[1]}. Save it in the right one first: Export, Save As."
        )


class _DefaultStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a loaded layer the style that was written with its file, which Processing ignores."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Loads the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


# QGIS deletes each with the context of its run, but does not keep what Python knows of it
_styles: list[_DefaultStyle] = []


def load_later(context: QgsProcessingContext, path: str, name: str, output: str) -> None:
    """Has a file added to the project, with its style, when the algorithm has ended.

    Args:
        context: Context of the algorithm.
        path: The file.
        name: Name of the layer.
        output: Name of the output of the algorithm.
    """
    details: Any = QgsProcessingContext.LayerDetails(name, context.project(), output)
    details.forceName = True
    _styles[:] = [style for style in _styles if not sip.isdeleted(style)]
    _styles.append(_DefaultStyle())
    details.setPostProcessor(_styles[-1])
    context.addLayerToLoadOnCompletion(path, details)

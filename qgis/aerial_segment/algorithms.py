"""The algorithms: parameters of Processing become arguments of a command."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
)

from .command_algorithm import DOUBLE, FILE, FOLDER, INTEGER, CommandAlgorithm, member
from .layers import require_saved

# vector files that segment-tile reads as they are; other layers are written to a GeoPackage
_VECTOR_FILES = ["gpkg", "geojson", "json", "shp", "fgb", "gml", "kml"]


class MapLandCover(CommandAlgorithm):
    """segment-predict."""

    command = "segment-predict"
    title = "Map land cover"
    help = (
        "Maps each pixel of a scene: a raster of classes with colours and names, a picture and a"
        " report; on request polygons and the confidence. The bundled model knows buildings, land,"
        " roads, vegetation and water at 10 cm to 2 m a pixel. A map that was stopped goes on where"
        " it stopped."
    )
    layers = {  # noqa: RUF012
        "CLASSES": ("_classes.tif", "land cover"),
        "CONFIDENCE_LAYER": ("_confidence.tif", "confidence"),
        "POLYGON_LAYER": (".gpkg", "land cover polygons"),
    }

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Scene"))
        self.add_model()
        area = QgsProcessingParameterExtent("AREA", "Area (empty: the whole scene)", optional=True)
        self.addParameter(area)
        self.add_text("BANDS", "Bands, e.g. 4,3,2 (empty: red, green, blue)")
        self.add_text("NODATA", "Value that means no data, e.g. 0")
        self.add_number("GSD", "Metres per pixel, if the file does not state them", DOUBLE)
        self.add_number("MIN_AREA", "Smallest polygon, square metres", DOUBLE)
        self.add_switch("POLYGONS", "Polygons")
        self.add_switch("CONFIDENCE", "Confidence")
        self.add_switch("AUGMENT", "Average flips and turns (eight times the work)")
        self.add_folder("Folder for the map", "an earlier map")
        self.addOutput(QgsProcessingOutputRasterLayer("CLASSES", "Land cover"))
        self.addOutput(QgsProcessingOutputRasterLayer("CONFIDENCE_LAYER", "Confidence"))
        self.addOutput(QgsProcessingOutputVectorLayer("POLYGON_LAYER", "Polygons"))

    def arguments(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        """Returns the arguments of the command, without --output and --overwrite."""
        options = {"--model": "MODEL", "--bands": "BANDS", "--nodata": "NODATA"}
        options |= {"--gsd": "GSD", "--min-area": "MIN_AREA"}
        switches = {"--polygons": "POLYGONS", "--confidence": "CONFIDENCE", "--augment": "AUGMENT"}
        return [
            self.raster("INPUT", parameters, context),
            *self._area(parameters, context),
            *self.given(options, parameters, context),
            *self.switches(switches, parameters, context),
        ]

    def _area(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        if not parameters.get("AREA"):
            return []
        system = self.parameterAsRasterLayer(parameters, "INPUT", context).crs()
        if not system.isValid():
            raise QgsProcessingException(
                "Area: the scene has no coordinate system. Leave the area empty."
            )
        box = self.parameterAsExtent(parameters, "AREA", context, system)
        edges = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return ["--aoi", "scene:" + ",".join(map(repr, edges))]


class LabelCells(CommandAlgorithm):
    """classify-predict --grid."""

    command = "classify-predict"
    title = "Label cells"
    help = (
        "Names what each cell of a scene shows, such as forest or residential: a raster with a"
        " pixel for each cell, and a square for each cell with its label and probability."
    )
    layers = {  # noqa: RUF012
        "CELLS": ("_labels.gpkg", "cells"),
        "LABELS": ("_labels.tif", "labels"),
    }

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Scene"))
        self.add_model()
        self.add_number("CELL", "Edge of a cell, pixels", INTEGER, 256, optional=False)
        self.add_text("BANDS", "Bands, e.g. 4,3,2 (empty: those of the training)")
        self.add_text("NODATA", "Value that means no data, e.g. 0")
        self.add_folder("Folder for the labels", "earlier labels")
        self.addOutput(QgsProcessingOutputRasterLayer("LABELS", "Labels"))
        self.addOutput(QgsProcessingOutputVectorLayer("CELLS", "Cells"))

    def arguments(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        """Returns the arguments of the command, without --output and --overwrite."""
        options = {"--model": "MODEL", "--grid": "CELL", "--bands": "BANDS", "--nodata": "NODATA"}
        return [
            self.raster("INPUT", parameters, context),
            *self.given(options, parameters, context),
        ]


class CutTiles(CommandAlgorithm):
    """segment-tile."""

    command = "segment-tile"
    title = "Cut training tiles"
    help = (
        "Cuts a scene and its labels into a tile folder to train on. Labels are a vector layer with"
        " a field of class names, or a mask raster. What no shape covers is not labelled, unless"
        " it is given a class."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Scene"))
        kinds = [member(QgsProcessing, "SourceType", "TypeVectorAnyGeometry")]
        labels = QgsProcessingParameterFeatureSource("LABELS", "Labels", kinds, optional=True)
        self.addParameter(labels)
        text = "Field of the class"
        field = QgsProcessingParameterField("FIELD", text, None, "LABELS", optional=True)
        self.addParameter(field)
        self.add_text("BACKGROUND", "Class of what no shape covers (empty: not labelled)")
        self.add_text("WIDTH", "Width of lines: metres, or the field that holds it")
        self.add_text("RADIUS", "Radius of points: metres, or the field that holds it")
        mask = QgsProcessingParameterRasterLayer("MASK", "Mask, in place of labels", optional=True)
        self.addParameter(mask)
        self.add_number("SIZE", "Edge of a tile, pixels", INTEGER, 256, optional=False)
        self.add_text("NODATA", "Value that means no data, e.g. 0")
        self.add_folder("Tile folder", "an earlier tile folder")

    def checkParameterValues(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Checks that there is one kind of labels, before the algorithm runs."""
        fits, problem = super().checkParameterValues(parameters, context)
        if fits and bool(parameters.get("LABELS")) == bool(parameters.get("MASK")):
            given = "both" if parameters.get("MASK") else "neither"
            return False, f"Give either labels or a mask. Received {given}."
        if fits and parameters.get("LABELS") and not parameters.get("FIELD"):
            return False, "Labels need the field of the class."
        return fits, problem

    def arguments(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        """Returns the arguments of the command, without --output and --overwrite."""
        shared = {"--size": "SIZE", "--nodata": "NODATA"}
        return [
            self.raster("INPUT", parameters, context),
            *self._labels(parameters, context, feedback),
            *self.given(shared, parameters, context),
        ]

    def _labels(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        if parameters.get("MASK"):
            return ["--mask", self.raster("MASK", parameters, context)]
        source = self.parameterAsVectorLayer(parameters, "LABELS", context)
        if source is not None:
            require_saved(source, "Labels")
        # selected features, filters and layers in memory are written to a GeoPackage
        path, layer = self.parameterAsCompatibleSourceLayerPathAndLayerName(
            parameters, "LABELS", context, _VECTOR_FILES, "gpkg", feedback
        )
        options = {
            "--field": "FIELD",
            "--background": "BACKGROUND",
            "--width": "WIDTH",
            "--radius": "RADIUS",
        }
        named = ["--layer", layer] if layer else []
        return ["--labels", path, *named, *self.given(options, parameters, context)]


class Train(CommandAlgorithm):
    """segment-train."""

    command = "segment-train"
    title = "Train"
    help = (
        "Trains a model on a tile folder. It starts from the bundled model, which pays with few"
        " tiles. The folder that it writes is what Map land cover takes as model. A training that"
        " was stopped goes on where it stopped, if that is chosen."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterFile("TILES", "Tile folder", FOLDER))
        self.add_number("EPOCHS", "Epochs", INTEGER, 10, optional=False)
        self.add_switch("BUNDLED", "Start from the bundled model", True)
        text = "Further settings, a YAML file"
        config = QgsProcessingParameterFile("CONFIG", text, FILE, "yaml", optional=True)
        self.addParameter(config)
        self.add_switch("RESUME", "Go on with the training in the run folder")
        self.add_folder("Run folder", "an earlier run")

    def arguments(
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> list[str]:
        """Returns the arguments of the command, without --output and --overwrite."""
        settings = [f"training.epochs={self.parameterAsInt(parameters, 'EPOCHS', context)}"]
        if self.parameterAsBool(parameters, "BUNDLED", context):
            settings.append("model.weights=bundled")
        return [
            self.parameterAsString(parameters, "TILES", context),
            *self.given({"--config": "CONFIG"}, parameters, context),
            *(part for setting in settings for part in ("--set", setting)),
            *self.switches({"--resume": "RESUME"}, parameters, context),
        ]

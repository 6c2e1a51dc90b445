"""The algorithms: parameters of Processing become arguments of a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputRasterLayer,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from .command_algorithm import DOUBLE, FILE, FOLDER, INTEGER, CommandAlgorithm


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

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Scene"))
        self.add_model()
        bands = QgsProcessingParameterString("BANDS", "Bands, e.g. 4,3,2", optional=True)
        nodata = QgsProcessingParameterString("NODATA", "Value of no data, e.g. 0", optional=True)
        self.addParameter(bands)
        self.addParameter(nodata)
        self.add_number("GSD", "Metres per pixel, if the file does not state them", DOUBLE)
        self.add_number("MIN_AREA", "Smallest polygon, square metres", DOUBLE, 0)
        for name, text in {
            "POLYGONS": "Polygons",
            "CONFIDENCE": "Confidence",
            "AUGMENT": "Average flips and turns (eight times the work)",
            "OVERWRITE": "Replace an earlier map",
        }.items():
            self.addParameter(QgsProcessingParameterBoolean(name, text, False))
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the map"))
        self.addOutput(QgsProcessingOutputRasterLayer("CLASSES", "Land cover"))
        self.addOutput(QgsProcessingOutputRasterLayer("CONFIDENCE_LAYER", "Confidence"))
        self.addOutput(QgsProcessingOutputVectorLayer("POLYGON_LAYER", "Polygons"))

    def arguments(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[list[str], dict[str, str]]:
        """Returns the arguments of the command, and the files that it writes by output name."""
        scene = self.scene(parameters, context)
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        options = {
            "--model": "MODEL",
            "--bands": "BANDS",
            "--nodata": "NODATA",
            "--gsd": "GSD",
            "--min-area": "MIN_AREA",
        }
        switches = {
            "--polygons": "POLYGONS",
            "--confidence": "CONFIDENCE",
            "--augment": "AUGMENT",
            "--overwrite": "OVERWRITE",
        }
        arguments = [
            scene,
            "--output",
            folder,
            *self.given(options, parameters, context),
            *self.switches(switches, parameters, context),
        ]
        stem = Path(folder) / Path(scene).stem
        files = {"OUTPUT": folder, "CLASSES": f"{stem}_classes.tif"}
        if "--confidence" in arguments:
            files["CONFIDENCE_LAYER"] = f"{stem}_confidence.tif"
        if "--polygons" in arguments:
            files["POLYGON_LAYER"] = f"{stem}.gpkg"
        return arguments, files


class LabelCells(CommandAlgorithm):
    """classify-predict --grid."""

    command = "classify-predict"
    title = "Label cells"
    help = (
        "Names what each cell of a scene shows, such as forest or residential: a raster with a"
        " pixel for each cell, and a square for each cell with its label and probability."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Scene"))
        self.add_model()
        self.add_number("CELL", "Edge of a cell, pixels", INTEGER, 256)
        self.addParameter(
            QgsProcessingParameterBoolean("OVERWRITE", "Replace earlier labels", False)
        )
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for labels"))
        self.addOutput(QgsProcessingOutputRasterLayer("LABELS", "Labels"))
        self.addOutput(QgsProcessingOutputVectorLayer("CELLS", "Cells"))

    def arguments(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[list[str], dict[str, str]]:
        """Returns the arguments of the command, and the files that it writes by output name."""
        scene = self.scene(parameters, context)
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        arguments = [
            scene,
            "--output",
            folder,
            *self.given({"--model": "MODEL", "--grid": "CELL"}, parameters, context),
            *self.switches({"--overwrite": "OVERWRITE"}, parameters, context),
        ]
        stem = Path(folder) / Path(scene).stem
        files = {"LABELS": f"{stem}_labels.tif", "CELLS": f"{stem}_labels.gpkg"}
        return arguments, {"OUTPUT": folder, **files}


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
        kind = getattr(QgsProcessing, "TypeVectorAnyGeometry", -1)
        self.addParameter(
            QgsProcessingParameterFeatureSource("LABELS", "Labels", [kind], optional=True)
        )
        self.addParameter(
            QgsProcessingParameterField(
                "FIELD", "Field of the class", parentLayerParameterName="LABELS", optional=True
            )
        )
        background = "Class of what no shape covers (empty: not labelled)"
        self.addParameter(QgsProcessingParameterString("BACKGROUND", background, optional=True))
        self.addParameter(
            QgsProcessingParameterRasterLayer("MASK", "Mask, in place of labels", optional=True)
        )
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Tile folder"))

    def arguments(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[list[str], dict[str, str]]:
        """Returns the arguments of the command, and the files that it writes by output name."""
        mask = self.parameterAsRasterLayer(parameters, "MASK", context)
        layer = self.parameterAsVectorLayer(parameters, "LABELS", context)
        if (mask is None) == (layer is None):
            raise QgsProcessingException("Give either labels or a mask.")
        if mask is not None:
            labels = ["--mask", mask.source()]
        else:
            path, *further = layer.source().split("|")
            names = [f.partition("=")[2] for f in further if f.startswith("layername=")]
            labels = ["--labels", path, *(part for name in names for part in ("--layer", name))]
            options = {"--field": "FIELD", "--background": "BACKGROUND"}
            labels += self.given(options, parameters, context)
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        arguments = [self.scene(parameters, context), *labels, "--output", folder]
        return arguments, {"OUTPUT": folder}


class Train(CommandAlgorithm):
    """segment-train."""

    command = "segment-train"
    title = "Train"
    help = (
        "Trains a model on a tile folder. It starts from the bundled model, which pays with few"
        " tiles. The folder that it writes is what Map land cover takes as model."
    )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declares the parameters."""
        self.addParameter(QgsProcessingParameterFile("TILES", "Tile folder", FOLDER))
        self.add_number("EPOCHS", "Epochs", INTEGER, 10)
        start = "Start from the bundled model"
        self.addParameter(QgsProcessingParameterBoolean("BUNDLED", start, True))
        settings = "Settings, a YAML file"
        self.addParameter(
            QgsProcessingParameterFile("CONFIG", settings, FILE, "yaml", optional=True)
        )
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Run folder"))

    def arguments(
        self, parameters: dict[str, Any], context: QgsProcessingContext
    ) -> tuple[list[str], dict[str, str]]:
        """Returns the arguments of the command, and the files that it writes by output name."""
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        epochs = self.parameterAsInt(parameters, "EPOCHS", context)
        arguments = [
            self.parameterAsString(parameters, "TILES", context),
            "--output",
            folder,
            *self.given({"--config": "CONFIG"}, parameters, context),
            "--set",
            f"training.epochs={epochs}",
        ]
        if self.parameterAsBool(parameters, "BUNDLED", context):
            arguments += ["--set", "model.weights=bundled"]
        return arguments, {"OUTPUT": folder}

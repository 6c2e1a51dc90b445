"""What a user does in QGIS, without a window; run by the Python that has QGIS, see test_qgis.py.

session.py PLUGINS TOWN FOLDER: writes FOLDER/found.json.
"""

import json
import sys
import threading
import time
from pathlib import Path

PLUGINS, TOWN, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
sys.path += [PLUGINS, "/usr/share/qgis/python/plugins"]

from qgis.core import (  # noqa: E402
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsLayerTreeModel,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize, QVariant  # noqa: E402

QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], True)
application.initQgis()

import aerial_segment  # noqa: E402
from processing.core.Processing import Processing  # noqa: E402
from processing.gui.Postprocessing import handleAlgorithmResults  # noqa: E402

Processing.initialize()
plugin = aerial_segment.classFactory(None)
plugin.initProcessing()
project = QgsProject.instance()
SCENE = str(TOWN / "scene.tif")


class Feedback(QgsProcessingFeedback):
    """Keeps what it receives."""

    def __init__(self):
        super().__init__(False)
        self.info, self.console, self.tasks, self.problems, self.steps = [], [], [], [], []
        self.progressChanged.connect(self.steps.append)

    def pushInfo(self, text):
        self.info.append(text)

    def pushConsoleInfo(self, text):
        self.console.append(text)

    def setProgressText(self, text):
        self.tasks.append(text)

    def reportError(self, text, fatalError=False):
        self.problems.append(text)


def run(name, parameters, load=False):
    """Runs an algorithm as its dialog does; returns its results, and what it reported."""
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"aerial_segment:{name}")
    feedback, context = Feedback(), QgsProcessingContext()
    context.setProject(project)
    context.setFeedback(feedback)
    fits, problem = algorithm.checkParameterValues(parameters, context)
    if not fits:
        return {}, [problem]
    results, done = algorithm.run(parameters, context, feedback)
    if load:
        handleAlgorithmResults(algorithm, context, feedback, parameters=parameters)
    return results if done else {}, feedback.problems, feedback


def legend(layer):
    """Returns the texts of a layer in the panel of layers."""
    model = QgsLayerTreeModel(project.layerTreeRoot())
    nodes = model.layerLegendNodes(project.layerTreeRoot().findLayer(layer.id()))
    return [str(node.data(0)) for node in nodes]


def colors(layer, picture):
    """Draws a layer, and returns the share of each colour."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setExtent(layer.extent())
    settings.setOutputSize(QSize(256, 256))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(str(picture))
    counts = {}
    for y in range(256):
        for x in range(256):
            name = image.pixelColor(x, y).name()
            counts[name] = counts.get(name, 0) + 1
    return {name: count / 256**2 for name, count in counts.items()}


def map_and_load():
    """Maps a scene and adds the layers to the project."""
    parameters = {"INPUT": SCENE, "OUTPUT": str(FOLDER / "erste Übung"), "LOAD": True}
    parameters |= {"POLYGONS": True, "CONFIDENCE": True}
    results, problems, feedback = run("maplandcover", parameters, load=True)
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    return {
        "results": results,
        "problems": problems,
        "info": feedback.info,
        "console": feedback.console,
        "tasks": feedback.tasks,
        "steps": feedback.steps,
        "legends": {name: legend(layer) for name, layer in layers.items()},
        "renderers": {name: layer.renderer().type() for name, layer in layers.items()},
        "colors": colors(layers["scene: land cover"], FOLDER / "layer.png"),
        "again": run("maplandcover", parameters | {"BANDS": "1,1,1"})[1],
    }


def map_area():
    """Maps the left half of the scene, and does not load it."""
    scene = QgsRasterLayer(SCENE)
    box = scene.extent()
    half = QgsRectangle(box.xMinimum(), box.yMinimum(), box.center().x(), box.yMaximum())
    area = QgsReferencedRectangle(half, scene.crs())
    before = len(project.mapLayers())
    output = str(FOLDER / "area")
    parameters = {"INPUT": SCENE, "AREA": area, "OUTPUT": output, "LOAD": False}
    results, problems, _ = run("maplandcover", parameters, load=True)
    return {
        "results": results,
        "problems": problems,
        "added": len(project.mapLayers()) - before,
    }


def shapes():
    """Makes a layer in memory with a building and two roads."""
    scene = QgsRasterLayer(SCENE)
    layer = QgsVectorLayer(f"Polygon?crs={scene.crs().authid()}", "Flächen", "memory")
    layer.dataProvider().addAttributes([QgsField("kind", QVariant.String)])
    layer.updateFields()
    box = scene.extent()
    width = box.width() / 3
    for number, kind in enumerate(("house", "road", "road")):
        left = box.xMinimum() + number * width
        feature = QgsFeature(layer.fields())
        rectangle = QgsRectangle(left, box.yMinimum(), left + width, box.yMaximum())
        feature.setGeometry(QgsGeometry.fromRect(rectangle))
        feature.setAttribute("kind", kind)
        layer.dataProvider().addFeatures([feature])
    return layer


def cut_tiles():
    """Cuts tiles with all kinds of layers; returns what was reported for each."""
    memory = shapes()
    file = FOLDER / "labels äöü.gpkg"
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.layerName = "areas"
    writer = QgsVectorFileWriter.writeAsVectorFormatV3
    writer(memory, str(file), project.transformContext(), options)
    stored = QgsVectorLayer(f"{file}|layername=areas", "stored", "ogr")
    filtered = QgsVectorLayer(f"{file}|layername=areas", "filtered", "ogr")
    filtered.setSubsetString("kind = 'road'")
    edited = QgsVectorLayer(f"{file}|layername=areas", "edited", "ogr")
    project.addMapLayers([memory, stored, filtered, edited])
    memory.selectByExpression("kind = 'house'")
    selected = QgsProcessingFeatureSourceDefinition(memory.id(), True)
    layers = {
        "memory": memory,
        "selected": selected,
        "stored": stored,
        "filtered": filtered,
        "path": f"{file}|layername=areas",
        "edited": edited,
    }
    found = {}
    for name, layer in layers.items():
        output = FOLDER / "tiles" / name
        output.mkdir(parents=True)  # as the dialog for folders makes it
        if layer is edited:
            edited.startEditing()
            edited.changeAttributeValue(1, edited.fields().indexOf("kind"), "barn")
        parameters = {"INPUT": SCENE, "LABELS": layer, "FIELD": "kind", "OUTPUT": str(output)}
        found[name] = run("cuttiles", parameters | {"SIZE": 64, "BACKGROUND": "rest"})[1]
    return found


def refusals():
    """Does what cannot work; returns the problems."""
    server = QgsRasterLayer("type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png", "Karte", "wms")
    project.addMapLayer(server)
    output = {"OUTPUT": str(FOLDER / "refused")}
    labels = {"INPUT": SCENE, **output}
    plain = FOLDER / "plain.png"
    file = f"{FOLDER / 'labels äöü.gpkg'}|layername=areas"
    moved, lost = QgsRasterLayer(SCENE, "moved"), QgsVectorLayer(file, "lost", "ogr")
    moved.setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    lost.setCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    project.addMapLayers([moved, lost])
    moved_scene = run("maplandcover", {"INPUT": moved, **output})[1]
    project.removeMapLayer(moved.id())  # QGIS takes the path of a layer's file for the layer
    return {
        "moved scene": moved_scene,
        "moved labels": run("cuttiles", labels | {"LABELS": lost, "FIELD": "kind"})[1],
        "server": run("maplandcover", {"INPUT": server, **output})[1],
        "neither": run("cuttiles", labels)[1],
        "both": run("cuttiles", labels | {"LABELS": shapes(), "FIELD": "kind", "MASK": SCENE})[1],
        "no field": run("cuttiles", labels | {"LABELS": shapes()})[1],
        "no place": run("maplandcover", {"INPUT": str(plain), "AREA": "0,1,0,1", **output})[1],
        "no tiles": run("train", {"TILES": str(FOLDER / "erste Übung"), **output})[1],
    }


def cancel():
    """Stops a map from another thread, as the button does."""
    name = "aerial_segment:maplandcover"
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(name)
    feedback = Feedback()

    def press():
        while not feedback.steps:
            time.sleep(0.01)
        feedback.cancel()

    threading.Thread(target=press, daemon=True).start()
    parameters = {"INPUT": str(TOWN / "large.tif"), "OUTPUT": str(FOLDER / "stopped")}
    results, _ = algorithm.run(parameters, QgsProcessingContext(), feedback)
    return {"results": results, "problems": feedback.problems, "console": feedback.console}


def save_model():
    """Saves a model that maps a scene, and counts the pixels of each class."""
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("shares", "")
    scene = QgsProcessingParameterRasterLayer("scene", "scene")
    model.addModelParameter(scene, QgsProcessingModelParameter("scene"))
    land = QgsProcessingModelChildAlgorithm("aerial_segment:maplandcover")
    land.setChildId("land")
    land.addParameterSources("INPUT", [source.fromModelParameter("scene")])
    land.addParameterSources("LOAD", [source.fromStaticValue(False)])
    model.addChildAlgorithm(land)
    count = QgsProcessingModelChildAlgorithm("native:rasterlayeruniquevaluesreport")
    count.setChildId("count")
    count.addParameterSources("INPUT", [source.fromChildOutput("land", "CLASSES")])
    count.addParameterSources("BAND", [source.fromStaticValue(1)])
    table = QgsProcessingModelOutput("table", "table")
    table.setChildOutputName("OUTPUT_TABLE")
    table.setChildId("count")
    count.setModelOutputs({"table": table})
    model.addChildAlgorithm(count)
    return model.toFile(str(FOLDER / "shares.model3"))


found = {}
for scenario in (map_and_load, map_area, cut_tiles, refusals, cancel, save_model):
    begin = time.monotonic()
    try:
        found[scenario.__name__] = scenario()
    except QgsProcessingException as error:
        found[scenario.__name__] = {"raised": str(error)}
    print(scenario.__name__, round(time.monotonic() - begin, 1), "s", flush=True)
(FOLDER / "found.json").write_text(json.dumps(found, default=str))
plugin.unload()

"""Land-cover maps from aerial and satellite scenes, with a class label for each pixel.

Example:
    import segment

    run = segment.train("tiles", "run")
    print(segment.predict_scene("scene.tif", "run", "maps"))

Functions:
    cut_scene: Cuts a scene and its mask into a tile folder.
    evaluate: Scores a model on a tile folder, each pixel once.
    explore: Reads every image and mask of a tile folder or scene, and reports what they hold.
    export_model: Exports a model to `openvino/` inside its model folder, or to an ONNX file.
    imitate: Trains an encoder to give the features of another one.
    load_model: Loads a model folder, or an ONNX file.
    load_settings: Loads settings from a YAML file and applies overrides.
    predict_array: Maps an image in memory: array, PIL image or DataArray.
    predict_probabilities: Predicts the class probabilities of one window of a scene.
    predict_scene: Maps a scene and writes class raster, coloured mask, overlay, report and a page.
    predict_scenes: Maps scenes on a Dask cluster.
    predict_window: Maps one window of a scene.
    preprocess: Denoises an image, then enhances its contrast, then sharpens it.
    train: Trains a model on a tile folder and writes a run folder.
    tune: Searches for the settings of `segment-train` with the best mean Jaccard on validation.
    write_sample: Writes a scene, its reference and their class table into a new folder.

Classes:
    Config: All settings of a training run, except the data themselves.
    ImageMap: The map of an image in memory; prints as a short table.
    ImitationConfig: Settings of distillation; the defaults are those of the bundled model's start.
    InputError: Error in the input, described in one line: what is wrong, the value, and the cure.
    Model: A trained model, ready to use with either runtime.
    SceneMap: Output files and report of a mapped scene; prints as a short table.
    Search: How a study searches.
    Tuning: Result of a study.
    VectorLabels: Vector labels and how they are read.
"""

from typing import TYPE_CHECKING

from segment.core.public_names import lazy_names

if TYPE_CHECKING:
    from segment.annotations.vector_labels import VectorLabels as VectorLabels
    from segment.cluster.scenes import predict_scenes as predict_scenes
    from segment.config import Config as Config
    from segment.core.config import load_settings as load_settings
    from segment.core.errors import InputError as InputError
    from segment.core.model.runtime import Model as Model
    from segment.core.onnx_models.loading import load_model as load_model
    from segment.core.pixels.preprocessing import preprocess as preprocess
    from segment.core.tuning.search import Search as Search
    from segment.core.tuning.tune import Tuning as Tuning
    from segment.data.cutting import cut_scene as cut_scene
    from segment.exploration.explore import explore as explore
    from segment.map_outputs.image_map import ImageMap as ImageMap
    from segment.mapping.arrays import predict_array as predict_array
    from segment.mapping.predict import predict_scene as predict_scene
    from segment.mapping.result import SceneMap as SceneMap
    from segment.mapping.window import predict_probabilities as predict_probabilities
    from segment.mapping.window import predict_window as predict_window
    from segment.sample import write_sample as write_sample
    from segment.training.distillation import ImitationConfig as ImitationConfig
    from segment.training.distillation import imitate as imitate
    from segment.training.evaluation import evaluate as evaluate
    from segment.training.export import export_model as export_model
    from segment.training.train import train as train
    from segment.tuning import tune as tune

# Imported on first use, so that `import segment` and every --help stay fast.
_HOMES = {
    "Config": "segment.config",
    "ImageMap": "segment.map_outputs.image_map",
    "ImitationConfig": "segment.training.distillation",
    "InputError": "segment.core.errors",
    "Model": "segment.core.model.runtime",
    "SceneMap": "segment.mapping.result",
    "Search": "segment.core.tuning.search",
    "Tuning": "segment.core.tuning.tune",
    "VectorLabels": "segment.annotations.vector_labels",
    "cut_scene": "segment.data.cutting",
    "evaluate": "segment.training.evaluation",
    "explore": "segment.exploration.explore",
    "export_model": "segment.training.export",
    "imitate": "segment.training.distillation",
    "load_model": "segment.core.onnx_models.loading",
    "load_settings": "segment.core.config",
    "predict_array": "segment.mapping.arrays",
    "predict_probabilities": "segment.mapping.window",
    "predict_scene": "segment.mapping.predict",
    "predict_scenes": "segment.cluster.scenes",
    "predict_window": "segment.mapping.window",
    "preprocess": "segment.core.pixels.preprocessing",
    "train": "segment.training.train",
    "tune": "segment.tuning",
    "write_sample": "segment.sample",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)

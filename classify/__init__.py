"""Scene classification: images, and cells of large scenes, labelled by land cover or terrain.

Example:
    import classify
    run = classify.train("images", "run")
    for prediction in classify.predict_images(["photo.jpg"], "run"):
        print(prediction)

Functions:
    evaluate: Scores a model on data folders, whose images are read as `predict_images` reads them.
    explore: Reads every image of data folders and writes report.html and report.json.
    export_model: Writes the OpenVINO form of a model into its folder, or a folder for a hub.
    fill_classes: Draws the pictures that each class lacks to have as many images as the largest.
    interpolate: Interpolates between the latents of two images and writes a strip of pictures.
    judge: Draws pictures of each class and evaluates them with a classifier.
    label_scene: Labels a scene cell by cell and writes a raster, polygons, an overlay and a report.
    label_scenes: Labels scenes cell by cell on a Dask cluster.
    load_generator: Loads a generator from the run folder that `train_generator` wrote.
    load_model: Loads a model folder, or an ONNX file.
    load_settings: Loads settings from a YAML file and applies overrides.
    predict_array: Labels an image in memory: array, PIL image or DataArray.
    predict_images: Labels images one after the other, while the next ones are read.
    train: Trains a model on labelled images and writes a run folder.
    train_generator: Trains an autoencoder on labelled images and writes a run folder.
    tune: Searches for the settings of `classify-train` with the best validation score.
    write_samples: Draws pictures and writes them as PNG into class folders.

Classes:
    Config: All settings of a training run except the data themselves.
    Draws: Which pictures are drawn for an evaluation.
    Generator: A trained generator.
    GeneratorConfig: All settings of a training of a generator except the data themselves.
    GeneratorEvaluation: Evaluation of drawn pictures by a classifier.
    InputError: Error in the input, described in one line: what is wrong, the value, and the cure.
    Model: A trained model, ready to use with either runtime.
    Prediction: Labels of one image.
    SceneLabels: Output files and report of a labelled scene; prints as a short table.
    Search: How a study searches.
    Tuning: Result of a study.
"""

from typing import TYPE_CHECKING

from segment.core.public_names import lazy_names

if TYPE_CHECKING:
    from classify.cluster.scenes import label_scenes as label_scenes
    from classify.config import Config as Config
    from classify.exploration.explore import explore as explore
    from classify.generator.config import GeneratorConfig as GeneratorConfig
    from classify.generator.evaluation import Draws as Draws
    from classify.generator.evaluation import GeneratorEvaluation as GeneratorEvaluation
    from classify.generator.evaluation import judge as judge
    from classify.generator.filling import fill_classes as fill_classes
    from classify.generator.generator import Generator as Generator
    from classify.generator.generator import load_generator as load_generator
    from classify.generator.sampling import interpolate as interpolate
    from classify.generator.sampling import write_samples as write_samples
    from classify.generator.training import train_generator as train_generator
    from classify.labelling.arrays import predict_array as predict_array
    from classify.labelling.predict import predict_images as predict_images
    from classify.labelling.prediction import Prediction as Prediction
    from classify.labelling.result import SceneLabels as SceneLabels
    from classify.labelling.scene import label_scene as label_scene
    from classify.training.evaluation import evaluate as evaluate
    from classify.training.export import export_model as export_model
    from classify.training.train import train as train
    from classify.tuning import tune as tune
    from segment.core.config import load_settings as load_settings
    from segment.core.errors import InputError as InputError
    from segment.core.model.runtime import Model as Model
    from segment.core.onnx_models.loading import load_model as load_model
    from segment.core.tuning.search import Search as Search
    from segment.core.tuning.tune import Tuning as Tuning

# Imported on first use, so that `import classify` and every --help stay fast.
_HOMES = {
    "Config": "classify.config",
    "Draws": "classify.generator.evaluation",
    "Generator": "classify.generator.generator",
    "GeneratorConfig": "classify.generator.config",
    "GeneratorEvaluation": "classify.generator.evaluation",
    "InputError": "segment.core.errors",
    "SceneLabels": "classify.labelling.result",
    "Search": "segment.core.tuning.search",
    "Tuning": "segment.core.tuning.tune",
    "Model": "segment.core.model.runtime",
    "Prediction": "classify.labelling.prediction",
    "evaluate": "classify.training.evaluation",
    "explore": "classify.exploration.explore",
    "export_model": "classify.training.export",
    "fill_classes": "classify.generator.filling",
    "interpolate": "classify.generator.sampling",
    "judge": "classify.generator.evaluation",
    "label_scene": "classify.labelling.scene",
    "label_scenes": "classify.cluster.scenes",
    "load_generator": "classify.generator.generator",
    "load_model": "segment.core.onnx_models.loading",
    "load_settings": "segment.core.config",
    "predict_array": "classify.labelling.arrays",
    "predict_images": "classify.labelling.predict",
    "train": "classify.training.train",
    "train_generator": "classify.generator.training",
    "tune": "classify.tuning",
    "write_samples": "classify.generator.sampling",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)

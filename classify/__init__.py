"""Scene labels: images, and the cells of large scenes, named by the land cover or terrain they show.

import classify
run = classify.train("images", "run")
for prediction in classify.predict_images(["photo.jpg"], "run"):
    print(prediction)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.campaign import label_scenes as label_scenes
    from classify.config import Config as Config
    from classify.evaluation import evaluate as evaluate
    from classify.exploration import explore as explore
    from classify.exporting import export_model as export_model
    from classify.generator import Generator as Generator
    from classify.generator import load_generator as load_generator
    from classify.generator_config import GeneratorConfig as GeneratorConfig
    from classify.grid import SceneLabels as SceneLabels
    from classify.grid import label_scene as label_scene
    from classify.judgement import Judgement as Judgement
    from classify.judgement import judge as judge
    from classify.predict import Prediction as Prediction
    from classify.predict import predict_images as predict_images
    from classify.sampling import interpolate as interpolate
    from classify.sampling import write_samples as write_samples
    from classify.synthesis import train_generator as train_generator
    from classify.training import train as train
    from classify.tuning import tune as tune
    from segment.core.config import load_settings as load_settings
    from segment.core.errors import InputError as InputError
    from segment.core.runtime import Model as Model
    from segment.core.runtime import load_model as load_model
    from segment.core.search import Search as Search
    from segment.core.tuning import Tuning as Tuning

# Loaded on first use, so that `import classify` and every --help stay quick.
_HOMES = {
    "Config": "classify.config",
    "Generator": "classify.generator",
    "GeneratorConfig": "classify.generator_config",
    "InputError": "segment.core.errors",
    "Judgement": "classify.judgement",
    "SceneLabels": "classify.grid",
    "Search": "segment.core.search",
    "Tuning": "segment.core.tuning",
    "Model": "segment.core.runtime",
    "Prediction": "classify.predict",
    "evaluate": "classify.evaluation",
    "explore": "classify.exploration",
    "export_model": "classify.exporting",
    "interpolate": "classify.sampling",
    "judge": "classify.judgement",
    "label_scene": "classify.grid",
    "label_scenes": "classify.campaign",
    "load_generator": "classify.generator",
    "load_model": "segment.core.runtime",
    "load_settings": "segment.core.config",
    "predict_images": "classify.predict",
    "train": "classify.training",
    "train_generator": "classify.synthesis",
    "tune": "classify.tuning",
    "write_samples": "classify.sampling",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'classify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

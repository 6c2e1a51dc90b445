"""Scene labels: images, and the cells of large scenes, named by the land cover or terrain they show.

import classify
run = classify.train("images", "run")
for prediction in classify.predict_images(["photo.jpg"], "run"):
    print(prediction)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from classify.config import Config as Config
    from classify.evaluation import evaluate as evaluate
    from classify.exploration import explore as explore
    from classify.exporting import export_model as export_model
    from classify.grid import SceneLabels as SceneLabels
    from classify.grid import label_scene as label_scene
    from classify.predict import Prediction as Prediction
    from classify.predict import predict_images as predict_images
    from classify.training import train as train
    from classify.tuning import tune as tune
    from segment.core.config import load_settings as load_settings
    from segment.core.errors import InputError as InputError
    from segment.core.runtime import Model as Model
    from segment.core.runtime import load_model as load_model
    from segment.core.tuning import Search as Search
    from segment.core.tuning import Tuning as Tuning

# Loaded on first use, so that `import classify` and every --help stay quick.
_HOMES = {
    "Config": "classify.config",
    "InputError": "segment.core.errors",
    "SceneLabels": "classify.grid",
    "Search": "segment.core.tuning",
    "Tuning": "segment.core.tuning",
    "Model": "segment.core.runtime",
    "Prediction": "classify.predict",
    "evaluate": "classify.evaluation",
    "explore": "classify.exploration",
    "export_model": "classify.exporting",
    "label_scene": "classify.grid",
    "load_model": "segment.core.runtime",
    "load_settings": "segment.core.config",
    "predict_images": "classify.predict",
    "train": "classify.training",
    "tune": "classify.tuning",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'classify' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

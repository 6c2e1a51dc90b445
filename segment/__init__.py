"""Pixel labels: aerial and satellite scenes become land-cover maps.

import segment
run = segment.train("tiles", "run")
print(segment.predict_scene("scene.tif", "run", "maps"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segment.campaign import predict_scenes as predict_scenes
    from segment.config import Config as Config
    from segment.core.config import load_settings as load_settings
    from segment.core.errors import InputError as InputError
    from segment.core.preprocessing import preprocess as preprocess
    from segment.core.runtime import Model as Model
    from segment.core.runtime import load_model as load_model
    from segment.core.search import Search as Search
    from segment.core.tuning import Tuning as Tuning
    from segment.cutting import cut_scene as cut_scene
    from segment.evaluation import evaluate as evaluate
    from segment.exploration import explore as explore
    from segment.exporting import export_model as export_model
    from segment.imitation import ImitationConfig as ImitationConfig
    from segment.imitation import imitate as imitate
    from segment.predict import predict_probabilities as predict_probabilities
    from segment.predict import predict_scene as predict_scene
    from segment.predict import predict_window as predict_window
    from segment.sample import write_sample as write_sample
    from segment.scene_map import SceneMap as SceneMap
    from segment.training import train as train
    from segment.tuning import tune as tune

# Loaded on first use, so that `import segment` and every --help stay quick.
_HOMES = {
    "Config": "segment.config",
    "ImitationConfig": "segment.imitation",
    "InputError": "segment.core.errors",
    "Model": "segment.core.runtime",
    "SceneMap": "segment.scene_map",
    "Search": "segment.core.search",
    "Tuning": "segment.core.tuning",
    "cut_scene": "segment.cutting",
    "evaluate": "segment.evaluation",
    "explore": "segment.exploration",
    "export_model": "segment.exporting",
    "imitate": "segment.imitation",
    "load_model": "segment.core.runtime",
    "load_settings": "segment.core.config",
    "predict_probabilities": "segment.predict",
    "predict_scene": "segment.predict",
    "predict_scenes": "segment.campaign",
    "predict_window": "segment.predict",
    "preprocess": "segment.core.preprocessing",
    "train": "segment.training",
    "tune": "segment.tuning",
    "write_sample": "segment.sample",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'segment' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

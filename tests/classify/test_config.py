from pathlib import Path

import pytest

from classify.config import Config
from classify.generator.config import GeneratorConfig
from segment.core.config import dump_settings, load_settings
from segment.core.errors import InputError

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "classify").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_config_loads(path):
    kind = GeneratorConfig if path.stem.endswith("-vae") else Config
    assert isinstance(load_settings(kind, path), kind)


def test_there_are_shipped_configs():
    assert CONFIGS


def test_settings_survive_their_file(tmp_path):
    overrides = [
        "data.bands=[B04, 3]",
        "data.label_map={lakes: water, clouds: null}",
        "data.classes=[{name: water, color: '#0000FF'}]",
        "training.unfreeze=2",
        "loss.class_weights={water: 2.0}",
    ]
    config = load_settings(Config, None, overrides)
    assert (config.data.bands, config.data.label_map) == (
        ["B04", 3],
        {"lakes": "water", "clouds": None},
    )
    (tmp_path / "c.yaml").write_text(dump_settings(config))
    assert load_settings(Config, tmp_path / "c.yaml") == config


@pytest.mark.heavy
@pytest.mark.parametrize(
    "override, words",
    [
        ("data.siz=64", ["'data.siz'", "'size'"]),
        ("augment.mixupp=1", ["'augment.mixupp'", "'mixup'"]),
        ("model.backbone=resnet", ["model.backbone", "'resnet'", "'baseline'"]),
        ("model.head=conv", ["model.head", "'linear'"]),
        ("model.dropout=1", ["model.dropout", "less than 1"]),
        ("data.size=16", ["data.size", "32", "16"]),
        ("data.size=300", ["data: size must fit into resize", "300", "256", "Raise resize"]),
        (
            "data.val_fraction=0.9",
            ["must be less than 1 together", "0.9", "0.15", "Lower one of them"],
        ),
        ("data.val_fraction=0", ["data.val_fraction", "greater than 0"]),
        ("data.bands=[]", ["data.bands", "at least 1"]),
        ("data.classes=[]", ["data.classes", "at least 1"]),
        ("data.unreadable=ignore", ["data.unreadable", "'refuse'", "'skip'"]),
        ("data.duplicates=keep", ["data.duplicates", "'warn'", "'drop'"]),
        ("data.sampling=even", ["data.sampling", "'weighted'"]),
        ("data.normalise=z", ["data.normalise", "'z'"]),
        ("augment.resized_crop=0", ["augment.resized_crop", "greater than 0"]),
        ("augment.hue=200", ["augment.hue", "180"]),
        ("augment.cutmix=-1", ["augment.cutmix", "-1"]),
        ("loss.label_smoothing=1", ["loss.label_smoothing", "less than 1"]),
        ("loss.class_weights=heavy", ["loss.class_weights", "'heavy'"]),
        ("loss.class_weights={water: -1}", ["loss.class_weights.water", "-1"]),
        ("training.unfreeze=-1", ["training.unfreeze", "-1"]),
        ("training.unfreeze=some", ["training.unfreeze", "'some'"]),
        ("training.frozen_epochs=-1", ["training.frozen_epochs", "-1"]),
        ("training.fine_tuning_rate=.inf", ["training.fine_tuning_rate"]),
        ("training.batch_norm=off", ["training.batch_norm", "'frozen'"]),
        ("training.warmup_epochs=20", ["warmup_epochs", "of 20"]),
    ],
)
def test_errors_name_key_value_and_cure(override, words):
    with pytest.raises(InputError) as error:
        load_settings(Config, None, [override])
    assert [word for word in words if word not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)


def test_images_that_are_not_resized_may_be_cropped_to_any_size():
    assert load_settings(Config, None, ["data.resize=0", "data.size=512"]).data.size == 512


@pytest.mark.parametrize(
    "override, words",
    [
        ("data.size=96", ["data.size", "64, 128 or 256", "96"]),
        ("data.normalise=auto", ["'data.normalise'"]),
        ("augment.mixup=0.2", ["'augment.mixup'"]),
        ("model.kind=flow", ["model.kind", "'variational' or 'plain'", "'flow'"]),
        ("model.latent=100", ["model.latent", "multiple of 64", "100"]),
        ("loss.kl_weight=-1", ["loss.kl_weight", "-1"]),
    ],
)
def test_errors_of_a_generator_name_key_value_and_cure(override, words):
    with pytest.raises(InputError) as error:
        load_settings(GeneratorConfig, None, [override])
    assert [word for word in words if word not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)

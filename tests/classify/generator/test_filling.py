"""Whether a generator's pictures may join the training images, and what a resumed training finds of them. Networks are untrained:
what they draw is grey, and the same by their seed."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import classify
from classify.config import Config
from classify.data.training_data import TrainingData
from classify.generator.autoencoder import build_autoencoder
from classify.generator.filling import check_generator
from classify.generator.generator import Generator, load_generator
from classify.generator.latents import ClassDensities, save_densities
from classify.training.train import train
from segment.core.config import PreprocessSettings
from segment.core.errors import InputError, Interrupted
from segment.core.model.folder import LabelInfo, ModelInfo, load_model_info, save_model_folder
from segment.core.progress import Silent
from segment.core.raster.classes import Class
from tests.classify.conftest import Lines, picture
from tests.conftest import write_raster
from tests.fakes import StopAfter

CLASSES = [Class(name="field", color="#112233"), Class(name="river", color="#445566")]


def write_generator(folder: Path, seed: int = 0, **told: object) -> Path:
    """A generator of fields and rivers, 64 x 64 px of images of 64 px, as `train_generator` leaves it. told: of model.yaml."""
    keras.utils.set_random_seed(seed)
    network = build_autoencoder(size=64, classes=2, filters=2, latent=64, conditional=True, variational=True)
    info = {"task": "generate", "name": "drawer", "classes": CLASSES, "bands": 3, "dtype": "uint8", "range": (0, 255), "tile": 64}
    folder.mkdir(parents=True)
    save_model_folder(folder, network, ModelInfo(**info | {"labels": LabelInfo(resize=64)} | told))
    save_densities(folder, ClassDensities.standard(2, 64))
    return folder


def write_rare(root: Path, size: int = 64, suffix: str = ".png") -> Path:
    """Twelve fields and five rivers."""
    for label, (name, count) in enumerate({"field": 12, "river": 5}.items()):
        for seed in range(count):
            write_raster(root / name / f"{seed}{suffix}", picture(label, seed, size))
    return root


def settings(*more: str) -> Config:
    quick = ["model.backbone=baseline", "model.weights=none", "data.size=32", "data.resize=64", "training.batch_size=8"]
    return classify.load_settings(Config, overrides=[*quick, *more])


def prepare(root: Path, wanted: Config) -> TrainingData:
    return TrainingData.prepare([root], wanted.data, PreprocessSettings(), wanted.training, Silent())


@pytest.fixture(scope="module")
def generator(tmp_path_factory) -> Generator:
    return load_generator(write_generator(tmp_path_factory.mktemp("generator") / "run"))


@pytest.fixture(scope="module")
def rare(tmp_path_factory) -> Path:
    return write_rare(tmp_path_factory.mktemp("rare"))


def told_of(generator: Generator, **told: object) -> Generator:
    """The generator with other words in its model.yaml."""
    return Generator(generator.info.model_copy(update=told), generator.network, generator.densities)


def check(generator: Generator, root: Path, *more: str) -> list[str]:
    """What is said of a generator."""
    wanted, lines = settings(*more), Lines()
    check_generator(generator, prepare(root, wanted), wanted.data, lines)
    return lines.lines


def test_a_generator_of_the_same_images_and_scale_is_taken_without_a_word(generator, rare):
    split = prepare(rare, settings()).split_digest
    assert check(told_of(generator, training={"split": split}), rare) == []


def test_another_split_is_told_as_scores_may_flatter(generator, rare):
    (line,) = check(generator, rare)
    assert line.startswith("warning: data.synthetic: ") and "scores flatter" in line and "data.split_seed" in line


@pytest.mark.parametrize(
    "resize_of_the_generator, resize, times",
    [(128, 64, "2 times"), (0, 64, None), (64, 0, None), (128, 0, "2 times"), (32, 64, "0.5 times")],
)
def test_another_scale_is_refused(generator, rare, resize_of_the_generator, resize, times):
    other = told_of(generator, labels=LabelInfo(resize=resize_of_the_generator))
    if times is None:
        check(other, rare, f"data.resize={resize}")
        return
    with pytest.raises(InputError, match=rf"data\.synthetic: .*Received {times} that\. .*data\.resize"):
        check(other, rare, f"data.resize={resize}")


@pytest.mark.parametrize("metres, refused", [(0.3, False), (0.9, True)])
def test_files_tell_the_scale_where_they_can(generator, tmp_path, metres, refused):
    root = write_rare(tmp_path / "data", suffix=".tif")  # 0.3 m
    other = told_of(generator, ground_sampling_distance=metres)
    if refused:
        with pytest.raises(InputError, match=r"Received 0\.333 times"):
            check(other, root)
    else:
        check(other, root)


def test_pictures_that_look_blurred_beside_images_are_told(generator, tmp_path):
    root = write_rare(tmp_path / "data", size=160)
    lines = check(generator, root, "data.resize=160")
    assert "warning: data.synthetic: pictures of 64 px are enlarged to data.resize=160" in lines[0]
    assert not [line for line in check(generator, root) if "enlarged" in line]


def test_another_range_of_values_is_refused(generator, tmp_path):
    for name, count in {"field": 12, "river": 5}.items():
        for seed in range(count):
            dark = np.random.default_rng(seed).integers(0, 8, (64, 64, 3), np.uint8)
            write_raster(tmp_path / name / f"{seed}.png", dark)
    with pytest.raises(InputError, match=r"range of values\. Received a mean of \d+ for images of 0 to 7\."):
        check(generator, tmp_path)


def test_other_bands_are_refused(generator, rare):
    words = r"bands in their order\. Received blue, green, red for red, green, blue\."
    with pytest.raises(InputError, match=words):
        check(told_of(generator, labels=LabelInfo(resize=64, rgb=(2, 1, 0))), rare)


def test_where_no_class_is_below_the_largest_nothing_is_asked(generator, class_folders):
    assert check(told_of(generator, tile=128, labels=LabelInfo(resize=512)), class_folders()) == []


@pytest.mark.slow
def test_a_resumed_training_goes_on_with_the_pictures_it_began_with(rare, tmp_path, no_pictures):
    run = write_generator(tmp_path / "run")
    wanted = settings("training.epochs=2", f"data.synthetic={run}")
    output = tmp_path / "filled"
    with pytest.raises(Interrupted, match="--resume goes on"):
        train(rare, output, wanted, progress=StopAfter(1))
    drawn = {file.name: file.read_bytes() for file in (output / "generated" / "river").iterdir()}
    assert len(drawn) == 5 and load_model_info(output).training["images"]["train"] == 16
    shutil.rmtree(run)
    write_generator(run, seed=1)
    files = sorted((output / "generated" / "river").iterdir())
    files[0].rename(tmp_path / "aside.png")
    with pytest.raises(InputError, match="own data and split"):
        train(rare, output, wanted, resume=True)
    (tmp_path / "aside.png").rename(files[0])
    finished = train(rare, output, wanted, resume=True)
    assert len(finished.history) == 2
    assert {file.name: file.read_bytes() for file in (output / "generated" / "river").iterdir()} == drawn
    shutil.rmtree(run)
    train(rare, output, wanted.model_copy(update={"training": settings("training.epochs=3").training}), resume=True)


def test_what_was_drawn_for_a_killed_training_is_no_reason_to_refuse_another(rare, tmp_path, no_pictures):
    wanted = settings("training.epochs=1", f"data.synthetic={write_generator(tmp_path / 'run')}")
    for begun in ("config.yaml", "generated/river/000000.png", ".generated.partial/river/000000.png"):
        (tmp_path / "filled" / begun).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "filled" / begun).write_text("begun")
    train(rare, tmp_path / "filled", wanted)
    assert len(list((tmp_path / "filled" / "generated" / "river").iterdir())) > 1
    assert not (tmp_path / "filled" / ".generated.partial").exists()

"""Pictures for classes that are short of images: which generator can draw them, how many, and that
they are trained on only.

Networks are untrained: what they draw is grey, and the same by their seed.
"""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import rasterio

import classify
from classify.config import Config
from classify.data.images import LabelledImage, find_images
from classify.data.pixels import read_image
from classify.data.splits import split_images
from classify.data.training_data import TrainingData
from classify.generator import filling
from classify.generator.autoencoder import build_autoencoder
from classify.generator.config import AutoencoderSettings
from classify.generator.filling import check_generator, fill_classes
from classify.generator.generator import Generator, load_generator
from classify.generator.latents import ClassDensities, save_densities
from segment.core.common_settings import PreprocessSettings
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model.folder import save_model_folder
from segment.core.model.info import LabelInfo, ModelInfo
from segment.core.outputs import is_unfinished
from segment.core.progress import Silent
from segment.core.splits import PARTS
from tests.classify.conftest import Lines, picture, write_class, write_parts
from tests.conftest import write_raster

pytestmark = pytest.mark.heavy


CLASSES = [Class(name="field", color="#112233"), Class(name="river", color="#445566")]


def write_generator(folder: Path, seed: int = 0, **described: object) -> Path:
    """A generator of fields and rivers, 64 x 64 px of images of 64 px, as `train_generator` leaves
    it. described: of model.yaml.
    """
    keras.utils.set_random_seed(seed)
    settings = AutoencoderSettings(conditional=True, filters=2, latent=64)
    network = build_autoencoder(settings, size=64, classes=2)
    info = {
        "task": "generate",
        "name": "drawer",
        "classes": CLASSES,
        "bands": 3,
        "dtype": "uint8",
        "range": (0, 255),
        "tile": 64,
    }
    folder.mkdir(parents=True)
    save_model_folder(
        folder, network, ModelInfo(**info | {"labels": LabelInfo(resize=64)} | described)
    )
    zeros = np.zeros((2, 64), np.float32)
    save_densities(folder, ClassDensities(zeros, np.arange(2), zeros + 1))
    return folder


def write_rare(root: Path, size: int = 64, suffix: str = ".png") -> Path:
    """Twelve fields and five rivers."""
    for label, (name, count) in enumerate({"field": 12, "river": 5}.items()):
        for seed in range(count):
            write_raster(root / name / f"{seed}{suffix}", picture(label, seed, size))
    return root


def settings(*more: str) -> Config:
    quick = [
        "model.backbone=baseline",
        "model.weights=none",
        "data.size=32",
        "data.resize=64",
        "training.batch_size=8",
    ]
    return classify.load_settings(Config, overrides=[*quick, *more])


def prepare(*roots: Path, wanted: Config) -> TrainingData:
    return TrainingData.prepare(roots, wanted.data, PreprocessSettings(), wanted.training, Silent())


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return write_generator(tmp_path_factory.mktemp("generator") / "run")


@pytest.fixture(scope="module")
def generator(run) -> Generator:
    return load_generator(run)


@pytest.fixture(scope="module")
def rare(tmp_path_factory) -> Path:
    return write_rare(tmp_path_factory.mktemp("rare"))


def described(generator: Generator, **entries: object) -> Generator:
    """The generator with other entries in its model.yaml."""
    return Generator(
        generator.info.model_copy(update=entries), generator.network, generator.densities
    )


def check(generator: Generator, root: Path, *more: str) -> list[str]:
    """The warnings about a generator."""
    wanted, lines = settings(*more), Lines()
    check_generator(Path("drawer"), generator, prepare(root, wanted=wanted), wanted.data, lines)
    return lines.lines


def test_a_generator_of_the_same_images_and_scale_is_taken_without_a_warning(generator, rare):
    split = prepare(rare, wanted=settings()).split_digest
    assert check(described(generator, training={"split": split}), rare) == []


def test_another_split_is_reported_as_scores_may_be_too_good(generator, rare):
    (line,) = check(generator, rare)
    assert (
        line.startswith("warning: drawer: ")
        and "scores are then too good" in line
        and "data.split_seed" in line
    )


@pytest.mark.parametrize(
    "resize_of_the_generator, resize, times",
    [
        (128, 64, "2 times"),
        (0, 64, None),
        (64, 0, None),
        (128, 0, "2 times"),
        (32, 64, "0.5 times"),
    ],
)
def test_another_scale_is_refused(generator, rare, resize_of_the_generator, resize, times):
    other = described(generator, labels=LabelInfo(resize=resize_of_the_generator))
    if times is None:
        check(other, rare, f"data.resize={resize}")
        return
    with pytest.raises(InputError, match=rf"drawer: .* are {times} as large .*data\.resize"):
        check(other, rare, f"data.resize={resize}")


@pytest.mark.parametrize("metres, refused", [(0.3, False), (0.9, True)])
def test_files_give_the_scale_where_they_can(generator, tmp_path, metres, refused):
    root = write_rare(tmp_path / "data", suffix=".tif")  # 0.3 m
    other = described(generator, ground_sampling_distance=metres)
    if refused:
        with pytest.raises(InputError, match=r"are 0\.333 times as large"):
            check(other, root)
    else:
        check(other, root)


def test_pictures_that_are_blurred_beside_images_are_reported(generator, tmp_path):
    root = write_rare(tmp_path / "data", size=160)
    lines = check(generator, root, "data.resize=160")
    assert "warning: drawer: pictures of 64 px are enlarged to data.resize=160" in lines[0]
    assert not [line for line in check(generator, root) if "enlarged" in line]


def test_another_range_of_values_is_refused(generator, tmp_path):
    for name, count in {"field": 12, "river": 5}.items():
        for seed in range(count):
            dark = np.random.default_rng(seed).integers(0, 8, (64, 64, 3), np.uint8)
            write_raster(tmp_path / name / f"{seed}.png", dark)
    with pytest.raises(
        InputError,
        match=r"drawer: the mean of its pictures is \d+, the images range from 0 to 7\.",
    ):
        check(generator, tmp_path)


def test_other_bands_are_refused(generator, rare):
    words = r"drawer: the bands .* are blue, green, red, those of the images red, green, blue\."
    with pytest.raises(InputError, match=words):
        check(described(generator, labels=LabelInfo(resize=64, rgb=(2, 1, 0))), rare)


def test_a_class_that_the_generator_does_not_know_is_refused(generator, tmp_path):
    root = write_rare(tmp_path / "data")
    write_class(root / "town", 2, 6)
    with pytest.raises(
        InputError, match=r"drawer: no class is called 'town'\. Name one of field, river\."
    ):
        check(generator, root)


def test_each_class_is_filled_up_to_the_largest(run, rare, tmp_path):
    wanted = settings()
    before = prepare(rare, wanted=wanted).counts
    assert before == [8, 3]
    found = fill_classes(run, rare, tmp_path / "filled", wanted)
    assert (
        found.counts == {"river": 5} and str(found) == f"{tmp_path / 'filled'}: 5 pictures: river 5"
    )
    files = sorted(
        path.relative_to(tmp_path / "filled")
        for path in (tmp_path / "filled").rglob("*")
        if path.is_file()
    )
    assert files == [Path(f"train/river/drawn-{number:06}.png") for number in range(5)]
    expected = load_generator(run).draw([1] * 5, seed=0)
    for file, pixels in zip(files, expected, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / "filled" / file), pixels)
    assert prepare(rare, tmp_path / "filled", wanted=wanted).counts == [8, 8]


def test_the_split_of_the_settings_decides_how_many_are_drawn(run, rare, tmp_path):
    wanted = settings("data.val_fraction=0.4", "data.test_fraction=0.4")
    assert prepare(rare, wanted=wanted).counts == [2, 1]
    assert fill_classes(run, rare, tmp_path / "filled", wanted).counts == {"river": 1}


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.rglob("*.png"))]


def test_pictures_are_the_same_for_the_same_seed(run, rare, tmp_path):
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        fill_classes(run, rare, tmp_path / name, settings(), seed=seed)
    first, again, other = (contents(tmp_path / name) for name in ("first", "again", "other"))
    assert len(first) == 5 and first == again and not set(first) & set(other)


def write_layout(root: Path, layout: str) -> list[Path]:
    """Data folders of one class with few images."""
    if layout == "parts":
        write_parts(root / "data", {"train": 6, "val": 3, "test": 3})
    elif layout == "no val":
        write_parts(root / "data", {"train": 10, "test": 3})
    elif layout == "train beside others":
        write_parts(root / "more", {"train": 4})
        return [write_rare(root / "data"), root / "more"]
    elif layout == "two":
        write_class(root / "more" / "field", 0, 9, first=20)
        write_class(root / "more" / "river", 1, 2, first=20)
        return [write_rare(root / "data"), root / "more"]
    else:
        return [write_rare(root / "data")]
    part = root / "data" / "train"
    write_class(part / "field", 0, 5, first=100)
    return [root / "data"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["filled", "data"])
@pytest.mark.parametrize(
    "layout", ["class folders", "two", "parts", "no val", "train beside others"]
)
def test_validation_and_test_are_the_same_images_with_the_pictures(run, tmp_path, layout, name):
    folders, wanted = (
        write_layout(tmp_path, layout),
        settings("data.val_fraction=0.3", "data.val_seed=7", "data.split_seed=2"),
    )
    before = prepare(*folders, wanted=wanted)
    output = tmp_path / "out" / name
    drawn = sum(fill_classes(run, folders, output, wanted).counts.values())
    for joined in ([*folders, output], [output, *folders]):
        after = prepare(*joined, wanted=wanted)
        for part in PARTS:
            kept = [
                image.path for image in after.parts[part] if not image.path.is_relative_to(output)
            ]
            assert kept == [image.path for image in before.parts[part]], part
            assert len(after.parts[part]) == len(kept) + (drawn if part == "train" else 0), part
        assert len(set(after.counts)) == 1
        assert [c.name for c in after.class_table.table] == [
            c.name for c in before.class_table.table
        ]


def test_the_split_is_the_same_whatever_its_seeds(tmp_path):
    """A class of an image a folder has its validation moved there from training."""
    data = [tmp_path / name for name in "abc"]
    for folder in data:
        write_class(folder / "field", 0, 7)
        write_class(folder / "river", 1, 1)
    output = tmp_path / "filled"
    write_class(output / "train" / "river", 1, 12)

    def split(folders: Sequence[Path], **seeds: int) -> list[list[LabelledImage]]:
        parts = split_images(find_images(folders, settings().data).images, 0.2, 0.2, **seeds)
        return [[image.path for image in parts[part]] for part in ("val", "test")]

    for seed in range(10):
        assert split(data, seed=seed) == split([*data, output], seed=seed)
        assert split(data, seed=0, val_seed=seed) == split([*data, output], seed=0, val_seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "counts, label_map, expected",
    [
        ({"field": 12, "stream": 5}, "{stream: river}", "stream"),
        ({"field": 12, "stream": 5}, "{stream: river/lake}", "stream"),
        ({"field": 12, "stream": 5}, "{stream: .hidden}", "stream"),
        ({"meadow": 12, "field": 5}, "{field: river, meadow: field}", "field"),
        ({"field": 12, "coast": 3, "river": 3}, "{coast: river}", "river"),
    ],
)
def test_pictures_are_read_as_the_class_that_they_were_drawn_for(
    tmp_path, counts, label_map, expected
):
    """Class folders keep a name that they have in the data, by which `data.label_map` goes."""
    for label, (name, count) in enumerate(counts.items()):
        write_class(tmp_path / "data" / name, label, count, size=64)
    wanted = settings(f"data.label_map={label_map}")
    before = prepare(tmp_path / "data", wanted=wanted)
    run = write_generator(tmp_path / "run", classes=list(before.class_table.table))
    fill_classes(run, tmp_path / "data", tmp_path / "filled", wanted)
    assert [path.name for path in (tmp_path / "filled" / "train").iterdir()] == [expected]
    after = prepare(tmp_path / "data", tmp_path / "filled", wanted=wanted)
    assert (
        after.class_table.table == before.class_table.table
        and after.counts == [max(before.counts)] * 2
    )


def test_bands_that_the_images_name_are_named_in_the_pictures(tmp_path):
    """More files without names than with would have them forgotten."""
    names = ("blue", "green", "red")
    for label, (name, count) in enumerate({"field": 40, "river": 5}.items()):
        for seed in range(count):
            file = write_raster(tmp_path / "data" / name / f"{seed}.tif", picture(label, seed, 64))
            with rasterio.open(file, "r+") as raster:
                raster.descriptions = names
    run = write_generator(
        tmp_path / "run", labels=LabelInfo(resize=64, rgb=(2, 1, 0), band_names=list(names))
    )
    wanted = settings("data.val_fraction=0.1", "data.test_fraction=0.5")
    drawn = fill_classes(run, tmp_path / "data", tmp_path / "filled", wanted).counts["river"]
    data = prepare(tmp_path / "data", tmp_path / "filled", wanted=wanted)
    assert data.survey.bands.names == list(names) and data.survey.bands.rgb == (2, 1, 0)
    files = sorted((tmp_path / "filled" / "train" / "river").iterdir())
    assert len(files) == drawn
    with rasterio.open(files[0]) as raster:
        assert raster.descriptions == names
    np.testing.assert_array_equal(read_image(files[0]), load_generator(run).draw([1], seed=0)[0])


def test_what_is_drawn_appears_whole_or_not_at_all(run, rare, tmp_path, monkeypatch):
    output = tmp_path / "filled"
    fill_classes(run, rare, output, settings())
    before = contents(output)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(filling, "write_picture", stop)
    for place in (output, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            fill_classes(run, rare, place, settings(), seed=1, overwrite=True)
    assert contents(output) == before
    assert [path.name for path in tmp_path.iterdir() if not is_unfinished(path.name)] == ["filled"]


def test_earlier_pictures_are_replaced_when_asked_and_nothing_else(run, rare, tmp_path):
    output = tmp_path / "filled"
    fill_classes(run, rare, output, settings())
    before = contents(output)
    with pytest.raises(InputError, match="--overwrite"):
        fill_classes(run, rare, output, settings(), seed=1)
    assert contents(output) == before
    fill_classes(
        run,
        rare,
        output,
        settings("data.val_fraction=0.4", "data.test_fraction=0.4"),
        seed=1,
        overwrite=True,
    )
    assert len(contents(output)) == 1 and not set(contents(output)) & set(before)
    own = write_class(output / "train" / "field", 0, 1)[0]
    with pytest.raises(InputError, match=r"holds train/field/0\.png, and --overwrite"):
        fill_classes(run, rare, output, settings(), overwrite=True)
    assert own.is_file()


def test_pictures_are_not_written_among_the_data_nor_over_them(run, tmp_path):
    data = write_parts(tmp_path / "data", {"train": 6})
    for folder, place in ((data, data), (data, data / "filled"), (data / "train", data)):
        with pytest.raises(InputError, match=r"is not outside of the data in"):
            fill_classes(run, folder, place, settings(), overwrite=True)
    assert len(contents(data)) == 12


def test_data_that_leave_validation_to_the_pictures_are_refused(run, tmp_path):
    data = write_parts(tmp_path / "data", {"train": 9})
    write_class(data / "train" / "field", 0, 6, first=20)
    with pytest.raises(
        InputError, match=r"No images for validation: .*data.* hold train only\..* DATA/train"
    ):
        fill_classes(run, data, tmp_path / "filled", settings())
    assert not (tmp_path / "filled").exists()
    fill_classes(run, data / "train", tmp_path / "filled", settings())
    assert prepare(data / "train", tmp_path / "filled", wanted=settings()).counts == [11, 11]


def test_what_is_short_of_nothing_is_refused(run, class_folders, tmp_path):
    with pytest.raises(InputError, match=r"data: no class is short, each has 6 training images"):
        fill_classes(run, class_folders(), tmp_path / "filled", settings())
    assert not (tmp_path / "filled").exists()


@pytest.mark.parametrize("made", ["bands", "chosen", "labels"])
def test_images_that_cannot_be_drawn_are_refused(run, tmp_path, labels_csv, made):
    wanted, data = settings(), tmp_path / "data"
    if made == "labels":
        data, words = labels_csv(), "several labels"
    else:
        for label, (name, count) in enumerate({"field": 12, "river": 5}.items()):
            write_class(data / name, label, count, suffix=".tif", bands=5)
        words = "5 bands of uint8"
        if made == "chosen":
            wanted, words = (
                settings("data.bands=[3,2,1]"),
                "data.bands or .* choose 3 of the images' bands",
            )
    with pytest.raises(InputError, match=words) as caught:
        fill_classes(run, data, tmp_path / "filled", wanted)
    assert (
        str(data) in str(caught.value)
        and "\n" not in str(caught.value)
        and not (tmp_path / "filled").exists()
    )

import shutil

import pytest

from classify.data.bands import EUROSAT_BANDS
from classify.data.training_data import TrainingData
from segment.core.errors import InputError
from segment.core.progress import Silent
from tests.classify.conftest import Lines, config, picture, write_class, write_parts
from tests.conftest import write_bands, write_raster

pytestmark = pytest.mark.heavy


def prepare(*data, settings=(), progress=None) -> TrainingData:
    wanted = config(*settings)
    return TrainingData.prepare(
        data, wanted.data, wanted.data.preprocess, wanted.training, progress or Silent()
    )


def counts(data: TrainingData) -> dict[str, int]:
    return {part: len(images) for part, images in data.parts.items()}


def test_the_split_is_reported_with_what_each_class_has(class_folders):
    lines = Lines()
    data = prepare(
        class_folders(20, river=40),
        settings=["data.val_fraction=0.2", "data.test_fraction=0.1"],
        progress=lines,
    )
    assert data.class_table.names == ["field", "river"] and not data.multi_label
    assert counts(data) == {"train": 42, "val": 12, "test": 6}
    assert lines.lines == [
        "train     42 images: river 28, field 14",
        "val       12 images",
        "test       6 images",
    ]


def test_of_many_classes_the_largest_are_reported(class_folders):
    lines = Lines()
    prepare(class_folders(3, classes=tuple("abcdefghij"), j=6), progress=lines)
    assert lines.lines[0].endswith(": j 4, a 2, b 2, c 2, d 2, e 2, f 2, g 2 and 2 more classes")


def test_class_weights_are_of_the_training_images(class_folders):
    root = class_folders(20, river=40)
    data = prepare(root, settings=["data.test_fraction=0", "data.val_fraction=0.5"])
    assert data.class_weights("none") == [1, 1]
    assert data.class_weights("balanced") == pytest.approx([1.5, 0.75])
    assert data.class_weights({"river": 3}) == [1, 3]
    with pytest.raises(InputError, match="'sea'"):
        data.class_weights({"sea": 3})


@pytest.fixture
def doubled(tmp_path):
    """Two of the training images stand in validation, one in the test, too."""
    root = write_parts(tmp_path / "data", {"train": 6, "val": 3, "test": 3})
    for source, target in (
        ("field/0", "val/field"),
        ("field/1", "val/field"),
        ("river/2", "test/river"),
    ):
        name = source.split("/")[1]
        shutil.copy(root / "train" / f"{source}.png", root / target / f"copy{name}.png")
    return root


def test_duplicates_across_the_split_are_named(doubled):
    lines = Lines()
    data = prepare(doubled, progress=lines)
    assert counts(data) == {"train": 12, "val": 8, "test": 7}
    reported = [line for line in lines.lines if "is the same as" in line]
    assert len(reported) == 3 and all(line.startswith(f"warning: {doubled}") for line in reported)
    assert "train/river/2.png (train)" in reported[2] and "copy2.png (test)" in reported[2]
    assert any(
        line.startswith("warning: 3 images that a later part holds too: scores are too good")
        for line in lines.lines
    )


def test_duplicates_may_be_dropped_from_training(doubled):
    lines = Lines()
    data = prepare(doubled, settings=["data.duplicates=drop"], progress=lines)
    assert counts(data) == {"train": 9, "val": 8, "test": 7}
    assert not {"field/0", "field/1", "river/2"} & {
        f"{i.path.parent.name}/{i.path.stem}" for i in data.parts["train"]
    }
    assert len(data.survey.leaks) == 3
    assert (
        "warning: 3 images that a later part holds too: left out of the earlier part" in lines.lines
    )
    assert "train      9 images: river 5, field 4" in lines.lines
    assert data.class_weights("balanced") == pytest.approx([9 / 8, 9 / 10])


def test_a_class_of_duplicates_alone_is_refused(tmp_path):
    root = write_parts(tmp_path / "data", {"train": 3, "val": 2})
    for path in (root / "train" / "field").iterdir():
        shutil.copy(path, root / "val" / "field" / f"copy{path.name}")
    with pytest.raises(InputError, match="train has no images of the class field"):
        prepare(root, settings=["data.duplicates=drop"])


def test_of_what_is_left_out_the_first_are_named(tmp_path):
    root = write_parts(tmp_path / "data", {"train": 10, "val": 2})
    for number in range(7):
        (root / "train" / "field" / f"{number}.png").write_bytes(b"")
    lines = Lines()
    data = prepare(root, settings=["data.unreadable=skip"], progress=lines)
    reported = [line for line in lines.lines if line.startswith("warning: left out")]
    assert len(reported) == 6 and reported[-1] == "warning: left out: 2 more, see report.json"
    assert all(f"{number}.png" in line for number, line in enumerate(reported[:5]))
    assert counts(data)["train"] == 13 and len(data.survey.unreadable) == 7


def test_a_class_of_unreadable_images_alone_is_refused(tmp_path):
    root = write_parts(tmp_path / "data", {"train": 3, "val": 2})
    for path in (root / "val" / "river").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="val has no images of the class river"):
        prepare(root, settings=["data.unreadable=skip"])


def test_collections_are_joined_by_a_label_map(tmp_path, class_folders):
    first, second = (
        class_folders(name="first"),
        class_folders(name="second", classes=("plots", "streams", "clouds")),
    )
    settings = [
        "data.label_map={plots: field, streams: river, clouds: null}",
        "data.test_fraction=0",
    ]
    data = prepare(first, second, settings=settings)
    assert data.class_table.names == ["field", "river"]
    assert counts(data) == {"train": 28, "val": 4, "test": 0}
    folders = {
        (image.collection, image.path.parent.name, image.labels) for image in data.parts["train"]
    }
    assert folders == {
        ("first", "field", (0,)),
        ("first", "river", (1,)),
        ("second", "plots", (0,)),
        ("second", "streams", (1,)),
    }


def test_several_labels_from_a_csv(labels_csv):
    data = prepare(labels_csv())
    assert (
        data.multi_label
        and data.class_table.names == ["blue", "red"]
        and data.class_weights("balanced") == [1, 1]
    )
    assert {image.labels for image in data.parts["val"]} == {(), (0,), (1,), (0, 1)}


def test_the_fingerprint_distinguishes_data_and_split(tmp_path, class_folders):
    root = class_folders(10)
    original = prepare(root).fingerprint
    shutil.copytree(root, tmp_path / "elsewhere" / "data")
    assert (
        prepare(root).fingerprint
        == prepare(tmp_path / "elsewhere" / "data").fingerprint
        == original
    )
    assert prepare(root, settings=["training.seed=1"]).fingerprint != original
    assert prepare(root, settings=["data.val_fraction=0.3"]).fingerprint != original
    trained = prepare(root).parts["train"][0].path
    before = trained.read_bytes()
    write_raster(trained, picture(0, 1000))
    assert prepare(root).fingerprint != original
    trained.write_bytes(before)
    assert prepare(root).fingerprint == original
    write_class(root / "river", 1, 1, first=500)
    assert prepare(root).fingerprint != original


def test_the_fingerprint_tells_pixels_apart_of_which_the_statistics_know_nothing(
    tmp_path, class_folders
):
    root = class_folders(10)
    data = prepare(root)
    field, river = (
        next(i.path for i in data.parts["train"] if i.labels == (label,)) for label in (0, 1)
    )
    first, second = picture(0, int(field.stem)), picture(1, int(river.stem))
    for change in (
        {field: first[::-1]},
        {field: second, river: first},
        {data.parts["val"][0].path: picture(0, 2000)},
        {data.parts["test"][0].path: picture(0, 2000)},
    ):
        kept = {path: path.read_bytes() for path in change}
        for path, pixels in change.items():
            write_raster(path, pixels)
        assert prepare(root).fingerprint != data.fingerprint
        for path, content in kept.items():
            path.write_bytes(content)
    assert prepare(root).fingerprint == data.fingerprint


def test_bands_that_are_taken_for_those_of_eurosat_are_reported(tmp_path):
    for name, descriptions in (("unnamed", None), ("named", EUROSAT_BANDS)):
        for label in range(2):
            for seed in range(4):
                pixels = picture(label, seed, bands=13, dtype="uint16")
                path = tmp_path / name / str(label) / f"{seed}.tif"
                write_bands(path, pixels, descriptions)
        lines = Lines()
        prepare(tmp_path / name, progress=lines)
        found = [line for line in lines.lines if "EuroSAT" in line]
        assert found == (
            []
            if descriptions
            else [
                "note: the images do not name their 13 bands, which are taken for those of EuroSAT:"
                " B01 to B12, then B8A"
            ]
        )

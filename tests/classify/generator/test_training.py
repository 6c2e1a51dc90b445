"""Generators from training to evaluation, on pictures that a glance tells apart."""

import csv
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import classify
from classify.data.pixels import read_image
from classify.generator.comparison import frechet_distance
from classify.generator.config import GeneratorConfig
from classify.generator.generator import load_generator
from classify.generator.training import train_generator
from classify.generator_cli import fill, generate, interpolate, judge, sample, train
from classify.labelling.inference import as_seen
from segment.core.cli.command import run
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.model.runtime import load_model
from tests.classify.conftest import SMALL, Lines, write_class
from tests.conftest import without_pictures, write_raster

pytestmark = pytest.mark.heavy


COMMANDS = [train, sample, fill, interpolate, judge]
TINY = [
    "model.filters=4",
    "model.latent=64",
    "training.batch_size=8",
    "training.precision=float32",
    "augment.brightness=0",
]
LEVELS = {"field": 40, "river": 200}


def generator_config(*more: str) -> GeneratorConfig:
    return load_settings(GeneratorConfig, None, [*TINY, "training.epochs=1", *more])


def call(*arguments: object) -> int:
    return run(COMMANDS, [str(argument) for argument in arguments], "classify-generate")


def write_levels(folder: Path, counts: dict[str, int]) -> Path:
    """Class folders of dark fields and bright rivers, 64 x 64 px, hardly any noise."""
    for name, count in counts.items():
        for seed in range(count):
            noise = np.random.default_rng([LEVELS[name], seed]).normal(LEVELS[name], 6, (64, 64, 3))
            write_raster(folder / name / f"{seed}.png", noise.clip(0, 255).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Data, a classifier of them, and a generator that was trained long enough to draw their
    classes.
    """
    root = tmp_path_factory.mktemp("synthesis")
    write_levels(root / "data", {"field": 24, "river": 24})
    quick = classify.load_settings(classify.Config, overrides=[*SMALL, "training.epochs=3"])
    with without_pictures():
        classify.train(root / "data", root / "judge", quick)
    wanted = generator_config(
        "training.epochs=12", "model.conditional=true", "training.learning_rate=0.003"
    )
    train_generator(root / "data", root / "run", wanted)
    return root


@pytest.mark.slow
def test_a_run_describes_itself(work):
    folder = work / "run"
    info = yaml.safe_load((folder / "model.yaml").read_text())
    assert (info["task"], info["tile"], info["bands"], info["dtype"]) == (
        "generate",
        64,
        3,
        "uint8",
    )
    assert info["scores"]["val"]["explained"] > 0.8
    report = json.loads((folder / "report.json").read_text())
    assert (
        report["explained"] == info["scores"]["val"]["explained"] and report["test"]["images"] == 8
    )
    assert report["mean_squared_error"] < 0.2 * report["mean_image_error"]
    page = (folder / "report.html").read_text()
    assert (
        "Drawn pictures, a row each of field, river; seed 0, bandwidth 0.5." in page
        and "reconstructions (below)" in page
    )
    assert (
        "not from N(0, I)" in page
        and "divergence counts with the weight that it has risen to" in page
    )
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert len(rows) == 12 and float(rows[-1]["val_kullback_leibler"]) > 0


def test_each_epoch_leaves_its_grids(work):
    names = sorted(path.name for path in (work / "run" / "grids").iterdir())
    assert names == [
        f"{kind}-{epoch:03}.png"
        for kind in ("reconstructions", "samples")
        for epoch in range(1, 13)
    ]
    assert read_image(work / "run" / "grids" / "samples-012.png").shape == (
        2 * 66 - 2,
        10 * 66 - 2,
        3,
    )


def test_drawn_pictures_are_of_their_class_and_the_same_by_seed(work):
    generator = load_generator(work / "run")
    pictures = generator.draw([0, 1, 0, 1], seed=5)
    assert pictures.shape == (4, 64, 64, 3) and pictures.dtype == np.uint8
    means = pictures.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [40, 200, 40, 200], atol=25)
    again = load_generator(work / "run")
    np.testing.assert_array_equal(again.draw([0, 1, 0, 1], seed=5), pictures)
    np.testing.assert_array_equal(again.draw([0, 1], seed=5, first=2), pictures[2:])
    assert not np.array_equal(again.draw([0, 1, 0, 1], seed=6), pictures)


LATENTS, CLASSES = np.zeros((2, 64), np.float32), np.eye(2, dtype=np.float32)


@pytest.mark.parametrize(
    "latents, classes, words",
    [
        (
            np.zeros((2, 65), np.float32),
            CLASSES,
            r"latents and classes are \(2, 65\) .*\(count, 64\)",
        ),
        (np.zeros(64, np.float32), CLASSES, r"latents and classes are \(64,\)"),
        (LATENTS[:0], CLASSES[:0], r"latents and classes are \(0, 64\)"),
        (LATENTS.astype(int), CLASSES, "latents are not finite numbers"),
        (LATENTS + np.float32("nan"), CLASSES, "latents are not finite numbers"),
        (LATENTS, CLASSES[:1], r"and \(1, 2\), .*\(count, 2\)"),
        (LATENTS, np.array([0, 1]), r"and \(2,\), .*\(count, 2\)"),
        (LATENTS, 3 * CLASSES, "classes are not shares of 0 to 1"),
        (LATENTS, CLASSES - np.float32("nan"), "classes are not shares of 0 to 1"),
    ],
)
def test_what_cannot_be_decoded_is_refused(work, latents, classes, words):
    with pytest.raises(InputError, match=words):
        load_generator(work / "run").decode(latents, classes)


PICTURES = np.zeros((2, 64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    "pictures, labels, words",
    [
        (
            PICTURES[:, :32, :32],
            [0, 1],
            r"pictures are \(2, 32, 32, 3\) .*64, 64, 3\) of uint8, which is RGB",
        ),
        (PICTURES[0], [0], r"pictures are \(64, 64, 3\)"),
        (PICTURES.astype(np.float32), [0, 1], "of float32, .* of uint8"),
        (PICTURES, [0], "labels are 1 for 2 pictures. Give one per picture"),
        (PICTURES, [0, 2], r"labels are \[0, 2\]. Give class indices of 0 to 1"),
        (PICTURES[:0], [], "one at least"),
    ],
)
def test_what_cannot_be_encoded_is_refused(work, pictures, labels, words):
    with pytest.raises(InputError, match=words):
        load_generator(work / "run").encode(pictures, labels)


@pytest.mark.parametrize("labels", [[], [2], [-1], [0.5], ["field"], [[0, 1]], 0])
def test_what_is_no_class_is_not_drawn(work, labels):
    with pytest.raises(
        InputError, match="labels are .* Give class indices of 0 to 1, one at least"
    ):
        load_generator(work / "run").draw(labels)


def test_numbers_that_draw_nothing_are_refused_by_all(work, tmp_path):
    generator = load_generator(work / "run")
    for draw in (
        lambda **wanted: generator.draw([0], **wanted),
        lambda **wanted: classify.write_samples(generator, tmp_path / "drawn", 2, **wanted),
        lambda **wanted: classify.judge(
            work / "run", work / "judge", draws=classify.Draws(**wanted)
        ),
    ):
        with pytest.raises(InputError, match="seed is -1. Give a whole number of 0 or more"):
            draw(seed=-1)
        with pytest.raises(InputError, match="bandwidth is 2. Give 0 to 1"):
            draw(bandwidth=2)


def test_a_network_of_another_run_is_refused(work, tmp_path):
    shutil.copytree(work / "run", tmp_path / "run")
    info = (work / "run" / "model.yaml").read_text()
    (tmp_path / "run" / "model.yaml").write_text(info.replace("tile: 64", "tile: 128"))
    with pytest.raises(
        InputError, match=r"model\.keras: does not draw 128 x 128 pixels of 2 classes"
    ):
        load_generator(tmp_path / "run")
    shutil.copy(work / "judge" / "model.keras", tmp_path / "run")
    with pytest.raises(InputError, match=r"model\.keras: is damaged, or of another model"):
        load_generator(tmp_path / "run")
    plain = yaml.safe_load(info) | {"checksums": {}}  # as models of earlier versions are
    (tmp_path / "run" / "model.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
    with pytest.raises(InputError, match="does not draw 64 x 64 pixels of 2 classes"):
        load_generator(tmp_path / "run")


def test_samples_are_class_folders_to_train_on(work, tmp_path, capsys):
    assert call("sample", work / "run", "--count", 5, "--output", tmp_path / "drawn") == 0
    assert "5 pictures: field 3, river 2" in capsys.readouterr().out
    found = sorted(
        str(path.relative_to(tmp_path / "drawn")) for path in (tmp_path / "drawn").rglob("*.png")
    )
    assert found == [
        "field/000000.png",
        "field/000002.png",
        "field/000004.png",
        "grid.png",
        "river/000001.png",
        "river/000003.png",
    ]
    assert read_image(tmp_path / "drawn" / "river" / "000001.png").mean() == pytest.approx(
        200, abs=25
    )
    grid = read_image(tmp_path / "drawn" / "grid.png")
    assert (
        grid.shape == (3 * 66 - 2, 2 * 66 - 2, 3)
        and grid[:130, :64].mean() < 80 < 150 < grid[:130, 66:].mean()
    )
    assert (
        call(
            "sample",
            work / "run",
            "--count",
            2,
            "--class",
            "River",
            "--output",
            tmp_path / "rivers",
        )
        == 0
    )
    assert (
        call(
            "sample",
            work / "run",
            "--count",
            1,
            "--bandwidth",
            0,
            "--output",
            tmp_path / "repeated",
        )
        == 0
    )
    (repeated,) = load_generator(work / "run").draw([0], bandwidth=0)
    np.testing.assert_array_equal(
        read_image(tmp_path / "repeated" / "field" / "000000.png"), repeated
    )
    assert [path.name for path in (tmp_path / "rivers").iterdir() if path.is_dir()] == ["river"]


def test_the_way_from_one_image_to_another(work, tmp_path):
    ends = [work / "data" / "field" / "0.png", work / "data" / "river" / "0.png"]
    strip = classify.interpolate(work / "run", *ends, tmp_path / "way.png", steps=4)
    assert strip.shape == (7, 64, 64, 3)
    means = strip[1:-1].mean(axis=(1, 2, 3))
    assert (
        (np.diff(means) > 0).all()
        and means[0] == pytest.approx(40, abs=25)
        and means[-1] == pytest.approx(200, abs=25)
    )
    assert read_image(tmp_path / "way.png").shape == (64, 7 * 66 - 2, 3)


@pytest.mark.slow
def test_images_are_read_again_in_the_bands_that_were_learned(tmp_path):
    for name, level in LEVELS.items():
        for seed in range(6):
            write_raster(
                tmp_path / "wide" / name / f"{seed}.tif",
                np.full((64, 64, 5), level + seed, np.uint8),
            )
    train_generator(tmp_path / "wide", tmp_path / "run", generator_config("data.bands=[3,2,1]"))
    ends = [tmp_path / "wide" / name / "0.tif" for name in LEVELS]
    strip = classify.interpolate(tmp_path / "run", *ends, tmp_path / "way.png", steps=1)
    assert strip[0].shape == (64, 64, 3)
    assert (
        call(
            "interpolate",
            tmp_path / "run",
            *ends,
            "--steps",
            1,
            "--bands",
            "5,4,3",
            "--output",
            tmp_path / "other.png",
        )
        == 0
    )


def test_a_classifier_judges(work, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("classify.generator.evaluation.FEWEST", 16)
    options = ("--model", work / "judge", "--output", tmp_path / "evaluation")
    assert call("judge", work / "run", *options, "--seed", 3, "--bandwidth", 1) == 0
    out = capsys.readouterr().out
    assert "drawn pictures" in out and "Frechet distance" in out
    report = json.loads((tmp_path / "evaluation" / "report.json").read_text())
    assert report["accuracy"] == report["real_accuracy"] == 1 and report["images"] == 16
    assert np.diag(report["confusion"]).sum() == 16
    distances = report["frechet_distance"]
    assert set(distances) == {"drawn", "real"}
    features = load_model(work / "judge", features=True)
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), np.uint8)
    real = [
        read_image(work / "data" / name / f"{seed}.png") for name in LEVELS for seed in range(8)
    ]
    of_noise, of_real = (
        features.predict(np.stack([as_seen(picture, features.info) for picture in pictures]))
        for pictures in (noise, real)
    )
    assert distances["drawn"] < 0.5 * frechet_distance(of_noise, of_real)
    page = (tmp_path / "evaluation" / "report.html").read_text()
    assert "Real images, from class to class." in page
    assert "Drawn pictures, a row each of field, river; seed 3, bandwidth 1." in page


def test_a_classifier_of_collections_judges_by_the_labels_of_one(work, tmp_path):
    judge = shutil.copytree(work / "judge", tmp_path / "judge")
    info = yaml.safe_load((judge / "model.yaml").read_text())
    for one in info["classes"]:
        one["name"] = {"field": "meadow", "river": "canal"}[one["name"]]
    info["labels"]["label_maps"] = {
        "other": {"wood": ["meadow"], "lake": ["canal"]},
        "data": {"River": ["canal"], "field": ["meadow"]},
    }
    (judge / "model.yaml").write_text(yaml.safe_dump(info))
    draws = classify.Draws(count=8)
    plain, mapped = (
        classify.judge(work / "run", one, draws=draws) for one in (work / "judge", judge)
    )
    assert mapped.drawn.names == ["River", "field"]
    np.testing.assert_array_equal(mapped.drawn.confusion[::-1, ::-1], plain.drawn.confusion)
    np.testing.assert_array_equal(mapped.real.confusion[::-1, ::-1], plain.real.confusion)


def test_of_few_pictures_no_distance_is_computed(work, tmp_path):
    found = classify.judge(
        work / "run", work / "judge", tmp_path / "evaluation", draws=classify.Draws(count=4)
    )
    assert found.distances == {}
    assert "not computed: 4 pictures are too few, 50 are needed" in str(found)
    assert (
        json.loads((tmp_path / "evaluation" / "report.json").read_text())["frechet_distance"]
        is None
    )
    assert "50 are needed" in (tmp_path / "evaluation" / "report.html").read_text()


def test_an_evaluation_leaves_random_numbers_alone_and_depends_on_its_seed_alone(work, monkeypatch):
    monkeypatch.setattr("classify.generator.evaluation.FEWEST", 4)

    def numbers() -> tuple[float, ...]:
        legacy = np.random.random()  # noqa: NPY002 - of whoever calls
        return legacy, *keras.ops.convert_to_numpy(keras.random.normal((2,))).tolist()

    def distances(seed: int = 0) -> dict[str, float]:
        draws = classify.Draws(count=8, seed=seed)
        return classify.judge(work / "run", work / "judge", draws=draws).distances

    found = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        first = numbers()
        found.append(distances())
        second = numbers()
        keras.utils.set_random_seed(5)
        assert (first, second) == (numbers(), numbers())
        keras.utils.set_random_seed(6)
    assert found[0] == found[1]
    assert distances(seed=1)["drawn"] != found[0]["drawn"]


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_it_had_not(work, tmp_path, monkeypatch):
    wanted = generator_config("training.epochs=3", "loss.kl_warmup_epochs=2")
    train_generator(work / "data", tmp_path / "whole", wanted)

    class Stop(Lines):
        def say(self, line: str) -> None:
            if line.startswith("epoch 2/"):
                raise KeyboardInterrupt

    with pytest.raises(InputError, match="--resume continues"):
        train_generator(work / "data", tmp_path / "stopped", wanted, progress=Stop())
    with pytest.raises(InputError, match=r"latents.npz.*--resume"):
        load_generator(tmp_path / "stopped")
    train_generator(work / "data", tmp_path / "stopped", wanted, resume=True)
    assert (tmp_path / "stopped" / "history.csv").read_text() == (
        tmp_path / "whole" / "history.csv"
    ).read_text()
    first, second = (load_generator(tmp_path / name).draw([0, 1]) for name in ("whole", "stopped"))
    np.testing.assert_array_equal(first, second)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", ["variational", "plain"])
def test_a_training_that_diverges_is_reported_with_its_cure(work, tmp_path, kind):
    wanted = generator_config(f"model.kind={kind}")
    wanted.training.__dict__["learning_rate"] = 1e30  # more than settings allow
    with pytest.raises(InputError, match=r"Training diverged.*Lower training\.learning_rate"):
        train_generator(work / "data", tmp_path / "run", wanted)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_plain_autoencoder_and_one_with_perception_train_too(work, tmp_path):
    plain = train_generator(work / "data", tmp_path / "plain", generator_config("model.kind=plain"))
    assert plain.history[-1]["val_kullback_leibler"] == 0
    assert load_generator(tmp_path / "plain").draw([0, 1]).shape == (2, 64, 64, 3)
    perceiving = generator_config(
        "loss.perceptual=0.1", f"loss.perceptual_model={work / 'judge'}", "training.precision=mixed"
    )
    seen = train_generator(work / "data", tmp_path / "seen", perceiving)
    assert seen.history[-1]["val_loss"] > seen.validation.error


def test_rare_classes_are_filled_up_with_drawn_pictures(work, tmp_path, capsys, no_pictures):
    rare, filled, run_folder = (
        write_levels(tmp_path / "rare", {"field": 20, "river": 8}),
        tmp_path / "filled",
        tmp_path / "run",
    )
    quick = [*SMALL, "training.epochs=1"]
    options = [word for setting in quick for word in ("--set", setting)]
    assert call("fill", work / "run", rare, "--output", filled, *options, "--seed", 3) == 0
    shown = capsys.readouterr().out
    assert f"{filled}: 8 pictures: river 8" in shown and f"classify-train {rare} {filled}" in shown
    drawn = sorted((filled / "train" / "river").iterdir())
    assert len(drawn) == 8 and read_image(drawn[0]).mean() == pytest.approx(200, abs=25)
    wanted = classify.load_settings(classify.Config, overrides=quick)
    trained = classify.train([rare, filled], run_folder, wanted)
    info = yaml.safe_load((run_folder / "model.yaml").read_text())["training"]
    assert (info["data"], info["images"]) == (
        ["rare", "filled"],
        {"train": 28, "val": 4, "test": 4},
    )
    assert (
        classify.evaluate([rare, filled], run_folder, part="test").report["images"]
        == trained.test.report["images"]
        == 4
    )
    with pytest.raises(InputError, match=r"those of rare, filled"):
        classify.evaluate(rare, run_folder, part="test")


def one_line(capsys) -> str:
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1, shown
    return shown


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["sample", "{run}", "--count", 2, "--class", "lake"], ["field, river", "'lake'"]),
        (["sample", "{run}", "--count", 0], ["--count", "greater than or equal to 1"]),
        (["sample", "{judge}", "--count", 2], ["of task generate", "of task classify"]),
        (["sample", "{data}", "--count", 2], ["not a model folder"]),
        (["interpolate", "{run}", "{data}/field/0.png", "nowhere.png"], ["nowhere.png"]),
        (
            [
                "interpolate",
                "{run}",
                "{data}/field/0.png",
                "{data}/river/0.png",
                "--output",
                "way.gif",
            ],
            ["way.gif", ".png"],
        ),
        (["judge", "{run}", "--model", "{run}"], ["generates pictures"]),
        (
            ["judge", "{run}", "--model", "{other}"],
            ["the classifier knows sand, snow", "but not field, river"],
        ),
        (
            ["judge", "{run}", "--model", "{judge}", "--count", 1000],
            ["count: 1000", "Give 1 to 16"],
        ),
        (
            ["judge", "{run}", "--model", "{judge}", "--count", 0],
            ["--count", "greater than or equal to 1"],
        ),
        (
            ["interpolate", "{run}", "{data}/field/0.png", "{four}"],
            ["four.tif", "Received 4 of uint8", "--bands 1,2,3"],
        ),
        (
            ["interpolate", "{run}", "{data}/field/0.png", "{four}", "--steps", 251],
            ["steps is 251", "Give 1 to 250"],
        ),
        (
            [
                "interpolate",
                "{run}",
                "{data}/field/0.png",
                "{data}/river/0.png",
                "--output",
                "{file}/way.png",
            ],
            ["is a file"],
        ),
        (["sample", "{run}", "--count", 2, "--output", "{file}/drawn"], ["is a file"]),
        (
            ["sample", "{run}", "--count", 2, "--seed", "-1"],
            ["--seed", "greater than or equal to 0"],
        ),
        (["sample", "{damaged}", "--count", 2], ["latents.npz", "train again"]),
        (["judge", "{damaged}", "--model", "{judge}"], ["latents.npz", "train again"]),
        (
            ["judge", "{run}", "--model", "{wide}"],
            ["the classifier takes 3 bands of uint16", "draws 3 bands of uint8"],
        ),
        (
            ["judge", "{run}", "--model", "{judge}", "--data", "{foreign}"],
            ["not the images that the generator was trained on", "--data"],
        ),
        (["fill", "{run}", "{data}", "--output", "new"], ["each has 16 training images"]),
        (
            ["fill", "{run}", "{data}", "--output", "new", "--set", "data.rezise=64"],
            ["'data.rezise'", "'resize'"],
        ),
        (
            ["fill", "{judge}", "{data}", "--output", "new"],
            ["of task generate", "of task classify"],
        ),
        (["fill", "{run}", "{data}", "--output", "{data}/new"], ["outside of the data"]),
        (["fill", "{run}", "{data}", "--output", "{judge}"], ["--overwrite"]),
        (
            ["fill", "{run}", "{data}", "--output", "{judge}", "--overwrite"],
            ["which is not an earlier output"],
        ),
        (["fill", "{run}", "nowhere", "--output", "new"], ["nowhere", "no such path"]),
        (
            ["fill", "{run}", "{data}", "--output", "new", "--seed", "-1"],
            ["--seed", "greater than or equal to 0"],
        ),
        (
            ["train", "{data}", "--output", "new", "--set", "model.latnt=64"],
            ["'model.latnt'", "'latent'"],
        ),
        (
            ["train", "{data}", "--output", "new", "--set", "loss.kl_warmup_epochs=.inf"],
            ["loss.kl_warmup_epochs", "finite"],
        ),
        (
            ["train", "{data}", "--output", "new", "--set", "loss.perceptual_model={judge}"],
            ["perceptual is 0", "leave"],
        ),
        (
            [
                "train",
                "{data}",
                "--output",
                "new",
                "--set",
                "loss.perceptual=1",
                "--set",
                "loss.perceptual_model={run}",
            ],
            ["task classify"],
        ),
    ],
)
def test_faults_of_users_are_one_line_and_leave_nothing(
    work, tmp_path, monkeypatch, capsys, no_pictures, arguments, words
):
    folders = {
        "run": work / "run",
        "judge": work / "judge",
        "data": work / "data",
        "other": tmp_path / "other",
    }
    if "{other}" in arguments:
        for label, name in enumerate(("sand", "snow")):
            write_class(tmp_path / "sands" / name, label, 8)
        quick = [
            "model.backbone=baseline",
            "model.weights=none",
            "data.size=32",
            "data.resize=0",
            "training.epochs=1",
        ]
        classify.train(
            tmp_path / "sands",
            folders["other"],
            classify.load_settings(classify.Config, overrides=quick),
        )
    if "{foreign}" in arguments:
        folders["foreign"] = write_levels(tmp_path / "foreign", {"field": 24, "river": 20})
    if "{damaged}" in arguments:
        folders["damaged"] = shutil.copytree(work / "run", tmp_path / "damaged")
        np.savez(folders["damaged"] / "latents.npz", means=np.zeros((2, 64)))
    if "{wide}" in arguments:
        folders["wide"] = shutil.copytree(work / "judge", tmp_path / "wide")
        info = yaml.safe_load((folders["wide"] / "model.yaml").read_text()) | {"dtype": "uint16"}
        (folders["wide"] / "model.yaml").write_text(yaml.safe_dump(info))
    if "{four}" in arguments:
        four = np.full((64, 64, 4), 90, np.uint8)
        folders["four"] = write_raster(
            tmp_path / "four.tif", four, photometric="rgb", alpha="unspecified"
        )
    folders["file"] = work / "data" / "field" / "0.png"
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert call(*(str(argument).format(**folders) for argument in arguments)) == 2
    shown = one_line(capsys)
    assert (
        shown.startswith("classify-generate: ")
        and [word for word in words if word not in shown] == []
    ), shown
    assert not list((tmp_path / "here").iterdir())


def test_data_that_moved_are_named(work, tmp_path, capsys):
    report = work / "run" / "report.json"
    before = report.read_text()
    report.write_text(json.dumps(json.loads(before) | {"data": [str(tmp_path / "gone")]}))
    assert call("judge", work / "run", "--model", work / "judge") == 2
    assert "--data" in one_line(capsys)
    assert (
        call(
            "judge", work / "run", "--model", work / "judge", "--data", work / "data", "--count", 4
        )
        == 0
    )
    report.unlink()
    assert call("judge", work / "run", "--model", work / "judge") == 2
    assert "report.json" in one_line(capsys)
    report.write_text(before)


def test_data_that_cannot_be_drawn_are_refused(tmp_path, request):
    for name, level in LEVELS.items():
        for seed in range(4):
            write_raster(
                tmp_path / "wide" / name / f"{seed}.tif",
                np.full((64, 64, 4), level + seed, np.uint16),
            )
    with pytest.raises(
        InputError, match="wide: images have 4 bands of uint16, generators draw RGB of 8 bits"
    ):
        train_generator(tmp_path / "wide", tmp_path / "run", generator_config())
    with pytest.raises(
        InputError, match="images have several labels, generators draw pictures of one"
    ):
        train_generator(
            request.getfixturevalue("labels_csv")(), tmp_path / "run", generator_config()
        )
    assert not (tmp_path / "run").exists()


def test_the_console_script_has_its_commands():
    assert callable(generate)

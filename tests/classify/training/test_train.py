"""Whole trainings of seconds: what a run folder holds, its two phases, what it takes to go on, and
what is refused.
"""

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
import pytest
import yaml

from classify.config import Config
from classify.training.evaluation import evaluate
from classify.training.models import build_model
from classify.training.train import train
from segment.core.config import load_settings
from segment.core.errors import InputError, Interrupted
from segment.core.model.folder import load_model_info
from segment.core.model.runtime import load_model
from segment.core.networks.layers import layers_by_name, weights_of
from segment.core.pixels.normalise import BandStatistics
from segment.core.training.checkpoints import CHECKPOINT
from segment.core.tuning.search import Task
from segment.core.tuning.trials import TrialFailed, final_score
from tests.classify.conftest import QUICK, Lines, config, picture, save_weights, write_parts
from tests.conftest import RUN_FILES, write_raster
from tests.fakes import StopAfter
from tests.killed_training import train_and_kill

pytestmark = pytest.mark.heavy


def weights(folder: Path) -> dict[str, list[np.ndarray]]:
    return weights_of(keras.saving.load_model(folder / "model.keras"))


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> tuple[Path, Path]:
    """A data folder of three classes, hard to tell apart, with a part for each purpose, and a run
    on it.
    """
    root = tmp_path_factory.mktemp("whole")
    counts = {"train": 6, "val": 6, "test": 9}
    data, output = (
        write_parts(root / "data", counts, ("field", "river", "town", "wood")),
        root / "runs" / "first",
    )
    run = train(data, output, config("training.epochs=2", "model.batch_norm_momentum=0.5"))
    assert len(run.history) == 2 and str(run).splitlines()[0] == f"{output}: 2 epochs"
    assert "validation  accuracy" in str(run) and "test        accuracy" in str(run)
    return data, output


def test_a_run_folder_is_whole(finished):
    _, output = finished
    assert {p.name for p in output.iterdir()} == RUN_FILES
    assert load_settings(Config, output / "config.yaml") == config(
        "training.epochs=2", "model.batch_norm_momentum=0.5"
    )
    lines = (output / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,learning_rate,val_loss,val_accuracy,val_f1" and len(lines) == 3


def test_the_report_holds_what_validation_and_test_scored(finished):
    _, output = finished
    found = report(output)
    for scores, images in ((found, 24), (found["test"], 36)):
        assert scores["images"] == np.sum(scores["confusion"]) == images
        assert scores["classes"] == list(scores["per_class"]) == ["field", "river", "town", "wood"]
        assert scores["per_class"]["wood"]["images"] == images // 4
        assert scores["accuracy"] == pytest.approx(np.trace(scores["confusion"]) / images, abs=1e-6)
        low, high = scores["accuracy_interval"]
        assert (
            low < scores["accuracy"] < high and scores["accuracy"] <= scores["top3_accuracy"] <= 1
        )
        assert {"f1_macro", "log_loss", "calibration_error"} <= scores.keys()
    assert found["part"] == "validation" and found["unreadable"] == {} and found["duplicates"] == []
    info = load_model_info(output)
    assert found["temperature"] == info.labels.temperature
    assert info.scores["test"] == {k: v for k, v in found["test"].items() if k != "confusion"}


def test_the_page_has_its_pictures_within(finished):
    page = (finished[1] / "report.html").read_text()
    # curves; then twice scores per class, confusion, reliability, both curves per class, and
    # mistakes
    assert page.count('src="data:image/') == page.count("<img") == 13
    assert "http" not in page and "<script" not in page and "<link" not in page
    assert "Validation</h2>" in page and "Test</h2>" in page and "The surest of" in page


def test_the_model_folder_says_how_the_model_is_fed(finished):
    data, output = finished
    info = yaml.safe_load((output / "model.yaml").read_text())
    assert (info["task"], info["bands"], info["dtype"], info["tile"]) == (
        "classify",
        3,
        "uint8",
        32,
    )
    assert [c["name"] for c in info["classes"]] == ["field", "river", "town", "wood"]
    labels = info["labels"]
    assert (
        labels["resize"],
        labels["multi_label"],
        labels["thresholds"],
        labels["read_bands"],
    ) == (0, False, [], None)
    assert info["training"]["images"] == {"train": 24, "val": 24, "test": 36}
    assert info["training"]["data"] == ["data"] and str(data.parent) not in json.dumps(info), (
        "no path of this machine"
    )
    model = load_model(output, "keras")  # in safe mode
    assert "field, river, town, wood" in repr(model)
    answers = model.predict(np.zeros((2, 32, 32, 3), np.uint8))
    assert answers.shape == (2, 4) and answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


def test_the_temperature_is_fitted_to_validation_and_applied(finished):
    data, output = finished
    found = report(output)
    assert (
        found["temperature"] != 1
        and found["calibration_error_before_temperature"] != found["calibration_error"]
    )
    model = load_model(output, "keras")
    warm = evaluate([data], model, part="val", batch_size=8)
    assert warm.report["log_loss"] == found["log_loss"]
    model.info = model.info.model_copy(
        update={"labels": model.info.labels.model_copy(update={"temperature": 1.0})}
    )
    raw = evaluate([data], model, part="val", batch_size=8)
    assert raw.report["log_loss"] > found["log_loss"]
    assert raw.report["calibration_error"] == pytest.approx(
        found["calibration_error_before_temperature"], abs=1e-6
    )
    logits = np.log(raw.scores.probabilities.astype(float)) / found["temperature"]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(warm.scores.probabilities, expected, atol=1e-6)


@pytest.mark.slow
def test_a_run_is_not_replaced_unless_asked_to(finished, tmp_path, no_pictures):
    data, output = finished
    with pytest.raises(InputError, match="--overwrite"):
        train(data, output, config())
    shutil.copytree(output, tmp_path / "run")
    assert len(train(data, tmp_path / "run", config(), overwrite=True).history) == 1
    with pytest.raises(InputError, match="not an earlier output"):
        train(data, data, config(), overwrite=True)
    assert len(list(data.rglob("*.png"))) == 84


@pytest.fixture
def pretrained(tmp_path) -> tuple[Path, dict[str, list[np.ndarray]]]:
    """Weights of the baseline, but for those of its third block, as a file."""
    ones = np.ones(3)
    keras.utils.set_random_seed(7)
    built = build_model(
        config().model,
        2,
        BandStatistics("uint8", 1, 0 * ones, 255 * ones, 100 * ones, 50 * ones),
        "auto",
    )
    stored = {
        name: found
        for name, found in weights_of(built.backbone).items()
        if not name.startswith("block3")
    }
    return save_weights(tmp_path / "weights.npz", stored), stored


def phases(file: Path, *more: str) -> Config:
    return config(
        f"model.weights={file}", "data.test_fraction=0", "training.fine_tuning_rate=0.001", *more
    )


@pytest.mark.slow
def test_pretrained_layers_stay_in_the_first_phase(
    class_folders, pretrained, tmp_path, no_pictures
):
    file, stored = pretrained
    lines = Lines()
    train(
        class_folders(),
        tmp_path / "run",
        phases(file, "training.epochs=2", "training.frozen_epochs=5"),
        progress=lines,
    )
    after = weights(tmp_path / "run")
    assert all(same(after[name], values) for name, values in stored.items())
    assert (
        f"starts from {file}: 6 of 8 layers loaded; at their initial values: block3_conv,"
        " block3_bn" in lines.lines
    )
    assert (
        "note: training.frozen_epochs is 5, training.epochs 2: pretrained layers are not tuned"
        in lines.lines
    )
    fresh = build_model(
        phases(file).model, 2, BandStatistics("uint8", 1, *np.ones((4, 3))), "auto"
    ).network
    assert not same(after["block3_bn"], layers_by_name(fresh)["block3_bn"].get_weights())


@pytest.mark.slow
@pytest.mark.parametrize(
    "unfreeze, batch_norm, stay",
    [
        ("all", "training", ""),
        ("1", "training", "1conv 1bn 2conv 2bn"),
        ("all", "frozen", "1bn 2bn 4bn"),
        ("0", "training", "1conv 1bn 2conv 2bn 4conv 4bn"),
    ],
)
def test_the_second_phase_tunes_what_is_asked_for(
    class_folders, pretrained, tmp_path, no_pictures, unfreeze, batch_norm, stay
):
    file, stored = pretrained
    more = (
        f"training.unfreeze={unfreeze}",
        f"training.batch_norm={batch_norm}",
        "training.frozen_epochs=0",
    )
    train(class_folders(), tmp_path / "run", phases(file, *more))
    after = weights(tmp_path / "run")
    assert {name for name, values in stored.items() if same(after[name], values)} == {
        f"block{n[0]}_{n[1:]}" for n in stay.split()
    }


RANDOM = [
    "training.epochs=4",
    "training.frozen_epochs=2",
    "training.unfreeze=2",
    "training.warmup_epochs=0.5",
    "model.head=mlp",
    "data.sampling=weighted",
    "augment.mixup=0.4",
    "augment.cutmix=0.4",
    "augment.rotation=20",
    "loss.class_weights=balanced",
]


@pytest.mark.slow
def test_the_same_seed_trains_the_same_model_and_breaks_change_nothing(
    class_folders, pretrained, tmp_path, no_pictures
):
    data, settings = class_folders(river=16), phases(pretrained[0], *RANDOM)
    whole = train(data, tmp_path / "whole", settings)
    # in the first phase, between the phases, in the second
    for count, stop in enumerate((1, 2, 3)):
        with pytest.raises(Interrupted, match="--resume"):
            train(data, tmp_path / "broken", settings, resume=count > 0, progress=StopAfter(stop))
    resumed = train(data, tmp_path / "broken", settings, resume=True)
    assert resumed.history == whole.history
    rates = [row["learning_rate"] for row in whole.history]
    assert rates[0] > 1e-4 and rates[1] < rates[0] and rates[3] < rates[2] < 0.001
    first, second = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    assert report(tmp_path / "whole") == report(tmp_path / "broken")
    assert (tmp_path / "whole" / "history.csv").read_bytes() == (
        tmp_path / "broken" / "history.csv"
    ).read_bytes()


@pytest.mark.slow
def test_another_seed_trains_another_model(class_folders, tmp_path, no_pictures):
    data = write_parts(tmp_path / "data", {"train": 6, "val": 3})
    runs = [
        train(data, tmp_path / f"run{seed}", config(f"training.seed={seed}")) for seed in (0, 1)
    ]
    assert runs[0].history != runs[1].history


@pytest.mark.slow
def test_a_killed_training_goes_on(class_folders, tmp_path, no_pictures):
    data, output = class_folders(), tmp_path / "run"
    # the process would measure which precision is faster
    same = ["training.schedule=constant", "training.precision=float32"]
    quick = [*QUICK, "training.epochs=60", *same]
    done = train_and_kill("classify", data, output, quick)
    settings = config(f"training.epochs={done + 1}", *same)
    run = train(data, output, settings, resume=True)
    assert [row["epoch"] for row in run.history] == list(range(1, done + 2))
    assert train(data, tmp_path / "unbroken", settings).history == run.history


def test_ctrl_c_before_the_first_epoch_leaves_nothing(class_folders, tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", stop)
    with pytest.raises(Interrupted, match="nothing was kept"):
        train(class_folders(), tmp_path / "run", config())
    assert not (tmp_path / "run").exists()


def test_resume_refuses_what_would_not_be_the_same_run(finished, tmp_path):
    data, output = tmp_path / "data", tmp_path / "run"
    shutil.copytree(finished[0], data)
    shutil.copytree(finished[1], output)
    for change in (
        "training.seed=5",
        "data.size=33",
        "data.preprocess.sharpen=1",
        "augment.mixup=1",
        "training.frozen_epochs=1",
        "model.head=mlp",
    ):
        with pytest.raises(
            InputError, match=f"^{change.split('=')[0]}: .*, but the run to resume has"
        ):
            train(
                data,
                output,
                config("training.epochs=3", "model.batch_norm_momentum=0.5", change),
                resume=True,
            )
    settings = config("training.epochs=3", "model.batch_norm_momentum=0.5")
    (data / "train" / "field" / "0.png").unlink()
    with pytest.raises(InputError, match="data and split are not those of the run"):
        train(data, output, settings, resume=True)
    (output / CHECKPOINT).write_bytes(b"junk")
    with pytest.raises(InputError, match="not a complete checkpoint"):
        train(finished[0], output, settings, resume=True)
    with pytest.raises(InputError, match="checkpoint"):
        train(data, tmp_path / "other", settings, resume=True)


@pytest.mark.slow
def test_joined_collections_with_a_label_map(class_folders, tmp_path, no_pictures):
    first = class_folders(6, name="first")
    second = class_folders(8, name="second", classes=("plots", "streams", "clouds"))
    label_map = "data.label_map={plots: field, streams: river, clouds: null}"
    fractions = ("data.val_fraction=0.2", "data.test_fraction=0.25")
    run = train([first, second], tmp_path / "run", config(label_map, *fractions))
    info = load_model_info(run.folder)
    assert [c.name for c in info.classes] == ["field", "river"] and info.training["data"] == [
        "first",
        "second",
    ]
    assert info.training["images"] == {"train": 14, "val": 6, "test": 8}
    again = evaluate([first, second], run.folder, part="test", batch_size=8)
    assert again.report == run.test.report
    assert evaluate([second], run.folder).report["images"] == 16


@pytest.mark.slow
def test_several_labels_an_image(labels_csv, tmp_path):
    data = labels_csv(10)
    run = train(
        data,
        tmp_path / "run",
        config("training.epochs=8", "model.batch_norm_momentum=0.5", "augment.cutmix=0.3"),
    )
    found, info = report(run.folder), load_model_info(run.folder)
    assert found["mean_average_precision"] > 0.9 and found["test"]["mean_average_precision"] > 0.9
    assert found["classes"] == ["blue", "red"] and "accuracy" not in found
    assert {
        "f1_macro",
        "f1_micro",
        "exact_match",
        "average_precision",
        "per_class",
        "calibration_error",
    } <= found.keys()
    assert info.labels.multi_label and info.labels.thresholds == pytest.approx(
        found["thresholds"], abs=1e-6
    )
    assert all(0 < threshold < 1 for threshold in info.labels.thresholds)
    model = load_model(run.folder, "keras")
    both = np.full((1, 32, 32, 3), (180, 60, 180), np.uint8)
    assert (model.predict(both) > 0.5).all(), "labels do not exclude each other"
    assert evaluate([data], model, part="test", batch_size=8).report == found["test"]
    assert "mean_average_precision" in (run.folder / "history.csv").read_text()
    assert (run.folder / "report.html").read_text().count("data:image/") >= 9


@pytest.mark.slow
def test_images_without_any_label_are_learned_too(labels_csv, tmp_path, no_pictures):
    run = train(
        labels_csv() / "labels.csv",
        tmp_path / "run",
        config("data.sampling=weighted", "data.test_fraction=0"),
    )
    assert run.test is None and report(run.folder)["test"] is None
    assert not all(image.labels for image in run.validation.images)


@pytest.mark.slow
def test_a_test_part_without_any_label_has_no_score(labels_csv, tmp_path, no_pictures):
    table = labels_csv() / "labels.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text(
        "\n".join(
            [
                f"{header},part",
                *(f"{row},{'train' if row.split(',')[1] else 'test'}" for row in rows),
            ]
        )
    )
    run = train(table, tmp_path / "run", config("data.val_fraction=0.2"))
    found = report(run.folder)
    assert found["test"]["mean_average_precision"] is None
    assert found["baseline"]["test"] is None and 0 <= found["baseline"]["val"] <= 1
    with pytest.raises(TrialFailed, match="no image of its test has any label"):
        final_score(
            run.folder,
            Task(
                "classify.cli",
                [table],
                config(),
                {"val_mean_average_precision": "mean_average_precision"},
            ),
        )


@pytest.mark.slow
def test_unreadable_images_and_duplicates_are_in_the_report(tmp_path, no_pictures):
    data = write_parts(tmp_path / "data", {"train": 6, "val": 3})
    bad, twin = data / "train" / "field" / "bad.png", data / "val" / "river" / "copy.png"
    write_raster(bad, picture(0, 99))
    bad.write_bytes(bad.read_bytes()[:1500])
    shutil.copy(data / "train" / "river" / "0.png", twin)
    with pytest.raises(InputError, match=r"bad\.png.*data\.unreadable=skip"):
        train(data, tmp_path / "refused", config())
    assert not (tmp_path / "refused").exists()
    lines = Lines()
    run = train(
        data,
        tmp_path / "run",
        config("data.unreadable=skip", "data.duplicates=drop"),
        progress=lines,
    )
    assert any(line.startswith(f"warning: left out: {bad}: ") for line in lines.lines)
    found = report(run.folder)
    assert (
        list(found["unreadable"]) == [str(bad)]
        and "read as a raster" in found["unreadable"][str(bad)]
    )
    assert found["duplicates"] == [
        f"{data / 'train/river/0.png'} (train) is the same as {twin} (val)"
    ]
    assert load_model_info(run.folder).training["images"] == {"train": 11, "val": 7, "test": 0}
    page = (run.folder / "report.html").read_text()
    assert "<td>Left out as unreadable</td><td>1</td>" in page


@pytest.mark.slow
def test_mixed_precision_trains_and_keeps_a_float32_model(
    class_folders, pretrained, tmp_path, no_pictures
):
    settings = phases(pretrained[0], "training.precision=mixed", "training.frozen_epochs=1")
    train(class_folders(), tmp_path / "run", settings)
    kept = keras.saving.load_model(tmp_path / "run" / "model.keras")
    assert {layer.compute_dtype for layer in layers_by_name(kept).values()} == {"float32"}
    assert all(
        same(weights(tmp_path / "run")[name], values) for name, values in pretrained[1].items()
    )


def empty_class(data: Path) -> None:
    (data / "train" / "lake").mkdir()


def four_bands(data: Path) -> None:
    write_raster(
        data / "train" / "field" / "four.tif", picture(0, 99, bands=4), photometric="MINISBLACK"
    )


def zero_bytes(data: Path) -> None:
    (data / "val" / "field" / "zero.png").write_bytes(b"")


def no_river_in_val(data: Path) -> None:
    shutil.rmtree(data / "val" / "river")


def other_weights(data: Path) -> None:
    save_weights(data.parent / "other.npz", {"stem": [np.zeros((3, 3, 3, 8), np.float32)]})


def broken_weights(data: Path) -> None:
    (data.parent / "broken.npz").write_bytes(b"PK\x03\x04 not whole")


def foreign_weights(data: Path) -> None:
    """A model whose layers are of a program that is not here."""
    file = data.parent / "foreign.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(file)
    with ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"Dense"', b'"Attentive"')
    with ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def thirteen_bands(data: Path) -> None:
    shutil.rmtree(data)
    write_parts(data, {"train": 3, "val": 2}, suffix=".tif", bands=13, dtype="uint16")


def nothing(data: Path) -> None:
    pass


FAULTS = {
    "empty class folder": (
        empty_class,
        [],
        ["train/lake", "class folder has no images", "data.label_map: {lake: null}"],
    ),
    "another number of bands": (
        four_bands,
        [],
        ["four.tif", "4 bands of uint8", "3 of uint8", "data.unreadable=skip"],
    ),
    "no bytes": (zero_bytes, [], ["zero.png", "data.unreadable=skip"]),
    "label map to an unknown class": (
        nothing,
        ["data.classes=[{name: field, color: '#00FF00'}]", "data.label_map={river: feild}"],
        ["'river', mapped to 'feild'", "data.classes", "{river: field}"],
    ),
    "label map of an unknown label": (
        nothing,
        ["data.label_map={rivver: field}"],
        ["'rivver'", "'river'"],
    ),
    "class missing from validation": (
        no_river_in_val,
        [],
        ["val has no images of the class river", "Add images"],
    ),
    "weights that fit nowhere": (
        other_weights,
        ["model.weights=other.npz"],
        ["model.weights", "no layer of", "fits baseline"],
    ),
    "weights that are not whole": (
        broken_weights,
        ["model.weights=broken.npz"],
        ["broken.npz", "not a complete weights file"],
    ),
    "weights of unknown layers": (
        foreign_weights,
        ["model.weights=foreign.keras"],
        ["foreign.keras", "complete weights", "Attentive"],
    ),
    "weights that are nowhere": (
        nothing,
        ["model.weights=nowhere.npz"],
        ["model.weights", "nowhere.npz", "Check it"],
    ),
    "hue of 13 bands": (thirteen_bands, ["augment.hue=10"], ["augment.hue", "13 bands of uint16"]),
    "saturation of 13 bands": (
        thirteen_bands,
        ["augment.saturation=0.1"],
        ["augment.saturation", "13 bands of uint16"],
    ),
    "a band that there is not": (
        nothing,
        ["data.bands=[B04]"],
        ["data.bands", "'B04'", "1 to 3, without names"],
    ),
    "too many stages": (
        nothing,
        ["training.unfreeze=9"],
        ["training.unfreeze: 9", "4 stages", "or all"],
    ),
    "weights of an unknown class": (
        nothing,
        ["loss.class_weights={sea: 2}"],
        ["'sea'", "field, river"],
    ),
    "imagenet for 13 bands": (
        thirteen_bands,
        ["data.normalise=imagenet_statistics"],
        ["data.normalise", "standardise"],
    ),
    "no such folder": (shutil.rmtree, [], ["no such path"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_reported_in_a_line_and_leaves_nothing_behind(
    tmp_path, monkeypatch, fault
):
    spoil, settings, words = FAULTS[fault]
    data = write_parts(tmp_path / "data", {"train": 3, "val": 2})
    spoil(data)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        train(data, tmp_path / "runs" / "run", config(*settings))
    assert [word for word in words if word not in str(error.value)] == [], error.value
    assert "\n" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_data_folders_are_of_one_kind(class_folders, labels_csv, tmp_path):
    with pytest.raises(InputError, match=r"has a CSV, .* has class folders\. List"):
        train([class_folders(), labels_csv()], tmp_path / "run", config())


@pytest.mark.slow
def test_an_earlier_run_comes_back_when_the_new_one_ends_before_its_first_epoch(
    class_folders, tmp_path, no_pictures
):
    data = class_folders()
    train(data, tmp_path / "run", config())
    before = {
        file.name: file.read_bytes() for file in (tmp_path / "run").iterdir() if file.is_file()
    }
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        train(data, tmp_path / "run", config("training.learning_rate=1e30"), overwrite=True)
    assert {
        file.name: file.read_bytes() for file in (tmp_path / "run").iterdir() if file.is_file()
    } == before
    with pytest.raises(InputError, match=r"training\.learning_rate"):
        train(data, tmp_path / "new" / "deep" / "run", config("training.learning_rate=1e30"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == ["run"]


def test_settings_of_a_phase_that_there_is_not_are_reported(class_folders, tmp_path, no_pictures):
    data, lines = class_folders(), [Lines(), Lines()]
    train(data, tmp_path / "plain", config(), progress=lines[0])
    settings = config("training.unfreeze=1", "training.fine_tuning_rate=0.01")
    train(data, tmp_path / "run", settings, progress=lines[1])
    found = [[line for line in some.lines if line.startswith("note: ")] for some in lines]
    assert found == [
        [],
        [
            "note: training.unfreeze, training.fine_tuning_rate: not used, as no weights are"
            " pretrained (model.weights)"
        ],
    ]


@pytest.mark.slow
def test_a_refused_resume_leaves_the_settings(class_folders, tmp_path, no_pictures):
    data = class_folders()
    train(data, tmp_path / "run", config("training.epochs=1"))
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    write_raster(next(data.iterdir()) / "another.png", picture(0, 77))
    with pytest.raises(InputError, match="data and split"):
        train(data, tmp_path / "run", config("training.epochs=2"), resume=True)
    # settings, and the record of what was trained on
    assert {path: path.read_bytes() for path in files} == before

from pathlib import Path

import pytest

from segment.bundled import BUNDLED
from segment.cli.truth import with_scene_labels
from segment.config import Config
from segment.core.config import describe_settings, dump_settings, load_settings
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "segment").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_config_loads(path):
    assert isinstance(load_settings(Config, path), Config)


def test_overrides_win_over_the_file(tmp_path):
    (tmp_path / "c.yaml").write_text("training: {epochs: 3, batch_size: 2}")
    config = load_settings(
        Config, tmp_path / "c.yaml", ["training.epochs=5", "data.val_groups=[Tile 4]"]
    )
    assert (config.training.epochs, config.training.batch_size, config.data.val_groups) == (
        5,
        2,
        ["Tile 4"],
    )


def test_parts_without_settings_are_as_if_they_were_not_there(tmp_path):
    (tmp_path / "c.yaml").write_text("training:\n  # epochs: 3\nmodel:\n")
    assert load_settings(Config, tmp_path / "c.yaml", ["training.epochs=7"]).training.epochs == 7


def test_a_network_starts_from_one_thing():
    with pytest.raises(
        InputError, match="exclude each other. Received weights bundled, encoder_weights imagenet"
    ):
        load_settings(Config, None, ["model.weights=bundled", "model.encoder_weights=imagenet"])


def test_random_crops_do_not_go_with_a_split_by_patch():
    with pytest.raises(InputError, match="validation"):
        load_settings(Config, None, ["data.split=patch", "data.crops=random"])


def test_a_model_names_files_without_their_folders(tmp_path):
    weights = tmp_path / "start.npz"
    weights.write_bytes(b"")
    described = describe_settings(
        load_settings(Config, None, [f"model.encoder_weights={weights}", "training.epochs=7"])
    )
    assert (
        described["model"]["encoder_weights"] == "start.npz"
        and described["training"]["epochs"] == 7
        and "classes" not in described["data"]
    )


def test_settings_survive_their_file(tmp_path):
    config = load_settings(Config, None, ["loss.class_weights={water: 2.0}"])
    (tmp_path / "c.yaml").write_text(dump_settings(config))
    assert load_settings(Config, tmp_path / "c.yaml") == config


@pytest.mark.parametrize(
    "override, words",
    [
        ("training.epoch=3", ["'training.epoch'", "'epochs'"]),
        ("trainin.epochs=3", ["'trainin'", "'training'"]),
        ("minutes=3", ["'minutes'", "Did you mean 'training.minutes'?"]),
        ("training.minutes=3min", ["should be a valid number. Received '3min'."]),
        ("training.epochs=three", ["training.epochs", "'three'"]),
        ("model.architecture=unett", ["model.architecture", "'unet'"]),
        ("training.epochs", ["part.key=value"]),
        ("training.epochs.x=1", ["training.epochs"]),
        ("training.warmup_epochs=100", ["warmup_epochs"]),
        ("training={minutes: 5, steps_per_epoch: 9}", ["minutes 5, steps_per_epoch 9", "at 0"]),
        ("training.minutes=-1", ["training.minutes", "-1"]),
        ("model.backbone=[", ["model.backbone"]),
        (
            "loss.class_weights=heavy",
            ["loss.class_weights", "'heavy'", "--set loss.class_weights=..."],
        ),
        ("loss.class_weights={water: -1}", ["loss.class_weights.water", "-1"]),
        ("training.learning_rate=.inf", ["training.learning_rate"]),
        ("training.seed=99999999999", ["training.seed"]),
        ("data.classes=[]", ["data.classes"]),
        ("training={2: 1}", ["Unknown setting 2.", "--schema"]),
        ("training={1.5: 1}", ["Unknown setting 1.5.", "--schema"]),
        ("augment={~: 1}", ["Unknown setting None.", "--schema"]),
        ("\udcff=1", ["Unknown setting '\\udcff'", "--schema"]),
        ("training.\udce9=1", ["Unknown setting '\\udce9'", "--schema"]),
    ],
)
def test_errors_name_key_value_and_cure(tmp_path, override, words):
    (tmp_path / "c.yaml").write_text("training: {epochs: 100}")
    with pytest.raises(InputError) as error:
        load_settings(Config, tmp_path / "c.yaml", [override])
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\xff"])
def test_files_that_are_no_config_are_named(tmp_path, text):
    (tmp_path / "c.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="c.yaml"):
        load_settings(Config, tmp_path / "c.yaml")


def test_the_bundled_model_brings_its_backbone(tmp_path):
    bundled = load_model_info(BUNDLED).name.split("/")[1]
    assert load_settings(Config, None, ["model.weights=bundled"]).model.backbone == bundled
    (tmp_path / "config.yaml").write_text("model: {weights: bundled, backbone: resnet50}")
    assert load_settings(Config, tmp_path / "config.yaml").model.backbone == "resnet50", (
        "refused once weights are read"
    )
    assert Config().model.backbone == "resnet34"


def test_settings_add_to_the_labels_of_a_scene():
    given = ["data.labels.codes={111: urban, 112: 7}"]
    settings = load_settings(Config, None, with_scene_labels(given, Path("a.gpkg"), "lu_code"))
    (labels,) = settings.data.labels or ()
    assert (labels.path, labels.field) == ("a.gpkg", "lu_code")
    assert labels.codes == {"111": "urban", "112": "7"}


def test_names_of_classes_may_be_whole_numbers():
    table = "data.classes=[{name: 211, color: '#000000'}, {name: land, color: '#FFFFFF'}]"
    given = [table, "data.collections=[{path: a, classes: {111: [211, land], 0: null}}]"]
    (collection,) = load_settings(Config, None, given).data.collections or ()
    assert collection.classes == {"111": ["211", "land"], "0": None}

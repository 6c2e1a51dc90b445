"""segment-tune on real trainings."""

import json
from pathlib import Path

import pytest
from shapely.geometry import box, mapping

from segment import cli
from segment.config import Config
from segment.core.cli.command import run
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import save_class_table
from segment.core.tuning.search import Task
from segment.core.tuning.search_space import Parameter, distributions
from segment.tuning import check_settings, find_files, tune
from tests.conftest import two_class_scene, write_raster


@pytest.mark.slow
def test_it_finds_settings_for_tiles_and_scores_them_on_validation_where_there_is_no_test(
    tile_folder, tmp_path, capsys
):
    quick = (
        "--set",
        "data.tile=64",
        "--set",
        "training.epochs=1",
        "--set",
        "model.backbone=mobilenetv2",
    )
    arguments = (tile_folder(), "--output", tmp_path / "out", "--trials", 1, "--confirm", 1, *quick)
    assert run(cli.tune.__wrapped__, [*map(str, arguments)]) == 0
    best = load_settings(Config, tmp_path / "out" / "best.yaml")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert best.loss.gamma == report["best"]["values"]["loss.gamma"]
    assert report["confirmation"]["part"] == "validation"
    assert "There is no test part" in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_without_tiles_is_reported_at_once(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert (
        run(cli.tune.__wrapped__, [str(tmp_path / "empty"), "--output", str(tmp_path / "out")]) == 2
    )
    assert "empty" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.heavy
@pytest.mark.parametrize(
    "space, change, problem",
    [
        ({"model.backbone": ["resnet34", "resnet43"]}, (), "'resnet43' .* Did you mean resnet34"),
        ({"model.backbone": ["densenet121"]}, (), "not an encoder that can be built"),
        ({"data.tile": [64, 100]}, (), "data.tile: 100, but unet needs a multiple of 32"),
        ({"loss.gamma": [1, 2]}, ("model.backbone=resnet43",), "Did you mean resnet34"),
        ({"model.weights": ["none", "nowhere"]}, (), "nowhere"),
    ],
)
def test_networks_that_cannot_be_built_are_refused_before_the_first_trial(
    tile_folder, tmp_path, space, change, problem
):
    chosen = {key: Parameter(choices=choices) for key, choices in space.items()}
    settings = load_settings(Config, None, ["data.tile=64", *change])
    with pytest.raises(InputError, match=problem):
        tune(tile_folder(), tmp_path / "out", settings, chosen)
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_values_that_suit_another_value_of_the_space_are_taken(tmp_path):
    space = {
        "model.architecture": Parameter(choices=["unet", "pspnet"]),
        "data.tile": Parameter(choices=[64, 144]),  # of which PSPNet takes the second alone
    }
    settings = load_settings(Config, None, ["data.tile=64"])
    assert list(distributions(space, settings, check_settings)) == list(space)


@pytest.mark.heavy
def test_a_cluster_that_is_none_is_reported_before_anything_is_written(
    tile_folder, tmp_path, capsys
):
    pytest.importorskip("distributed")
    arguments = [tile_folder(), "--output", tmp_path / "out", "--cluster", "nowhere"]
    assert run(cli.tune.__wrapped__, [*map(str, arguments)]) == 2
    assert "local:4" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.fixture
def scene(tmp_path, class_table):
    image, mask = two_class_scene(320, 320, seed=1)
    write_raster(tmp_path / "in" / "town.tif", image)
    write_raster(tmp_path / "in" / "mask.tif", mask)
    save_class_table(class_table, tmp_path / "in" / "classes.yaml")
    return tmp_path / "in" / "town.tif"


def test_files_of_a_scene_are_its_own_and_its_labels(scene, tmp_path, capsys):
    labels = scene.with_name("mask.tif")
    settings = Config.model_validate({"data": {"labels": {"path": str(labels)}}}).data
    assert find_files([scene], settings) == [scene, labels, scene.with_name("classes.yaml")]
    arguments = [str(scene), "--output", str(tmp_path / "out"), "--labels", "none.tif"]
    assert run(cli.tune.__wrapped__, arguments) == 2
    assert "none.tif: no such file" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert run(cli.tune.__wrapped__, [*arguments[:3], "--field", "class"]) == 2
    assert "names a field of --labels" in capsys.readouterr().err


def test_files_of_tiles_are_images_masks_and_class_tables(tile_folder):
    root = tile_folder(groups=1, count=1)
    group = root / "scene0"
    (group / "classes.yaml").write_bytes((root / "classes.yaml").read_bytes())
    assert find_files([root], Config().data) == [
        group / "images" / "t0.png",
        group / "masks" / "t0.png",
        root / "classes.yaml",
        group / "classes.yaml",
    ]


def test_labels_are_found_by_workers_that_run_in_another_folder(scene, tmp_path, monkeypatch):
    tasks = list[Task]()
    monkeypatch.setattr("segment.tuning.tune_task", lambda task, *rest, **more: tasks.append(task))
    monkeypatch.chdir(scene.parent)
    for data in ({"path": "mask.tif"}, {"path": "in/mask.tif"}):
        root = {} if data["path"] == "mask.tif" else {"root": ".."}
        tune(scene, tmp_path / "out", Config.model_validate({"data": {"labels": data, **root}}))
    monkeypatch.chdir(tmp_path)
    for task in tasks:
        assert scene.with_name("mask.tif") in [
            Path(file).resolve() for file in task.find_files([scene])
        ]
        assert not Path(task.defaults.data.root).is_absolute()  # studies move with their data


def test_shapes_of_a_scene_are_known_by_what_they_label(scene):
    def found(folder: str, *boxes: tuple[str, float], layout: int | None = None) -> list:
        features = [
            {
                "type": "Feature",
                "properties": {"class": name},
                "geometry": mapping(box(500_000, 2_700_000 - height, 500_050, 2_700_000)),
            }
            for name, height in boxes
        ]
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32640"}}
        collection = {"type": "FeatureCollection", "crs": crs, "features": features}
        path = scene.with_name(folder) / "labels.geojson"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(collection, indent=layout))
        labels = [{"path": str(path), "field": "class"}]
        data = Config.model_validate({"data": {"labels": labels}}).data
        return find_files([scene], data)

    first = found("a", ("land", 90.0), ("water", 20.0))
    assert first == found("b", ("land", 90.0), ("water", 20.0), layout=2)
    others = [
        found("a", ("land", 90.0), ("water", 21.0)),
        found("a", ("land", 90.0), ("roads", 20.0)),
        found("a", ("water", 90.0), ("land", 20.0)),
        found("a", ("land", 90.0), ("water", 20.0), ("land", 5.0)),
    ]
    assert len({str(one) for one in (first, *others)}) == 5


@pytest.mark.slow
def test_it_finds_settings_for_a_scene_as_it_is(scene, tmp_path):
    quick = [
        "--set=data.tile=64",
        "--set=training.epochs=1",
        "--set=training.steps_per_epoch=2",
        "--set=model.backbone=mobilenetv2",
    ]
    labels = ["--labels", str(scene.with_name("mask.tif"))]
    arguments = [str(scene), "--output", str(tmp_path / "out"), *labels]
    assert run(cli.tune.__wrapped__, [*arguments, "--trials", "1", "--confirm", "0", *quick]) == 0
    best = load_settings(Config, tmp_path / "out" / "best.yaml")
    assert best.data.labels and (tmp_path / "out" / "report.html").is_file()

"""Several scenes on a cluster: planned, computed, assembled and reported side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from segment.cluster.assemble import MapAssembly
from segment.cluster.scenes import predict_scenes
from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.scene_job import Done
from segment.core.raster.sources import Source
from segment.mapping.options import MapOptions
from segment.mapping.predict import predict_scene
from segment.mapping.result import SceneMap
from tests.cluster.processes import Cluster, wait_for
from tests.cluster.test_maps import assert_same_files, write_scene

pytestmark = pytest.mark.heavy


pytest.importorskip("distributed")


@pytest.fixture
def before_planning(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Has something done before the scene of that name is planned."""

    def set_up(name: str, call: Callable[[], object]) -> None:
        def plan(source: Source, *arguments: object, **options: object) -> MapAssembly:
            if source.stem == name:
                call()
            return MapAssembly(source, *arguments, **options)

        monkeypatch.setattr("segment.cluster.scenes.MapAssembly", plan)

    return set_up


def write_scenes(folder: Path, names: str) -> list[Path]:
    return [write_scene(folder / f"{name}.tif", 64, 64, seed) for seed, name in enumerate(names)]


def test_a_map_is_reported_before_the_last_scene_was_looked_at(
    tmp_path: Path, cluster: Cluster, model: Path, before_planning
) -> None:
    reported, scenes = Event(), write_scenes(tmp_path, "abc")
    before_planning("b", lambda: wait_for(reported.is_set, "map of the first scene"))
    done = []
    for one in predict_scenes(scenes, model, tmp_path / "out", cluster=cluster.address, block=32):
        done.append(one)
        reported.set()
    assert [one.problems for one in done] == [[]] * 3


def test_an_unusable_scene_is_reported_before_others_are_mapped(
    tmp_path: Path, cluster: Cluster, model: Path, before_planning
) -> None:
    reported, scenes = Event(), write_scenes(tmp_path, "ab")
    before_planning("b", lambda: wait_for(reported.is_set, "sentence about the missing scene"))
    missing = tmp_path / "missing.tif"
    done = predict_scenes([missing, *scenes], model, tmp_path / "out", cluster=cluster.address)
    assert "no such file" in next(done).problems[0]
    reported.set()
    assert [one.problems for one in done] == [[]] * 2


def test_a_worker_that_comes_while_none_is_there_and_nothing_is_under_way_is_given_what_comes(
    tmp_path: Path, own_cluster: Cluster, model: Path, before_planning
) -> None:
    planned, scenes = Event(), write_scenes(tmp_path, "ab")
    before_planning("b", lambda: planned.wait(120))
    first = own_cluster.start_worker()
    mapped = tmp_path / "out" / "a_classes.tif"

    def map_all() -> list[Done[SceneMap]]:
        return list(predict_scenes(scenes, model, tmp_path / "out", cluster=own_cluster.address))

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(map_all)
        wait_for(mapped.exists, "map of the first scene")
        first.terminate()
        first.wait()
        own_cluster.start_worker()
        planned.set()
        assert [one.problems for one in found.result(120)] == [[]] * 2


def test_what_the_system_refuses_for_one_scene_does_not_stop_the_others(
    tmp_path: Path, cluster: Cluster, model: Path, before_planning, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = write_scenes(tmp_path, "abcd")

    def fail() -> None:
        raise OSError(116, "Stale file handle", "b.tif")

    def write(self: MapAssembly, *arguments: object) -> SceneMap:
        if Path(self.name).stem == "c":
            fail()
        return whole(self, *arguments)

    whole = MapAssembly._write
    monkeypatch.setattr(MapAssembly, "_write", write)
    before_planning("b", fail)
    done = list(predict_scenes(scenes, model, tmp_path / "out", cluster=cluster.address))
    line = "b.tif: Stale file handle. Check the path and its permissions."
    assert sorted(one.problems for one in done) == [[], [], [line], [line]]
    assert sorted(file.name for file in (tmp_path / "out").glob("*_classes.tif")) == [
        "a_classes.tif",
        "d_classes.tif",
    ]


def test_maps_that_are_put_together_side_by_side_are_those_of_one_machine(
    tmp_path: Path, cluster: Cluster, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segment.core.cluster.assembly.available_cores", lambda: 16)
    scenes = [
        write_scene(
            tmp_path / f"s{number}.tif",
            80 + number,
            70,
            number,
            **({} if number % 2 else {"crs": None}),
        )
        for number in range(6)
    ]
    options = MapOptions(tile=32, confidence=True, polygons=True)
    done = list(
        predict_scenes(
            scenes, model, tmp_path / "out", cluster=cluster.address, block=40, options=options
        )
    )
    assert [one.problems for one in done] == [[]] * 6
    for scene in scenes:
        predict_scene(scene, model, tmp_path / "alone", tile=32, confidence=True, polygons=True)
    assert_same_files(tmp_path / "alone", tmp_path / "out")


def test_a_folder_of_blocks_that_is_gone_is_let_go_of(tmp_path: Path) -> None:
    folder = BlockFolder(tmp_path / "out", "a.tif", "a")
    folder.open()
    folder.path.rmdir()
    folder.close()
    assert not (tmp_path / "out").exists()

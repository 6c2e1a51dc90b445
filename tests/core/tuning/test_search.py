"""What a study is about: the data, by what their files hold."""

from pathlib import Path
from shutil import copytree

import pytest

from classify.config import Config
from segment.core.tuning import search
from segment.core.tuning.search import Task


def described(*data: Path, files: list[Path | str] | None = None) -> str:
    found = [file for folder in data for file in sorted(folder.rglob("*")) if file.is_file()]
    task = Task("tests.fake_training", data, Config(), {}, found if files is None else files)
    return task.describe_files()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "masks").mkdir(parents=True)
    (tmp_path / "data" / "a.png").write_bytes(b"image")
    (tmp_path / "data" / "masks" / "a.png").write_bytes(b"mask")
    return tmp_path / "data"


def test_data_are_the_same_wherever_they_are_and_in_any_order(data, tmp_path):
    copy = copytree(data, tmp_path / "elsewhere" / "data")
    assert described(data) == described(copy)
    files = [data / "masks" / "a.png", data / "a.png"]
    assert described(data, files=files) == described(data, files=files[::-1]) == described(data)


def test_folders_that_hold_the_same_names_may_move(data, tmp_path):
    found = []
    for first, second in (("b", "c"), ("c", "b")):
        folders = [tmp_path / name for name in (first, second)]
        for folder, content in zip(folders, (b"one", b"two"), strict=True):
            folder.mkdir(exist_ok=True)
            (folder / "a.png").write_bytes(content)
        found.append(described(*folders))
    assert found[0] == found[1] != described(*folders[::-1])


def test_a_scene_and_its_mask_elsewhere_may_move(data, tmp_path, monkeypatch):
    copy = copytree(data, tmp_path / "elsewhere" / "project")
    found = [
        described(scene, files=[scene, project / "masks" / "a.png"])
        for project in (data, copy)
        for scene in (project / "a.png",)
    ]
    monkeypatch.chdir(copy)
    found.append(described(Path("a.png"), files=[Path("a.png"), copy / "masks" / "a.png"]))
    found.append(described(Path("*.png"), files=[Path("a.png"), Path("masks/a.png")]))
    (copy / "masks" / "a.png").rename(copy / "b.png")
    assert len(set(found)) == 1
    assert described(Path("a.png"), files=[Path("a.png"), copy / "b.png"]) not in found


def test_a_change_of_any_file_shows(data):
    seen = {described(data)}
    (data / "masks" / "a.png").write_bytes(b"MASK")  # of the same size
    seen.add(described(data))
    (data / "masks" / "a.png").rename(data / "masks" / "b.png")
    seen.add(described(data))
    missing = [data / "a.png", data / "masks" / "a.png"]
    seen.add(described(data, files=missing))
    (data / "masks" / "a.png").touch()  # empty, as a copy that was broken off
    seen.add(described(data, files=missing))
    seen |= {described(data, files=["labels 1"]), described(data, files=["labels 2"])}
    assert len(seen) == 7


def test_of_large_data_the_small_files_are_read_and_the_sizes_of_all_count(data, monkeypatch):
    monkeypatch.setattr(search, "_MOST_READ", 8)
    first = described(data)
    (data / "a.png").write_bytes(b"IMAGE")
    assert described(data) == first
    (data / "a.png").write_bytes(b"larger")
    second = described(data)
    (data / "masks" / "a.png").write_bytes(b"MASK")
    assert len({first, second, described(data)}) == 3

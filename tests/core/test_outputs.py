import json
import shutil

import pytest

from segment.core.disk import broken_write
from segment.core.errors import InputError
from segment.core.outputs import finish_moving, refuse_existing, staged, staged_files


def test_what_is_written_appears_whole(tmp_path):
    with staged(tmp_path / "new" / "a.txt") as partial:
        partial.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, error):
    (tmp_path / "old").write_text("old")
    with pytest.raises(error), staged(tmp_path / "old", overwrite=True) as partial:
        partial.write_text("half")
        raise error
    with pytest.raises(error), staged(tmp_path / "deep" / "er" / "new") as partial:
        partial.mkdir()
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("old", "old")]


def test_folders_are_replaced_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.json").write_text("old")
    (tmp_path / "out" / "report.html").write_text("old")
    with staged(tmp_path / "out", overwrite=True, ours=("report.json", "report.html")) as partial:
        partial.mkdir()
        (partial / "report.json").write_text("new")
    assert [(p.name, p.read_text()) for p in (tmp_path / "out").iterdir()] == [
        ("report.json", "new")
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_overwrite_spares_what_is_not_ours(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        refuse_existing(tmp_path, True, ("report.json",))
    with pytest.raises(InputError, match="--overwrite"):
        refuse_existing(tmp_path, False)
    with pytest.raises(InputError, match="is a file, the output is a folder"):
        refuse_existing(tmp_path / "thesis.txt", True, ("report.json",))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(InputError, match="is a link, which is not replaced"):
        refuse_existing(tmp_path / "link", True, ("thesis.txt",))


def test_names_that_leave_no_room_for_the_unfinished_are_refused(tmp_path):
    with pytest.raises(InputError, match="name of 246 bytes, at most 245 are possible. Shorten"):
        refuse_existing(tmp_path / ("a" * 246), False)
    with pytest.raises(InputError, match="Shorten"), staged_files(tmp_path / "new", ["b" * 250]):
        pass
    assert not any(tmp_path.iterdir())
    with staged(tmp_path / ("a" * 245), overwrite=True) as partial:
        partial.mkdir()
    with staged(tmp_path / ("a" * 245), overwrite=True) as partial:
        partial.mkdir()


def test_a_broken_write_names_what_was_asked_for(tmp_path):
    with staged(tmp_path / "samples") as partial:
        assert f"{tmp_path}/samples: " in str(
            broken_write(partial / "river" / "0.png", "No space left")
        )
        assert f"{tmp_path}/samples: " in str(
            broken_write(partial / "train" / "river" / "0.png", "No space left")
        )
        partial.mkdir()
    assert f"{tmp_path}/map.tif: " in str(
        broken_write(tmp_path / ".map.tif.partial" / "new" / "map.tif", "No space left")
    )
    assert f"{tmp_path}/way.png: " in str(broken_write(tmp_path / "way.png", "No space left"))


@pytest.mark.parametrize("place", ["m\udcff", "m\udcff/a.tif", "a/m\udcff/b"])
def test_a_place_that_is_not_utf8_is_refused_before_anything_is_written(tmp_path, place):
    with (
        pytest.raises(InputError, match=r"m\\xff.*: path is not UTF-8"),
        staged(tmp_path / place),
    ):
        pytest.fail("begun")
    with pytest.raises(InputError, match=r"m\\xff"), staged_files(tmp_path / place, ["a.tif"]):
        pytest.fail("begun")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0, 1, 9, None])
def test_a_kill_while_the_move_begins_keeps_the_old_files_or_brings_the_new(tmp_path, length):
    names, partial = ["a.tif", "b.json"], tmp_path / ".a.tif.partial"
    lists = []
    for content in ("old", "new"):
        with staged_files(tmp_path, names, overwrite=True) as stage:
            for name in names:
                (stage.new / name).write_text(content)
            if content == "new":
                shutil.copytree(partial, tmp_path / "killed")
        lists.append({name: (tmp_path / name).read_text() for name in names})
    for name in names:
        (tmp_path / name).write_text("old")
    shutil.move(tmp_path / "killed", partial)
    (partial / "moving").write_text(json.dumps([names, names])[:length])
    finish_moving(tmp_path, names[0])
    expected = lists[1] if length is None else lists[0]
    assert {name: (tmp_path / name).read_text() for name in names} == expected
    with staged_files(tmp_path, names, overwrite=True) as stage:
        (stage.new / "a.tif").write_text("newest")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.tif", "newest")]

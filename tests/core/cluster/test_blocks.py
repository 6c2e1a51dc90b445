from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segment.core.cluster.block_file import BlockFile, block_path, is_finished, write_block
from segment.core.cluster.block_folder import BlockFolder
from segment.core.cluster.tasks import MOST_FAILURES, MOST_LOSSES, BlockTask
from segment.core.errors import InputError
from segment.core.raster.blocks import Block, Blocks, divide


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 60), st.integers(1, 20))
def test_blocks_cover_every_pixel_once(height, edge, width, step):
    blocks = Blocks(divide(height, edge), divide(width, edge, range(3, width, step)))
    covered = np.zeros((height, width), int)
    for block in blocks:
        covered[block.top : block.bottom, block.left : block.right] += 1
        assert 0 < block.height <= edge
    assert (covered == 1).all()
    assert len(list(blocks)) == len(blocks)


def test_blocks_are_even_and_keep_to_the_places_that_are_given():
    assert divide(100, 30) == (0, 25, 50, 75, 100)
    assert divide(100, 30, [-5, 0, 11, 22, 33, 44, 55, 66, 77, 88, 99, 110]) == (0, 22, 55, 77, 100)
    assert divide(100, 1000) == divide(100, 100) == (0, 100)
    assert divide(100, 30, [0, 120]) == (0, 100)
    sizes = [b - a for a, b in pairwise(divide(16384, 8192, range(-48, 16384, 416)))]
    assert max(sizes) - min(sizes) <= 416
    with pytest.raises(InputError, match="at least 1 is needed"):
        divide(100, 0)


def test_a_block_is_given_up_after_three_failures_or_too_many_lost_workers():
    task = BlockTask(None, Block(0, 0, 0, 1, 0, 1))
    for _ in range(MOST_FAILURES):
        assert not task.is_given_up
        task.failures += 1
    assert task.is_given_up
    task = BlockTask(None, Block(0, 0, 0, 1, 0, 1))
    task.losses += 4
    assert not task.is_given_up
    task.losses += MOST_LOSSES - 4
    assert task.is_given_up
    assert task.failures == 0


@pytest.mark.heavy
def test_block_files_are_read_by_rows_and_distinguished_from_broken_ones(tmp_path):
    path = block_path(tmp_path, Block(3, 4, 0, 7, 0, 5))
    classes, confidence = (
        np.arange(35, dtype=np.uint8).reshape(7, 5),
        np.linspace(0, 1, 14, dtype=np.float32).reshape(7, 2),
    )
    words = np.char.encode(np.array([["", "ü;b"], ["a", ""]]), "utf-8")
    write_block(
        path,
        {"classes": classes, "confidence": confidence[::-1], "words": words},
        {"seen": [1, "ü"]},
    )
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with BlockFile(path) as file:
        for rows in (slice(0, 2), slice(2, 5), slice(5, 7)):
            found = file.read("classes", rows.stop - rows.start)
            np.testing.assert_array_equal(found, classes[rows])
        np.testing.assert_array_equal(file.read("confidence"), confidence[::-1])
        np.testing.assert_array_equal(file.read("words"), words)
        assert file.state == {"seen": [1, "ü"]}
    assert is_finished(path)
    content = path.read_bytes()
    place = content.index(classes.tobytes())
    for damaged in (
        content[:-1],
        content[:place] + b"\xff" + content[place + 1 :],
        content[: len(content) // 2],
        b"",
        b"[]\n",
        b"\xff" * 50,
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged block"), BlockFile(path) as file:
            file.read("classes")
        assert not is_finished(path)
        assert not path.exists()


def test_a_full_disk_leaves_nothing_of_a_block(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="large"):
            write_block(tmp_path / "row" / "0.block", {"a": np.zeros((200, 200), np.uint8)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "row").iterdir())


def test_finished_blocks_stay_for_the_same_work_alone(tmp_path):
    def leave(belongs: str, keep: bool = True, done: bool = False) -> int:
        folder = BlockFolder(tmp_path / "out", "map.tif", belongs, keep)
        folder.open()
        found = len(list(tmp_path.glob("out/.map.tif.blocks.partial/*/row-*/*.block")))
        write_block(block_path(folder.path, Block(found, 0, 0, 1, 0, 1)), {"a": np.zeros(1)}, {})
        folder.done = done
        folder.close()
        return found

    assert [leave("a"), leave("a"), leave("b"), leave("b"), leave("b", keep=False)] == [
        0,
        1,
        0,
        1,
        0,
    ]
    assert not list(tmp_path.glob("out/.*"))
    assert [leave("a"), leave("a", done=True), leave("a")] == [0, 1, 0]
    first, second = (BlockFolder(tmp_path / "out", "map.tif", belongs) for belongs in "ab")
    first.open()
    with pytest.raises(InputError, match="is being written by process"):
        second.open()
    first.close()


def test_a_block_that_is_finished_for_a_command_that_was_ended_is_not_taken_for_another_one(
    tmp_path,
):
    ended, other = (
        BlockFolder(tmp_path / "out", "map.tif", belongs) for belongs in ("with flips", "without")
    )
    block = Block(0, 0, 0, 1, 0, 1)
    ended.open()
    write_block(block_path(ended.path, Block(1, 0, 1, 2, 0, 1)), {"a": np.zeros(1)}, {})
    ended.close()
    other.open()
    with pytest.raises(OSError, match="No such file"):
        write_block(block_path(ended.path, block), {"a": np.zeros(1)}, {})
    assert not is_finished(block_path(other.path, block))
    other.close()

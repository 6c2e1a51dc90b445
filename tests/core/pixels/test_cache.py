import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from segment.core.labels.classes import Class, ClassTable
from segment.core.pixels.cache import Cache
from segment.data.pixels import TilePixels
from segment.data.tiles import find_pairs


def arrays(megabytes: int) -> Cache[np.ndarray]:
    return Cache(megabytes, lambda array: array.nbytes)


def quarter() -> np.ndarray:
    return np.zeros(2**18, np.uint8)


def test_values_kept_are_bounded_and_the_last_used_ones():
    cache, made = arrays(1), []

    def get(key: int) -> None:
        cache.get(key, lambda: made.append(key) or quarter())

    for key in (0, 1, 2, 3):
        get(key)
        assert sum(array.nbytes for array in cache._kept.values()) == cache._size <= 2**20
    get(0)  # used again: 1 is the oldest now
    get(4)
    assert list(cache._kept) == [2, 3, 0, 4] and cache._size == 2**20
    get(0)
    get(1)
    assert made == [0, 1, 2, 3, 4, 1]


def test_a_value_larger_than_the_limit_is_kept_alone():
    cache = arrays(1)
    large = cache.get("large", lambda: np.zeros(2**21, np.uint8))
    assert cache.get("large", quarter) is large
    cache.get("small", quarter)
    assert list(cache._kept) == ["small"] and cache._size == 2**18


def test_without_memory_one_value_stays():
    cache = arrays(0)
    for key in range(3):
        cache.get(key, quarter)
    assert list(cache._kept) == [2] and cache._size == 2**18


def test_what_cannot_be_made_is_asked_for_again():
    cache = arrays(1)

    def fail() -> np.ndarray:
        raise OSError("unreadable")

    with pytest.raises(OSError, match="unreadable"):
        cache.get(0, fail)
    assert cache._size == 0 and cache.get(0, quarter).nbytes == 2**18


def test_two_threads_that_make_the_same_count_it_once():
    cache, both = arrays(1), threading.Barrier(2, timeout=10)

    def make() -> np.ndarray:
        both.wait()  # neither is done before the other has begun
        return quarter()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: cache.get(0, make), range(2)))
    assert cache._size == 2**18


def test_many_threads_keep_to_the_limit():
    cache = arrays(1)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda n: cache.get(n % 7, lambda: np.full(2**18, n % 7, np.uint8))[0] == n % 7,
                range(500),
            )
        )
    assert all(found)
    assert sum(array.nbytes for array in cache._kept.values()) == cache._size <= 2**20


def test_tiles_and_their_masks_count_together(tile_folder):
    class_table = ClassTable(
        [Class(name="land", color="#804000"), Class(name="water", color="#0000FF")]
    )
    pixels = TilePixels(class_table, "ignore", megabytes=1)
    for pair in find_pairs(tile_folder(groups=3, count=4, size=256)) * 2:
        pixels.load(pair)
        kept = pixels._cache._kept.values()
        assert (
            sum(array.nbytes for decoded in kept for array in decoded)
            == pixels._cache._size
            <= 2**20
        )
    assert len(kept) == 3

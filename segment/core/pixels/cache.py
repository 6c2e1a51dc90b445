"""In-memory cache with a size limit."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps the most recently used values, up to a total size.

    Safe to use from several threads.

    Args:
        megabytes: Upper limit of the total size in MiB. The newest value is kept even if it is
            larger.
        size: Returns the size of a value in bytes.
    """

    def __init__(self, megabytes: int, size: Callable[[V], int]):
        self._limit, self._size_of = megabytes * 2**20, size
        self._kept: OrderedDict[Hashable, V] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Returns the value of a key, and makes it if it is not in the cache.

        Two threads may make the same value at the same time.

        Args:
            key: Key of the value.
            make: Makes the value if the cache does not hold it.

        Returns:
            The value from the cache, or the one just made.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value
                self._size += self._size_of(value)
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= self._size_of(self._kept.popitem(last=False)[1])
        return value

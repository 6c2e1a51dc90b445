"""Warnings of libraries that mean nothing to users, kept away in all threads: Python's filters are the same for all."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Filters:
    """within: threads that want them. kept: what they were before the first one."""

    lock = threading.Lock()
    within = 0
    kept: "warnings.catch_warnings[None]"


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keeps away what rasterio says of rasters without a georeference, and pyogrio of polygons without one."""
    from rasterio.errors import NotGeoreferencedWarning

    with _Filters.lock:
        if not _Filters.within:
            _Filters.kept = warnings.catch_warnings()
            _Filters.kept.__enter__()
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            warnings.filterwarnings("ignore", message=".*crs.*")
        _Filters.within += 1
    try:
        yield
    finally:
        with _Filters.lock:
            _Filters.within -= 1
            if not _Filters.within:
                _Filters.kept.__exit__(None, None, None)

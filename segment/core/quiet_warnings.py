"""Suppression of library warnings that mean nothing to users.

Warnings are suppressed in all threads, since Python's filters are the same for all.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Filters:
    """State that all threads share.

    Attributes:
        lock: Protects the other attributes.
        within: Number of threads that suppress warnings now.
        kept: Filters as they were before the first of these threads.
    """

    lock = threading.Lock()
    within = 0
    kept: "warnings.catch_warnings[None]"


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppresses warnings about georeferences and masks while the context is open.

    rasterio warns about rasters without a georeference, and pyogrio about polygons without one;
    rasterio also where nodata hides pixels of a raster with an alpha band.
    """
    from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning

    with _Filters.lock:
        if not _Filters.within:
            _Filters.kept = warnings.catch_warnings()
            _Filters.kept.__enter__()
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            warnings.simplefilter("ignore", NodataShadowWarning)
            warnings.filterwarnings("ignore", message=".*crs.*")
        _Filters.within += 1
    try:
        yield
    finally:
        with _Filters.lock:
            _Filters.within -= 1
            if not _Filters.within:
                _Filters.kept.__exit__(None, None, None)

"""Progress of the blocks of a cluster, with its speed in megapixels."""

import time
from collections import deque

from segment.core.cluster.workers import Workers
from segment.core.progress import Progress
from segment.core.raster.blocks import Block

_SHOWN = 0.2  # seconds between two updates of the progress
_RECENT = 60.0  # seconds that the rate is taken over


class BlockProgress:
    """Progress of blocks, with megapixels per second over the last minute."""

    def __init__(self, progress: Progress, workers: Workers):
        """Starts without blocks.

        Args:
            progress: Where progress is reported.
            workers: Workers, which are described beside the progress.
        """
        self._progress, self._workers = progress, workers
        self._done, self._pixels, self._shown = 0, 0, 0.0
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def add(self, block: Block, total: int) -> None:
        """Counts a block.

        Args:
            block: Block that was finished or given up.
            total: Blocks of all scenes, as far as is known.
        """
        self._done, self._pixels, now = (
            self._done + 1,
            self._pixels + block.pixels,
            time.monotonic(),
        )
        if now - self._shown < _SHOWN and self._done < total:
            return
        self._shown = now
        self._recent.append((now, self._pixels))
        while len(self._recent) > 2 and now - self._recent[0][0] > _RECENT:
            self._recent.popleft()
        begun, before = self._recent[0]
        rate = (self._pixels - before) / 1e6 / max(now - begun, 1e-9)
        self._progress.advance(
            "blocks", self._done, total, f"{rate:.3g} megapixels/s, {self._workers}"
        )

    def end(self) -> None:
        """Ends the progress: no further block comes, whatever was expected."""
        self._progress.advance("blocks", self._done, self._done)

import numpy as np
import pytest

from segment.core.pixels.texture import channel_count, channels, describe_tile


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 8, 13])
def test_colours_are_counted_between_their_limits(dtype: str, bands: int) -> None:
    random = np.random.default_rng(bands)
    tile = random.integers(0, 200, (9, 14, bands)).astype(dtype)
    valid = random.random((9, 14)) > 0.3
    count = channel_count(bands)
    edges = np.sort(random.integers(-90, 160, (count, 4)), axis=1).astype(np.float32)
    edges[0] = edges[0, 1]  # limits of even ground are equal
    wide = tile.astype(np.float64)
    expected = [wide.mean(axis=2), *np.moveaxis(wide[..., :-1] - wide[..., 1:], 2, 0)][:count]
    assert np.array_equal(channels(tile), np.stack(expected, axis=2).astype(np.float32))
    bins = [
        np.digitize(values[valid].astype(np.float32), limits)
        for values, limits in zip(expected, edges, strict=True)
    ]
    together = [bins[:3], *([bins[0], other] for other in bins[3:])]
    wanted = []
    for some in together:
        counts = np.zeros((5,) * len(some))
        np.add.at(counts, tuple(some), 1)
        wanted.append(np.sqrt(counts.ravel() / valid.sum()))
    colours = np.concatenate(wanted).astype(np.float32)
    found = describe_tile(tile, edges, np.float32(1), valid)
    assert found[: len(colours)] == pytest.approx(colours, abs=1e-6)

"""Arrays beside a model that are damaged anywhere are refused in one line."""

import shutil

import numpy as np
import pytest

from segment.bundled import BUNDLED
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from segment.core.model.footprints import Footprints
from segment.core.model.record import RECORD_FILE, TrainingRecord, load_record
from segment.core.model.weight_files import load_novelty
from segment.core.pixels.novelty import NOVELTY_FILE


def damaged(content: bytes, place: int, bits: int) -> bytes:
    return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]


@pytest.fixture
def record(tmp_path):
    random = np.random.default_rng(0)
    footprints = Footprints(
        random.random((9, 6)), np.full((9, 2), 64, np.int32), np.zeros(9, np.int32), ("EPSG:32633",)
    )
    digests = random.integers(0, 2**63, 9).astype(np.uint64)
    TrainingRecord(digests, np.zeros(9, np.uint8), footprints).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("bits", [0x01, 0x18, 0xFF])
def test_a_damaged_record_is_refused_or_not_read_wrong(record, bits):
    file, refused = record / RECORD_FILE, 0
    content = file.read_bytes()
    whole = load_record(record)
    for place in range(0, len(content), 7):
        file.write_bytes(damaged(content, place, bits))
        try:
            found = load_record(record)
        except InputError:
            refused += 1
        else:  # times and flags that nothing depends on
            assert np.array_equal(found.digests, whole.digests)
    assert refused > len(content) // 14


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8])
def test_a_damaged_novelty_detector_is_refused(tmp_path, share):
    info, content = load_model_info(BUNDLED), (BUNDLED / NOVELTY_FILE).read_bytes()
    shutil.copy(BUNDLED / NOVELTY_FILE, tmp_path)
    for bits in (0x01, 0x40, 0xFF):
        (tmp_path / NOVELTY_FILE).write_bytes(damaged(content, int(share * len(content)), bits))
        with pytest.raises(InputError, match=r"novelty.npz: damaged: .*Restore it, or delete it"):
            load_novelty(tmp_path, info)

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from segment.core.networks.torch_file import read_torch
from tests.core.networks import torch_files as files

WRITERS = [files.write_pickles, files.write_archive]
ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.running_mean": np.array([1.5, -2], np.float16),
    "bn.num_batches_tracked": np.array(7),
    "nothing": np.zeros(0, np.float32),
}


@pytest.mark.heavy
@pytest.mark.parametrize("write", WRITERS)
def test_tensors_are_read_with_their_shapes_and_dtypes(write, tmp_path):
    read = read_torch(write(tmp_path / "w.pth", ARRAYS))
    assert list(read) == list(ARRAYS)
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(read[key], array)
        assert read[key].dtype == array.dtype


@pytest.mark.heavy
@pytest.mark.parametrize("write", WRITERS)
def test_views_and_brain_floats_are_read(write, tmp_path):
    values = {
        "0": np.arange(12, dtype=np.float32),
        "1": np.array([1.5, -3], np.float32).view("<u2")[1::2].view("<f2"),
    }
    tensors = {
        "turned": files.tensor("0", (3, 4), (1, 3), 12),
        "late": files.tensor("0", (2,), (1,), 12, offset=10),
        "brain": files.tensor("1", (2,), (1,), 2, storage="BFloat16Storage"),
    }
    read = read_torch(write(tmp_path / "w.pth", values, files.state_dict(tensors)))
    np.testing.assert_array_equal(read["turned"], np.arange(12).reshape(4, 3).T)
    np.testing.assert_array_equal(read["late"], [10, 11])
    np.testing.assert_array_equal(read["brain"], [1.5, -3])
    assert read["brain"].dtype == np.float32


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def calls(function, *arguments):
    return b"\x80\x02" + files.name(*function) + b"(" + b"".join(arguments) + b"tR."


def one(**changes):
    settings = {"key": "0", "shape": (4,), "strides": (1,), "count": 4} | changes
    return files.state_dict({"w": files.tensor(**settings)})


HUGE = 2**40
HOSTILE = {
    "os.system": pickle.dumps({"w": Hostile(os.system, "touch HARMED")}, 2),
    "builtins.eval": pickle.dumps({"w": Hostile(eval, "open('HARMED', 'w')")}, 2),
    "in a list of a newer protocol": pickle.dumps([Hostile(os.system, "touch HARMED")], 5),
    "protocol 0": pickle.dumps(Hostile(os.system, "touch HARMED"), 0),
    "os.system by hand": calls(("posix", "system"), files.text("touch HARMED")),
    "getattr chain": calls(
        ("builtins", "getattr"), files.name("os", "system"), files.text("__call__")
    ),
    "ordered dictionary of a call": calls(
        ("collections", "OrderedDict"), calls(("os", "getcwd"))[2:-1]
    ),
    "build on a name": (
        b"\x80\x02" + files.name("os", "system") + b"}" + files.text("a") + b"K\x01sb."
    ),
    "nested tuples": b"\x80\x02" + b")" + b"\x85" * 150_000 + b".",
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 150_000 + b"K\x01s.",
    "nested lists": b"\x80\x02" + b"]" * 150_000 + b"a" * 149_999 + b".",
    "endless marks": b"\x80\x02" + b"(" * 500_000 + b".",
    "endless dictionaries": b"\x80\x02" + b"}" * 500_000 + b".",
    "list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "memo far away": b"\x80\x02}r\xff\xff\xff\xff.",
    "memo never filled": b"\x80\x02h\x07.",
    "text without end": b"\x80\x02X\xff\xff\xff\xffabc",
    "bytes without end": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "number without end": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
    "empty stack": b"\x80\x02.",
    "no pickle": b"\xff\xfe\xfd",
    "nothing": b"\x80\x02",
    "tuple across a mark": b"\x80\x02K\x01K\x02(\x86.",
    "huge shape": one(shape=(HUGE,)),
    "huge shape of no steps": one(shape=(HUGE, 1024), strides=(0, 0)),
    "huge shape that multiplies to nothing": one(shape=(2**62, 4)),
    "huge storage": one(shape=(HUGE,), count=HUGE),
    "storage longer than its bytes": one(shape=(5,), count=5),
    "offset beyond": one(offset=1),
    "offset far beyond": one(offset=HUGE),
    "offset below": one(offset=-1),
    "steps beyond": one(strides=(2,)),
    "steps backwards": one(strides=(-1,)),
    "shape below nothing": one(shape=(-4,)),
    "shape and steps differ": one(shape=(2, 2)),
    "too many dimensions": one(shape=(1,) * 70, strides=(1,) * 70),
    "count below nothing": one(count=-4),
    "wider type than its bytes": one(storage="DoubleStorage"),
    "complex numbers": one(storage="ComplexFloatStorage"),
    "storage of another module": one().replace(b"ctorch\n", b"cos\n"),
    "no such storage": one(key="1"),
    "path as a key": one(key="../../etc/passwd"),
    "truth as a shape": one().replace(files.whole(4) + b"t(", b"\x88t("),
    "a number in place of a tensor": files.state_dict({"w": b"K\x01"}),
    "a tensor without name": b"\x80\x02}K\x01" + files.tensor("0", (4,), (1,), 4) + b"s.",
    "a tensor alone": b"\x80\x02" + files.tensor("0", (4,), (1,), 4) + b".",
}


@pytest.mark.heavy
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_and_do_nothing(case, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "w.pth", {"w": np.zeros(4, np.float32)}, HOSTILE[case])
    with pytest.raises(ValueError, match=r"^it|^a tensor|storage|beyond") as error:
        read_torch(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 200
    assert not (tmp_path / "HARMED").exists()


@pytest.mark.parametrize("write", WRITERS)
def test_views_cannot_multiply_a_file(write, tmp_path):
    tensors = {f"w{i}": files.tensor("0", (50_000,), (1,), 50_000) for i in range(100)}
    path = write(tmp_path / "w.pth", {"w": np.zeros(50_000, np.float32)}, files.state_dict(tensors))
    with pytest.raises(ValueError, match="more than the file"):
        read_torch(path)


@pytest.mark.parametrize("write", WRITERS)
def test_files_that_end_early_are_refused(write, tmp_path):
    path = write(tmp_path / "w.pth", ARRAYS)
    data = path.read_bytes()
    for length in [0, 1, 10, 20, *range(40, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises((ValueError, zipfile.BadZipFile)):
            read_torch(path)


def test_big_endian_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="big-endian"):
        read_torch(files.write_pickles(tmp_path / "w.pth", ARRAYS, little=False))


def test_archives_that_pytorch_does_not_write_are_refused(tmp_path):
    bomb = {"w": np.zeros(1_000_000, np.float32)}
    path = files.write_archive(tmp_path / "w.pth", bomb, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match="compressed"):
        read_torch(path)
    files.write_archive(path, ARRAYS)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("net/data/0", b"other")
    with pytest.raises(ValueError, match="overlap"):
        read_torch(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no network")
    with pytest.raises(ValueError, match=r"data\.pkl"):
        read_torch(path)


def test_a_size_that_the_archive_only_claims_is_refused(tmp_path):
    path = files.write_archive(
        tmp_path / "w.pth", {"w": np.zeros(4, np.float32)}, one(shape=(64,), count=64)
    )
    data = path.read_bytes()
    claimed = data.replace(struct.pack("<II", 16, 16), struct.pack("<II", 16, 256))
    assert claimed != data
    path.write_bytes(claimed)
    with pytest.raises((ValueError, zipfile.BadZipFile)):
        read_torch(path)

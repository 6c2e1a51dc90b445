"""Pickled tensors, read by an interpreter that can build nothing but tensors.

A pickle is a program: it may call anything that Python can import, and use any amount of memory.
Here it is not unpickled. An interpreter executes only the few opcodes that a state_dict consists
of, refuses all others, and imports no name.
"""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

DTYPES = {
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "DoubleStorage": "<f8",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_ORDERED_DICT = "collections OrderedDict"
_REBUILD = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT")
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MOST_DIMENSIONS = 8
_MOST_OPERATIONS = 400_000  # a tensor takes about 40


@dataclass(frozen=True)
class _Name:
    """Name of a global in the pickle, which is not imported."""

    name: str


@dataclass(frozen=True)
class Storage:
    """Memory that holds the values of one or several tensors.

    Attributes:
        key: Key of the values in the file.
        dtype: Type of the values, a key of `DTYPES`.
        count: Number of values.
    """

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """View of a storage.

    Attributes:
        storage: Storage that holds the values.
        offset: Position of the first value in the storage.
        shape: Length of each dimension.
        strides: Distance between neighbours along each dimension, in values.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def load_pickle(file: BinaryIO) -> Any:
    """Reads one pickle, from its first byte to its STOP.

    Args:
        file: Binary file at the beginning of the pickle.

    Returns:
        The object that the pickle builds, with a `Tensor` for each tensor.

    Raises:
        ValueError: If the pickle is broken, or uses what a state_dict does not need.
    """
    try:
        return _Machine().run(_operations(file))
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("its pickle is broken") from error


def _operations(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    try:
        for operation, argument, _ in pickletools.genops(file):
            yield operation.name, argument
    except (ValueError, OverflowError, MemoryError) as error:  # a file may state any length
        raise ValueError("its pickle is broken, or ends early") from error


class _Machine:
    """Interpreter with a stack, a memo, and the opcodes of protocol 2 that a state_dict uses."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, operations: Iterator[tuple[str, Any]]) -> Any:
        for name, argument in islice(operations, _MOST_OPERATIONS):
            if name == "STOP":
                return self.stack.pop()
            self._step(name, argument)
        raise ValueError("its pickle has no end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "BINUNICODE" or name in _NUMBERS:
            stack.append(argument)
        elif name in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[name])))
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            stack.append({} if name == "EMPTY_DICT" else [])
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name != "PROTO":
            self._compound(name)

    def _compound(self, name: str) -> None:
        """Executes an opcode that consumes values from the stack."""
        if name == "MARK":
            self.marks.append(len(self.stack))
        elif name == "TUPLE":
            self.stack.append(tuple(self._since_mark()))
        elif name in ("SETITEMS", "SETITEM"):
            items = self._since_mark() if name == "SETITEMS" else self._pop(2)
            _fill(self.stack[-1], items)
        elif name in ("APPENDS", "APPEND"):
            items = self._since_mark() if name == "APPENDS" else self._pop(1)
            self.stack[-1].extend(items)
        elif name == "BINPERSID":
            self.stack.append(_storage(self.stack.pop()))
        elif name == "REDUCE":
            function, arguments = self._pop(2)
            self.stack.append(_call(function, arguments))
        elif name == "BUILD":  # attributes of the state_dict: versions of its layers
            self.stack.pop()
        else:
            raise ValueError(f"its pickle uses {name}, which tensors do not need")

    def _pop(self, count: int) -> list[Any]:
        if count > len(self.stack) - (self.marks[-1] if self.marks else 0):
            raise ValueError("its pickle is broken")
        return [self.stack.pop() for _ in range(count)][::-1]

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items


def _fill(target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict) or len(items) % 2:
        raise ValueError("its pickle is broken")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str):
            raise ValueError("its tensors have no names")
        target[key] = value


def _call(function: Any, arguments: Any) -> Any:
    """Evaluates a call in the pickle, if it is one that makes tensors."""
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise ValueError("its pickle is broken")
    if function.name == _ORDERED_DICT and arguments == ():
        return {}
    if function.name == _REBUILD[1] and isinstance(arguments[0], Tensor):
        return arguments[0]
    if function.name != _REBUILD[0]:
        raise ValueError(
            f"it calls {function.name.replace(' ', '.')[:60]!r}, which makes no tensor"
        )
    storage, offset, shape, strides = arguments[:4]
    if not isinstance(storage, Storage) or not _all_counts([offset]):
        raise ValueError("its pickle is broken")
    fits = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides)
    if not fits or len(shape) > _MOST_DIMENSIONS or not _all_counts([*shape, *strides]):
        raise ValueError("a tensor of it has no shape that can be")
    return Tensor(storage, offset, shape, strides)


def _storage(reference: Any) -> Storage:
    kind, dtype, key, _, count, *rest = reference
    if kind != "storage" or not isinstance(dtype, _Name) or not isinstance(key, str) or any(rest):
        raise ValueError("its pickle is broken")
    module, _, name = dtype.name.partition(" ")
    if module != "torch" or name not in DTYPES or not _all_counts([count]):
        raise ValueError(f"it holds {dtype.name.replace(' ', '.')[:60]!r}, which are not weights")
    return Storage(key, name, count)


def _all_counts(values: list[Any]) -> bool:
    """Checks that all values are integers from 0 to below 2**48; True and False are not."""
    return all(type(value) is int and 0 <= value < 2**48 for value in values)

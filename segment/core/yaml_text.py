"""YAML written by users: read within limits, with errors for values that are invalid."""

import re
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from segment.core.errors import quoted

MOST_CHARACTERS = 4 * 2**20
"""Largest size of a document in characters, also after its aliases are expanded."""

_DEEPEST = 50
_MERGE = "tag:yaml.org,2002:merge"
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_REFUSED = ("binary", "omap", "pairs", "set")  # types that no setting has
# numbers that YAML reads in base 8 or 60: 010 is 8, and 12:30 is 750
_OTHER_BASE = re.compile(r"[-+]?0[0-7_]+|.*:.*")


class _Loader(yaml.SafeLoader):
    """Safe loader that limits depth and the size of expanded aliases, and refuses repeated keys.

    Args:
        text: The document.
        parser: Loader that splits the text into events.
        as_written: Whether all single values are texts.
    """

    def __init__(self, text: str, parser: Any, as_written: bool):
        super().__init__(text)
        self._as_written = as_written
        events = parser(text)
        for name in ("check_event", "get_event", "peek_event"):
            setattr(self, name, getattr(events, name))
        self._depth = 0
        self._sizes: dict[yaml.Node, int] = {}  # characters of each node that is complete

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        if self._as_written and kind is yaml.ScalarNode:
            implicit = False, True
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _problem(f"more than {_DEEPEST} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if isinstance(event, yaml.AliasEvent):
            if node not in self._sizes:
                raise _problem(f"*{event.anchor} refers to itself", event)
        else:
            self._sizes[node] = self._measure(node)
        if self._sizes[node] > MOST_CHARACTERS:
            raise _problem(f"aliases expand to more than {MOST_CHARACTERS:,} characters", event)
        return node

    def _measure(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.MappingNode):
            return 1 + sum(self._sizes[key] + self._sizes[value] for key, value in node.value)
        return 1 + (
            sum(self._sizes[item] for item in node.value)
            if isinstance(node, yaml.SequenceNode)
            else len(node.value)
        )

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        assert isinstance(node, yaml.MappingNode)
        known: set[Hashable] = set()
        for key, _ in node.value:
            name = _MERGE if key.tag == _MERGE else self.construct_object(key, deep=True)
            if not isinstance(name, Hashable):
                raise _problem("a key must be a single value", key)
            if name in known:
                raise _problem(f"key {quoted(key.value, 40)} occurs twice", key)
            known.add(name)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError) as error:
            # not a valid value of its type
            raise _problem(
                f"{quoted(node.value, 40)} is not a valid {node.tag.rpartition(':')[2]}", node
            ) from error
        if isinstance(value, int | float) and _OTHER_BASE.fullmatch(node.value):
            raise _problem(
                f"{quoted(node.value, 40)} would be read as {value}. Put quotes around a text, and"
                " write numbers without leading zeros",
                node,
            )
        if isinstance(value, int) and abs(value) >= 2**63:
            raise _problem(f"{quoted(node.value, 40)} does not fit into 64 bits", node)
        if isinstance(value, str) and _UNWRITABLE.search(value):
            raise _problem(f"{quoted(value, 40)} holds characters that cannot be written", node)
        return value


def _problem(problem: str, node: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)  # type: ignore[arg-type]


def _refuse(_: _Loader, node: yaml.Node) -> None:
    raise _problem(f"values of type !!{node.tag.rpartition(':')[2]} are not supported", node)


for _kind in _REFUSED:
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _refuse)


def parse_yaml(text: str, as_written: bool = False) -> Any:
    """Parses a YAML document.

    Args:
        text: The document.
        as_written: Whether all single values are texts, so that 1.0 is no number and yes no truth
            value.

    Returns:
        None, numbers, texts, dates, lists and dictionaries.

    Raises:
        yaml.YAMLError: If the document is incomplete, too large or too deep (also once its aliases
            are expanded), repeats a key, or holds an invalid value such as the date 2001-99-99,
            or a number that YAML reads in another base, such as 010.
    """
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"{len(text):,} characters, at most {MOST_CHARACTERS:,} are read")
    # libyaml, where PyYAML was built with it, is five times as fast, but its errors say less
    with suppress(yaml.YAMLError, RecursionError):
        fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return _Loader(text, fast, as_written).get_single_data()
    try:
        return _Loader(text, yaml.SafeLoader, as_written).get_single_data()
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise yaml.YAMLError(
            f"{where}{error.context + ', ' if error.context else ''}{error.problem}"
        ) from error
    except ReaderError as error:
        raise yaml.YAMLError(f"the character {chr(error.character)!r} is not allowed") from error
    except RecursionError as error:
        raise yaml.YAMLError("too deeply nested") from error


def read_yaml(path: Path, as_written: bool = False) -> Any:
    """Reads a YAML file and parses it with `parse_yaml`.

    Args:
        path: File in UTF-8.
        as_written: As for `parse_yaml`.

    Returns:
        The content, as in `parse_yaml`.

    Raises:
        OSError: If the file cannot be read.
        yaml.YAMLError: If it is not UTF-8, and as in `parse_yaml`.
    """
    with path.open("rb") as file:
        content = file.read(4 * MOST_CHARACTERS + 1)
    try:
        return parse_yaml(content.decode("utf-8"), as_written)
    except UnicodeDecodeError as error:
        if len(content) > 4 * MOST_CHARACTERS:
            raise yaml.YAMLError(f"at most {MOST_CHARACTERS:,} characters are read") from error
        raise yaml.YAMLError(f"not in UTF-8, from byte {error.start} on") from error

"""YAML whose values are none, which is too large, too deep, or says a thing twice; and messages
about it.
"""

import pytest
import yaml

from classify.config import Config as ClassifyConfig
from segment import cli
from segment.config import Config
from segment.core import yaml_text
from segment.core.cli.command import run
from segment.core.config import load_settings
from segment.core.errors import InputError, one_line, quoted
from segment.core.labels.classes import load_class_table
from segment.core.model.folder import INFO_FILE, MODEL_FILE, load_model_info
from segment.core.tuning.search_space import load_space
from segment.core.yaml_text import parse_yaml, read_yaml

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
NONE = {
    "a date": "2001-99-99",
    "a time": "2001-01-01T25:61:00",
    "a zone": "2001-01-01T00:00:00+99:00",
    "no digits": "0x_",
    "no binary digits": "0b_",
    "an integer": "!!int foo",
    "an empty integer": "!!int ''",
    "a float": "!!float nothing",
    "a truth": "!!bool perhaps",
    "a timestamp": "!!timestamp soon",
    "5,000 digits": "9" * 5000,
    "5,000 hexadecimal digits": "0x" + "f" * 5000,
    "more than 64 bits": str(2**63),
    "an octal number": "010",
    "a number in base 60": "12:30",
    "deep lists": "[" * 2000,
    "deep lists that end": "[" * 500 + "]" * 500,
    "deep mappings": "{a: " * 2000,
    "deep blocks": "- " * 2000 + "x",
    "bytes": "!!binary aGVsbG8=",
    "a set": "!!set {a, b}",
    "pairs": "!!pairs [a: 1]",
    "an object": "!!python/object/apply:os.getcwd []",
    "a tag": "!unknown x",
    "half a character": '"\\ud800"',
    "a NUL": '"a\\0b"',
    "a NUL as it is": "a\0b",
    "an escape": "\x1b[31mred",
    "a key twice": "{a: 1, b: 2, a: 3}",
    "a key twice in other words": "{yes: 1, true: 2}",
    "a merge twice": "[&x {a: 1}, {<<: *x, <<: *x}]",
    "a list as a key": "{? [a, b] : c}",
    "a merge of a number": "{<<: 3}",
    "within itself": "&x [*x]",
    "within itself, as a mapping": "&x {a: {b: *x}}",
    "an alias of nothing": "*nowhere",
    "two documents": "--- 1\n--- 2",
    "aliases": "{" + LAUGHS.replace("\n", ", ") + "}",
    "an alias of a long text": "[&x '" + "x" * 100_000 + "'" + ", *x" * 1000 + "]",
}


@pytest.mark.heavy
@pytest.mark.parametrize("text", NONE.values(), ids=NONE.keys())
def test_yaml_that_is_none_is_refused_wherever_it_is_read(tmp_path, capsys, text):
    with pytest.raises(yaml.YAMLError) as error:
        parse_yaml(text)
    assert len(str(error.value)) < 250 and "\n" not in str(error.value)
    for kind in (Config, ClassifyConfig):
        with pytest.raises(InputError, match=r"training.epochs"):
            load_settings(kind, overrides=[f"training.epochs={text}"])
    file = tmp_path / "file.yaml"
    for prefix, read in (
        ("training:\n  epochs: ", lambda: load_settings(Config, file)),
        ("- name: ", lambda: load_class_table(file)),
        ("training.epochs: ", lambda: load_space(file)),
    ):
        file.write_text(prefix + text.replace("\n", "\n    "), encoding="utf-8")
        with pytest.raises(InputError, match=r"file.yaml") as refused:
            read()
        assert len(str(refused.value)) <= 500
    (tmp_path / MODEL_FILE).touch()
    (tmp_path / INFO_FILE).write_text(f"task: segment\nname: {text}\n", encoding="utf-8")
    with pytest.raises(InputError, match=INFO_FILE):
        load_model_info(tmp_path)
    if "\0" not in text:
        arguments = ["tiles", "--output", str(tmp_path / "run"), "--set", f"training.epochs={text}"]
        assert run(cli.train.__wrapped__, arguments) == 2
        said = capsys.readouterr().err
        assert (
            said.count("\n") == 1
            and said.isprintable() is False
            and said.strip().isprintable()
            and len(said) < 600
        )


@pytest.mark.parametrize(
    "text, value",
    [
        (
            "{base: &b {x: 1, y: 2}, other: {<<: *b, y: 3}}",
            {"base": {"x": 1, "y": 2}, "other": {"x": 1, "y": 3}},
        ),
        ("[&x {a: 1}, &y {b: 2}, {<<: [*x, *y], a: 3}]", [{"a": 1}, {"b": 2}, {"a": 3, "b": 2}]),
        ("[&x [1, 2], *x]", [[1, 2], [1, 2]]),
        ("\ufeffa: 1", {"a": 1}),
        ("{1: a, '1': b}", {1: "a", "1": "b"}),
        ("0x1F", 31),
        ("", None),
        ("[.inf, 1.0e-3]", [float("inf"), 1e-3]),
    ],
)
def test_yaml_that_is_whole_is_read_as_before(text, value):
    assert parse_yaml(text) == value == yaml.safe_load(text)


def test_files_are_read_as_far_as_a_document_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(yaml_text, "MOST_CHARACTERS", 1000)
    file = tmp_path / "long.yaml"
    for content in (
        b"a" * 1001,
        b"# " + b"x" * 10_000,
        "é".encode() * 3000,
        b"\xff\xfe",
        b"\x80" * 5000,
    ):
        file.write_bytes(content)
        with pytest.raises(yaml.YAMLError):
            read_yaml(file)
    file.write_bytes(b"a" * 999)
    assert read_yaml(file) == "a" * 999


def test_messages_are_one_line_of_bounded_length_and_printable():
    assert one_line("a  b\n c\t") == "a b c" and quoted("x") == "'x'"
    for text in (
        "x" * 501,
        "x" * 10**7,
        "é" * 5000,
        "\x1b[2J" * 300,
        "\ud800" * 400,
        " \n" * 10**6 + "x",
    ):
        line = str(InputError(text))
        assert len(line) <= 500 and line.isprintable() and str(InputError(line)) == line
    message = str(InputError(f"FILE: the rule. Received {'y' * 10**6}. The cure."))
    assert (
        message.startswith("FILE: the rule. Received yyy")
        and message.endswith("yyy. The cure.")
        and "characters" in message
    )
    assert (
        str(InputError("\x1b[31mred\x07 \u202eleft \udcff")) == r"\x1b[31mred\x07 \u202eleft \xff"
    )
    assert len(quoted(["z" * 50] * 1000)) <= 200

"""All settings and options: finite and bounded, whatever they are called."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

import classify
import segment
from classify import cli as classify_cli
from classify import generator_cli
from classify.config import Config as ClassifyConfig
from classify.generator.config import GeneratorConfig
from segment import cli as segment_cli
from segment.config import Config
from segment.core.cli.command import run
from segment.core.config import Settings, load_settings
from segment.core.errors import InputError
from segment.core.tuning.search_space import load_space

# options that take any number that a pixel may hold, or say their bounds themselves
UNBOUNDED = {"nodata", "steps"}


def all_settings(kind: type[Settings] = Settings) -> Iterator[type[Settings]]:
    for below in kind.__subclasses__():
        yield below
        yield from all_settings(below)


def numbers(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict) and not {"ge", "le"} <= schema.keys():  # bounds of a whole union
        if schema.get("type") in ("integer", "number") and not schema.keys() & {"enum", "const"}:
            yield where, schema
        for key, value in schema.items():
            if key not in ("default", "const", "enum", "examples"):
                yield from numbers(value, f"{where}.{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from numbers(value, where)


@pytest.mark.heavy
def test_every_number_of_every_setting_has_a_lower_and_an_upper_bound():
    for package in (segment, classify):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.ispkg and not re.search(
                r"\.(app|town|cluster|distributed_devices)(\.|$)", module.name
            ):
                importlib.import_module(module.name)
    kinds = set(all_settings())
    assert len(kinds) > 20
    for kind in kinds:
        for where, schema in numbers(kind.model_json_schema()):
            for ends in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
                assert any(end in schema for end in ends), f"{kind.__name__}{where}"


def commands() -> Iterator[tuple[str, Any]]:
    for module in (segment_cli, classify_cli, generator_cli):
        for name, function in vars(module).items():
            work = getattr(function, "__wrapped__", function if module is generator_cli else None)
            if (
                callable(work)
                and getattr(work, "__module__", "").startswith(module.__name__)
                and not isinstance(work, type)
            ):
                yield f"{module.__name__}.{name}", work


def test_every_number_of_every_command_has_a_lower_and_an_upper_bound():
    checked = 0
    for name, work in commands():
        if name.endswith(".generate"):
            continue
        for option, hint in get_type_hints(work, include_extras=True).items():
            kind, *found = get_args(hint) if get_origin(hint) is Annotated else (hint,)
            if not {int, float} & {kind, *get_args(kind)} or option in UNBOUNDED:
                continue
            checked += 1
            assert found and found[0].min is not None and found[0].max is not None, (
                f"{name} {option}"
            )
    assert checked > 20


@pytest.mark.parametrize(
    "kind, override",
    [
        (Config, "training.weight_decay=.inf"),
        (Config, "training.weight_decay=.nan"),
        (Config, "training.workers=100000"),
        (Config, "training.epochs=1000000000000"),
        (Config, "training.clip_norm=1.0e+999"),
        (Config, "training.warmup_epochs=-.inf"),
        (Config, "training.batch_size=1000000000"),
        (Config, "data.tile=1000000000"),
        (Config, "data.cache_mb=10000000000000"),
        (Config, "loss.gamma=.nan"),
        (Config, "loss.focal_weight=.inf"),
        (Config, "loss.class_weights={land: .nan}"),
        (Config, "loss.class_weights={land: .inf}"),
        (Config, "augment.scale=.nan"),
        (ClassifyConfig, "augment.mixup=.inf"),
        (ClassifyConfig, "augment.rotation=.nan"),
        (ClassifyConfig, "loss.class_weights={land: 1.0e+300}"),
        (ClassifyConfig, "training.fine_tuning_rate=.inf"),
        (ClassifyConfig, "model.dense_units=100000000000"),
        (ClassifyConfig, "data.bands=[-1]"),
        (GeneratorConfig, "model.filters=1000000"),
        (GeneratorConfig, "loss.kl_weight=.inf"),
        (Config, "training.epochs=true"),
        (Config, "training.learning_rate=on"),
        (Config, "loss.class_weights={land: yes}"),
        (ClassifyConfig, "data.bands=[true]"),
    ],
)
def test_absurd_values_are_refused_by_name(kind, override):
    with pytest.raises(InputError) as error:
        load_settings(kind, overrides=[override])
    assert override.partition("=")[0] in str(error.value) and len(str(error.value)) <= 500


@pytest.mark.parametrize(
    "values",
    [
        "{low: 0, high: .inf}",
        "{low: .nan, high: 1}",
        "{choices: [1, .nan]}",
        "{low: 0, high: 1.0e+99}",
    ],
)
def test_search_spaces_are_finite(tmp_path, values):
    (tmp_path / "space.yaml").write_text(f"training.learning_rate: {values}\n")
    with pytest.raises(InputError, match="training.learning_rate"):
        load_space(tmp_path / "space.yaml")


@pytest.mark.parametrize(
    "work, arguments",
    [
        (segment_cli.predict, ["scene.tif", "--overlap", "nan"]),
        (segment_cli.predict, ["scene.tif", "--min-area", "inf"]),
        (segment_cli.predict, ["scene.tif", "--tile", "1000000000"]),
        (segment_cli.tile, ["scene.tif", "--mask", "m.tif", "--output", "out", "--overlap", "NaN"]),
        (segment_cli.tune, ["tiles", "--output", "out", "--hours", "nan"]),
        (segment_cli.tune, ["tiles", "--output", "out", "--memory", "-inf"]),
        (segment_cli.sample, ["out", "--seed", "-1"]),
        (segment_cli.sample, ["out", "--size", "9" * 5000]),
        (classify_cli.predict, ["image.png", "--top", "0"]),
        (classify_cli.predict, ["image.png", "--grid", "1000000000"]),
        (classify_cli.tune, ["data", "--output", "out", "--seed", "99999999999"]),
    ],
)
def test_absurd_options_are_refused_in_one_line(tmp_path, monkeypatch, capsys, work, arguments):
    monkeypatch.chdir(tmp_path)
    assert run(work.__wrapped__, arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and len(said) < 600 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kind, override, message",
    [
        (
            ClassifyConfig,
            "data.collections=[{path: a, clases: {}}]",
            "Unknown setting 'data.collections.0.clases'. Did you mean 'classes'?",
        ),
        (
            Config,
            "data.collections=[{path: a, labels: {path: b, x: 1}}]",
            "Unknown setting 'data.collections.0.labels.0.x'. Known there: path, field, layer,",
        ),
        (
            ClassifyConfig,
            "data.collections=[{path: a, classes: {river lake: 3.5}}]",
            "data.collections.0.classes.river lake: Input should be a valid string. Received 3.5."
            " Change it there or with --set data.collections=...",
        ),
    ],
)
def test_faults_inside_of_lists_name_the_key_and_a_cure_that_works(kind, override, message):
    with pytest.raises(InputError) as error:
        load_settings(kind, None, [override])
    assert str(error.value).startswith(message)

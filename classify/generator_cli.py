"""The classify-generate commands: parse options, call one library function, print the result."""

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from classify.bundled import BUNDLED
from segment.core.choices import BANDWIDTH
from segment.core.cli.command import entry_group
from segment.core.cli.option_groups import spread_options
from segment.core.cli.options import (
    ConsoleOptions,
    Overwrite,
    RunOptions,
    RuntimeOption,
    SettingsOptions,
    schema_option,
)
from segment.core.cli.run import training
from segment.core.model.backend import load_keras

Images = Annotated[
    list[Path], Argument(metavar="DATA", help="Folders of class folders; several are joined.")
]
Generator = Annotated[
    Path, Argument(metavar="RUN", help="Run folder that classify-generate train wrote.")
]
Bandwidth = Annotated[
    float,
    Option(min=0, max=1, help="0 repeats training images; 1 draws from a Gaussian per class."),
]
Seed = Annotated[
    int, Option(min=0, max=2**32 - 1, help="Of the draws: the same seed, the same pictures.")
]
_SCHEMA = schema_option("classify.generator.config", "GeneratorConfig")


@spread_options
def train(
    data: Images,
    output: Annotated[Path, Option(help="Run folder to write.")],
    schema: Annotated[bool, _SCHEMA] = False,
    *,
    options: RunOptions,
    console: ConsoleOptions,
) -> None:
    """Trains a generator on images in class folders."""
    from classify.generator.config import GeneratorConfig

    with training(GeneratorConfig, output, options, console) as run:
        from classify.generator.training import train_generator

        run(train_generator, data)


@spread_options
def sample(
    run: Generator,
    count: Annotated[int, Option(min=1, max=10**7, help="Pictures to draw.")],
    name: Annotated[
        str | None,
        Option("--class", metavar="NAME", help="Of this class; each in turn by default."),
    ] = None,
    output: Annotated[
        Path, Option(help="Folder for class folders of pictures, and grid.png.")
    ] = Path("samples"),
    bandwidth: Bandwidth = BANDWIDTH,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Generates new pictures."""
    load_keras()
    from classify.generator.sampling import write_samples

    drawn = partial(write_samples, run, output, count, name=name, bandwidth=bandwidth, seed=seed)
    console.show(partial(drawn, overwrite=overwrite))


@spread_options
def fill(
    run: Generator,
    data: Images,
    output: Annotated[
        Path, Option(help="Folder of pictures to write, for classify-train to join with DATA.")
    ],
    seed: Seed = 0,
    overwrite: Overwrite = False,
    *,
    settings: SettingsOptions,
    console: ConsoleOptions,
) -> None:
    """Draws pictures for classes with fewer training images than the largest.

    Settings are those of classify-train.
    """
    from classify.config import Config

    wanted = settings.load(Config)
    load_keras()
    from classify.generator.filling import fill_classes

    console.show(partial(fill_classes, run, data, output, wanted, seed=seed, overwrite=overwrite))
    with console.progress() as progress:
        progress.say(
            "train on them, with the same settings: classify-train"
            f" {shlex.join(map(str, [*data, output]))}"
        )


@spread_options
def interpolate(
    run: Generator,
    first: Annotated[Path, Argument(help="An image to start from.")],
    second: Annotated[Path, Argument(help="An image to arrive at.")],
    output: Annotated[Path, Option(help="Picture to write.")] = Path("interpolation.png"),
    steps: Annotated[int, Option(min=1, help="From one image to the other, at most 250.")] = 8,
    bands: Annotated[
        str | None,
        Option(metavar="R,G,B", help="Bands to read of images that have others, e.g. 4,3,2."),
    ] = None,
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Interpolates between two images and writes the steps as a strip of pictures."""
    load_keras()
    from classify.generator.sampling import interpolate as write_strip
    from segment.core.inputs.named_scenes import parse_bands

    wanted = parse_bands(bands)
    write_strip(run, first, second, output, steps=steps, bands=wanted, overwrite=overwrite)
    with console.progress() as progress:
        progress.say(f"{output}: {first.name}, {steps + 1} reconstructions, {second.name}")


@spread_options
def judge(
    run: Generator,
    model: Annotated[
        Path, Option(help="A classifier of the same classes, a model folder.")
    ] = BUNDLED,
    output: Annotated[Path | None, Option(help="Folder for report.json and report.html.")] = None,
    data: Annotated[
        list[Path] | None,
        Option(metavar="DATA", help="Images of the training, if not where they were; repeatable."),
    ] = None,
    count: Annotated[
        int | None,
        Option(
            min=1,
            max=10**7,
            help="Pictures to draw, as many as validation and test hold by default; a Frechet"
            " distance needs 50.",
        ),
    ] = None,
    bandwidth: Bandwidth = BANDWIDTH,
    seed: Seed = 0,
    runtime: RuntimeOption = "auto",
    overwrite: Overwrite = False,
    *,
    console: ConsoleOptions,
) -> None:
    """Evaluates generated pictures with a classifier and compares them with real images."""
    load_keras()
    from classify.generator.evaluation import Draws
    from classify.generator.evaluation import judge as judge_pictures

    draws = Draws(count=count, bandwidth=bandwidth, seed=seed)
    evaluated = partial(judge_pictures, run, model, output, data=data, draws=draws, runtime=runtime)
    console.show(partial(evaluated, overwrite=overwrite))


generate = entry_group("classify-generate", [train, sample, fill, interpolate, judge])

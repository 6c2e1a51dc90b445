"""Runs benchmarks.

Usage: python -m tests.benchmarks [NAME...] [--model RUN --tiles FOLDER] [--scene FILE]
[--classifier RUN] [--ground FOLDER] [--images FOLDER] [--size PIXELS] [--blocks N...]
[--collections FOLDER] [--set KEY=VALUE] [--sampler NAME] [--seed N]
[--rounds N] [--steps N] [--contestants NAME...] [--json FILE]
"""

import argparse
import shlex
import sys
from datetime import date
from pathlib import Path
from typing import get_args

from classify.bundled import BUNDLED as BUNDLED_CLASSIFIER
from segment.core.choices import Sampler
from segment.core.model.backend import load_keras
from tests.benchmarks.clients import geodeep
from tests.benchmarks.cluster import COUNTS, SIZE, assembly, cluster, many_blocks
from tests.benchmarks.explore import explore
from tests.benchmarks.few_images import few_images
from tests.benchmarks.few_tiles import few_tiles
from tests.benchmarks.figures import keep
from tests.benchmarks.labels import labels
from tests.benchmarks.leave_one_out import leave_one_out
from tests.benchmarks.material import mapping_model
from tests.benchmarks.measure import MEASURED, machine
from tests.benchmarks.memory import memory
from tests.benchmarks.one_scene import one_scene
from tests.benchmarks.onnx_models import onnx
from tests.benchmarks.peers import peers
from tests.benchmarks.samplers import samplers
from tests.benchmarks.scene_labels import ROWS, scene_labels
from tests.benchmarks.seams import killed, seams
from tests.benchmarks.settings import settings
from tests.benchmarks.speed import area, naive, quantised, start, throughput
from tests.benchmarks.tiles import tiles
from tests.benchmarks.train_step import train_step
from tests.benchmarks.unsure import unsure

# from the fastest to the slowest; peers needs its own environment: make bench-peers
ALL = {f.__name__: f for f in (start, quantised, killed, seams, geodeep, throughput, naive, memory)}
MORE = {f.__name__: f for f in (area, tiles, settings, explore, peers, onnx, assembly, cluster)}
BY_THEMSELVES = (
    "labels",
    "few_tiles",
    "few_images",
    "many_blocks",
    "leave_one_out",
    "samplers",
    "one_scene",
    "train_step",
    "unsure",
    "scene_labels",
)


def main() -> None:
    """Runs the benchmarks that are named on the command line, and keeps their figures."""
    given = parse()
    try:
        run(given)
    finally:
        if given.json:
            command = shlex.join(["python", "-m", "tests.benchmarks", *sys.argv[1:]])
            source = {"command": command, "date": f"{date.today()}", "machine": machine()}
            keep([figure | source for figure in MEASURED], given.json)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ", ".join([*ALL, "labels", *MORE, *BY_THEMSELVES[1:]])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {known}; by default the first {len(ALL) + 1}"
    )
    parser.add_argument("--model", type=Path, help="a run folder instead of the bundled model")
    parser.add_argument(
        "--classifier",
        type=Path,
        default=BUNDLED_CLASSIFIER,
        help="a classifier exported with --int8 instead of the bundled one",
    )
    parser.add_argument("--tiles", type=Path, help="a tile folder to quantise it on")
    parser.add_argument(
        "--scene", type=Path, help="a scene instead of a sample town, for seams, settings and tiles"
    )
    parser.add_argument(
        "--ground",
        type=Path,
        help="a tile of the Dubai data that the bundled model never saw, for few_tiles",
    )
    parser.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="class folders of 120 images or more each, for few_images; known images for unsure",
    )
    parser.add_argument("--photographs", type=Path, help="photographs from the ground, for unsure")
    parser.add_argument("--data", type=Path, help="folder of the data of scene_labels")
    parser.add_argument("--weights", type=Path, help="folder of weights files, for scene_labels")
    parser.add_argument(
        "--rows", nargs="+", choices=list(ROWS), default=[], help="trainings of scene_labels"
    )
    parser.add_argument("--each", type=int, default=100, help="images of each kind, for unsure")
    parser.add_argument(
        "--size", type=int, default=SIZE, help="edge of the scene of cluster, pixels"
    )
    parser.add_argument(
        "--blocks",
        type=int,
        nargs="+",
        default=COUNTS,
        help="how many blocks many_blocks gives out",
    )
    parser.add_argument(
        "--collections", type=Path, help="folder that holds the collections of leave_one_out"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the trainings of leave_one_out and scene_labels",
    )
    parser.add_argument(
        "--sampler", choices=get_args(Sampler), default="gp", help="what few_images tunes with"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the images and of the sampler of few_images"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of train_step")
    parser.add_argument("--steps", type=int, default=8, help="steps of a turn of train_step")
    parser.add_argument(
        "--contestants", nargs="+", default=[], help='some of train_step, e.g. "tensorflow mixed"'
    )
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="keep the figures in a file of docs/results/figures, of which the tables of the pages"
        " are made: python -m tests.benchmarks.figures",
    )
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in known.split(", ")]:
        parser.error(f"there is no {', '.join(unknown)}; there are {known}")
    if (given.model is None) != (given.tiles is None):
        parser.error("--model takes --tiles to quantise on, and --tiles a --model")
    if {"few_images", "unsure"} & {*given.names} and not given.images:
        parser.error("few_images and unsure take --images")
    if "scene_labels" in given.names and given.data is None:
        parser.error("scene_labels takes --data")
    if "leave_one_out" in given.names and given.collections is None:
        parser.error("leave_one_out takes --collections")
    return given


def run(given: argparse.Namespace) -> None:
    """Runs the benchmarks."""
    print(f"# {machine()}", flush=True)
    load_keras()
    names = given.names or [*ALL, "labels"]
    if "many_blocks" in names:
        many_blocks(given.blocks)
    if "labels" in names:
        labels(given.classifier)
    if "few_tiles" in names:
        few_tiles(given.ground)
    if "few_images" in names:
        few_images(given.images[0], given.seed, given.sampler)
    if "scene_labels" in names:
        scene_labels(given.data, given.weights, given.rows, given.set, given.seed)
    if "unsure" in names:
        unsure(given.images, given.classifier, given.each, given.photographs)
    if "samplers" in names:
        samplers()
    if "one_scene" in names:
        one_scene()
    if "train_step" in names:
        train_step(given.rounds, given.steps, given.contestants)
    if "leave_one_out" in names:
        leave_one_out(given.collections, given.set)
    mapping = [name for name in names if name not in BY_THEMSELVES]
    model = mapping_model(given.model, given.tiles) if mapping else Path()
    for name in mapping:
        function = (ALL | MORE)[name]
        if function is cluster:
            cluster(model, given.size)
            continue
        (
            function(model, given.scene)
            if given.scene and function in (seams, settings, tiles)
            else function(model)
        )


if __name__ == "__main__":
    main()

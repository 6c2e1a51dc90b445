"""Runs benchmarks.

Usage: python -m tests.benchmarks [NAME...] [--model RUN --tiles FOLDER] [--scene FILE]
[--classifier RUN] [--ground FOLDER] [--images FOLDER] [--size PIXELS] [--blocks N...]
[--collections FOLDER] [--set KEY=VALUE] [--sampler NAME] [--seed N]
"""

import argparse
from pathlib import Path
from typing import get_args

from classify.bundled import BUNDLED as BUNDLED_CLASSIFIER
from segment.core.choices import Sampler
from segment.core.model.backend import load_keras
from tests.benchmarks.clients import geodeep
from tests.benchmarks.cluster import COUNTS, SIZE, assembly, cluster, many_blocks
from tests.benchmarks.few_images import few_images
from tests.benchmarks.few_tiles import few_tiles
from tests.benchmarks.labels import labels
from tests.benchmarks.leave_one_out import leave_one_out
from tests.benchmarks.material import mapping_model
from tests.benchmarks.measure import machine
from tests.benchmarks.memory import memory
from tests.benchmarks.one_scene import one_scene
from tests.benchmarks.peers import peers
from tests.benchmarks.samplers import samplers
from tests.benchmarks.seams import killed, seams
from tests.benchmarks.settings import settings
from tests.benchmarks.speed import naive, quantised, start, throughput
from tests.benchmarks.tiles import tiles

# from the fastest to the slowest; peers needs its own environment: make bench-peers
ALL = {f.__name__: f for f in (start, quantised, killed, seams, geodeep, throughput, naive, memory)}
MORE = {f.__name__: f for f in (tiles, settings, peers, assembly, cluster)}
BY_THEMSELVES = (
    "labels",
    "few_tiles",
    "few_images",
    "many_blocks",
    "leave_one_out",
    "samplers",
    "one_scene",
)


def main() -> None:
    """Runs the benchmarks that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ", ".join([*ALL, "labels", *MORE, *BY_THEMSELVES[1:]])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {known}; all but the last eleven by default"
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
        "--images", type=Path, help="class folders of 120 images or more each, for few_images"
    )
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
        help="a setting of leave_one_out's trainings",
    )
    parser.add_argument(
        "--sampler", choices=get_args(Sampler), default="gp", help="what few_images tunes with"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the images and of the sampler of few_images"
    )
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in known.split(", ")]:
        parser.error(f"there is no {', '.join(unknown)}; there are {known}")
    if (given.model is None) != (given.tiles is None):
        parser.error("--model takes --tiles to quantise on, and --tiles a --model")
    if "few_images" in given.names and given.images is None:
        parser.error("few_images takes --images")
    if "leave_one_out" in given.names and given.collections is None:
        parser.error("leave_one_out takes --collections")
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
        few_images(given.images, given.seed, given.sampler)
    if "samplers" in names:
        samplers()
    if "one_scene" in names:
        one_scene()
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

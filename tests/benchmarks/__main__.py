"""python -m tests.benchmarks [NAME...] [--model RUN --tiles FOLDER] [--scene FILE]"""

import argparse
from pathlib import Path

from segment.core.command import load_keras
from tests.benchmarks.clients import geodeep
from tests.benchmarks.material import trained
from tests.benchmarks.measure import machine
from tests.benchmarks.memory import memory
from tests.benchmarks.peers import peers
from tests.benchmarks.seams import killed, seams
from tests.benchmarks.speed import naive, quantised, start, throughput
from tests.benchmarks.tiles import tiles

# from the quickest to the slowest; peers needs an environment of its own: make bench-peers
ALL = {f.__name__: f for f in (start, quantised, killed, seams, geodeep, throughput, naive, memory)}
MORE = {f.__name__: f for f in (tiles, peers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL | MORE)}; all but the last two by default")
    parser.add_argument("--model", type=Path, help="a run folder instead of the model of make demo")
    parser.add_argument("--tiles", type=Path, help="a tile folder to quantise it on")
    parser.add_argument("--scene", type=Path, help="a scene instead of a sample town, for seams and tiles")
    given = parser.parse_args()
    print(f"# {machine()}", flush=True)
    load_keras()
    model = trained(given.model, given.tiles)
    for name in given.names or ALL:
        function = (ALL | MORE)[name]
        function(model, given.scene) if given.scene and function in (seams, tiles) else function(model)


if __name__ == "__main__":
    main()

"""python -m tests.benchmarks [NAME...] [--model RUN --tiles FOLDER] [--scene FILE] [--classifier RUN]"""

import argparse
from pathlib import Path

from segment.core.command import load_keras
from tests.benchmarks.clients import geodeep
from tests.benchmarks.labels import labels
from tests.benchmarks.material import trained
from tests.benchmarks.measure import machine
from tests.benchmarks.memory import memory
from tests.benchmarks.peers import peers
from tests.benchmarks.seams import killed, seams
from tests.benchmarks.speed import naive, quantised, start, throughput
from tests.benchmarks.tiles import tiles

# from the quickest to the slowest; peers needs an environment of its own: make bench-peers
ALL = {f.__name__: f for f in (start, quantised, killed, seams, geodeep, throughput, naive, memory)}
OF_LABELS = {f.__name__: f for f in (labels,)}
MORE = {f.__name__: f for f in (tiles, peers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(OF_LABELS | ALL | MORE)}; all but the last two by default"
    )
    parser.add_argument("--model", type=Path, help="a run folder instead of the model of make demo")
    parser.add_argument("--classifier", type=Path, help="a classifier exported with --int8, for labels")
    parser.add_argument("--tiles", type=Path, help="a tile folder to quantise it on")
    parser.add_argument("--scene", type=Path, help="a scene instead of a sample town, for seams and tiles")
    given = parser.parse_args()
    print(f"# {machine()}", flush=True)
    load_keras()
    names = given.names or [*ALL, *OF_LABELS]
    for name in [n for n in names if n in OF_LABELS]:
        OF_LABELS[name](given.classifier)
    mapping = [n for n in names if n not in OF_LABELS]
    model = trained(given.model, given.tiles) if mapping else Path()
    for name in mapping:
        function = (ALL | MORE)[name]
        function(model, given.scene) if given.scene and function in (seams, tiles) else function(model)


if __name__ == "__main__":
    main()

"""Asks a running segment-app: python ask_app.py http://127.0.0.1:7860 SCENE OUTPUT [IMAGE...]"""

import shutil
import sys
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file


def main(address: str, scene: Path, output: Path, images: list[Path]) -> tuple[Any, list[Any]]:
    """Maps a scene and labels images.

    Args:
        address: Address of the app.
        scene: Scene to map.
        output: Folder for the class raster and the polygons of the map.
        images: Images to label.

    Returns:
        The report of the map, and a dictionary with the labels of each image.
    """
    app = Client(address, verbose=False)
    # other parameters: model=, overlap=, augment=, resample=, bands=, gsd=
    report, classes, polygons = app.predict(handle_file(scene), api_name="/map")
    output.mkdir(parents=True, exist_ok=True)
    for file in (classes, polygons):
        shutil.copy(file, output)
    if not images:
        return report, []
    return report, app.predict([handle_file(image) for image in images], api_name="/classify")


if __name__ == "__main__":
    scene, output, *images = map(Path, sys.argv[2:])
    found, answers = main(sys.argv[1], scene, output, images)
    print(found["pixels_by_class"])
    for answer in answers:
        print(answer["image"], answer["problem"] or answer["labels"])

"""Draws docs/sample-map.jpg: scene, reference, map and a legend.

Reads the folder demo, which `make demo` writes.
"""

import json
from pathlib import Path

import cv2
import numpy as np

from segment.core.labels.classes import IGNORED, ClassTable
from segment.core.labels.mask_values import decode_values
from segment.core.labels.masks import read_mask
from segment.core.raster.opening import open_raster
from segment.core.reports.legend import draw_legend
from segment.sample import SAMPLE_CLASSES

PANEL, GAP = 640, 12

class_table = ClassTable(SAMPLE_CLASSES)
colors = class_table.colors()[:, :3]
# cars and sports courts, which the reference leaves out
colors[IGNORED] = class_table.ignored[0].rgb
with open_raster(Path("demo/new-town/scene.tif")) as scene:
    photograph = scene.read()[0]
maps = [
    colors[decode_values(read_mask(Path("demo", mask)), class_table)[0]]
    for mask in ("new-town/truth.tif", "map/scene_classes.tif")
]
shrunk = [cv2.resize(photograph, (PANEL, PANEL), interpolation=cv2.INTER_AREA)]
shrunk += [cv2.resize(picture, (PANEL, PANEL), interpolation=cv2.INTER_NEAREST) for picture in maps]
gap = np.full((PANEL, GAP, 3), 255, np.uint8)
row = np.hstack([shrunk[0], gap, shrunk[1], gap, shrunk[2]])
report = json.loads(Path("demo/map/scene_report.json").read_text())
shares = {
    name: n / sum(report["pixels_by_class"].values())
    for name, n in report["pixels_by_class"].items()
}
picture = np.vstack([row, draw_legend(class_table, shares, row.shape[1])])
cv2.imwrite("docs/sample-map.jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])

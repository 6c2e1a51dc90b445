"""Maps a scene with segmentation-models-pytorch and pytorch-toolbelt, as their documentation shows.

This is a script of its own, run by `peers`.
"""

import sys

import numpy as np
import rasterio
import segmentation_models_pytorch as smp
import torch
from pytorch_toolbelt.inference.tiles import ImageSlicer, TileMerger


def main(scene: str, tile: int, overlap: float) -> None:
    """Maps a scene with tiles of `tile` pixels that share `overlap` of their edge."""
    torch.manual_seed(0)
    model = (
        smp.Unet("resnet34", encoder_weights=None, classes=5)
        .eval()
        .to(memory_format=torch.channels_last)
    )
    with rasterio.open(scene) as file:
        image = file.read().transpose(1, 2, 0)
    slicer = ImageSlicer(
        image.shape, tile_size=tile, tile_step=tile - round(tile * overlap), weight="pyramid"
    )
    merger = TileMerger(slicer.target_shape, 5, slicer.weight, device="cpu")
    crops, size = slicer.crops, max(8 * 256**2 // tile**2, 1)
    patches = slicer.split(image)
    with torch.inference_mode():
        for first in range(0, len(patches), size):
            batch = (
                torch.from_numpy(np.stack(patches[first : first + size]))
                .permute(0, 3, 1, 2)
                .float()
                / 255
            )
            probabilities = model(batch.to(memory_format=torch.channels_last)).softmax(dim=1)
            merger.integrate_batch(probabilities, crops[first : first + size])
    merged = merger.merge().argmax(dim=0).to(torch.uint8).numpy()
    labels = slicer.crop_to_orignal_size(merged)
    with rasterio.open(
        f"{scene}.peer.tif",
        "w",
        driver="GTiff",
        width=labels.shape[1],
        height=labels.shape[0],
        count=1,
        dtype="uint8",
        compress="deflate",
    ) as file:
        file.write(labels, 1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

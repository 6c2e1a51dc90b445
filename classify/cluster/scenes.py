"""label_scenes(): scenes labelled cell by cell by the workers of a Dask cluster, as one machine would label them."""

from collections.abc import Generator, Sequence
from pathlib import Path

from classify.bundled import BUNDLED
from classify.cluster.assemble import CellMosaic
from classify.labelling.inference import label_info
from classify.labelling.result import SceneLabels
from segment.core.choices import Runtime
from segment.core.cluster.scene_job import Done
from segment.core.cluster.scenes import do_scenes
from segment.core.cluster.worker_model import ModelReference
from segment.core.model.folder import load_model_info
from segment.core.progress import Progress, Silent
from segment.core.raster.blocks import EDGE
from segment.core.raster.sources import Source, as_source


def label_scenes(
    scenes: Sequence[Path | str | Source],
    model: Path | str = BUNDLED,
    output: Path | str = Path("."),
    *,
    cluster: str,
    grid: int,
    block: int | None = None,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    augment: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generator[Done[SceneLabels], None, None]:
    """Labels scenes cell by cell on a Dask cluster; yields what became of each, as soon as it is known, and not in their order.

    cluster, block, and what becomes of workers that die and of blocks that fail: as in `segment.predict_scenes`; the rest as in
    `classify.label_scene`, which writes the same rasters, byte for byte. The same call goes on with finished blocks.

    Raises InputError when the cluster, the model or all workers are of no use, and when the scheduler is lost; Interrupted,
    when Ctrl-C stops it.
    """
    folder, told = Path(model), progress or Silent()
    info = load_model_info(folder)
    label_info(info)
    sources = [as_source(scene, bands, nodata) for scene in scenes]

    def plan(source: Source, reference: ModelReference, identity: tuple[str, str]) -> CellMosaic:
        return CellMosaic(
            source, reference, identity, info, Path(output),
            grid=grid, augment=augment, edge=block or EDGE, overwrite=overwrite,
        )  # fmt: skip

    yield from do_scenes(sources, plan, cluster=cluster, folder=folder, package="classify", runtime=runtime, progress=told)

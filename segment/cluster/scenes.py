"""predict_scenes(): scenes mapped by the workers of a Dask cluster, as one machine would map them."""

from collections.abc import Generator, Sequence
from pathlib import Path

from segment.bundled import BUNDLED
from segment.cluster.assemble import Mosaic
from segment.core.choices import Runtime
from segment.core.cluster.scene_job import Done
from segment.core.cluster.scenes import do_scenes
from segment.core.cluster.worker_model import ModelReference
from segment.core.errors import InputError
from segment.core.model.folder import load_model_info
from segment.core.progress import Progress, Silent
from segment.core.raster.blocks import EDGE
from segment.core.raster.sources import Source, as_source
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap


def predict_scenes(
    scenes: Sequence[Path | str | Source],
    model: Path | str = BUNDLED,
    output: Path | str = Path("."),
    *,
    cluster: str,
    block: int | None = None,
    truth: Path | str | None = None,
    options: MapOptions | None = None,
    bands: Sequence[int] | None = None,
    nodata: float | None = None,
    runtime: Runtime = "auto",
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generator[Done[SceneMap], None, None]:
    """Maps scenes on a Dask cluster; yields what became of each, as soon as it is known, and not in their order.

    cluster: the address of Dask's scheduler, or local:N for N worker processes here. scenes, model and output lie where the
    workers find them under the same names. block: edge of the blocks that a worker does at a time, pixels, by default EDGE;
    maps do not depend on it. options: how scenes are mapped. The rest as in `segment.predict_scene`, which writes the same
    maps, byte for byte.

    A worker that dies has its blocks done by others. A block that fails three times is told, and is nodata in the map. A scene
    that cannot be mapped at all does not stop the others.

    Raises InputError when the cluster, the model or all workers are of no use, and when the scheduler is lost; Interrupted,
    when Ctrl-C stops it. The same call goes on with the blocks that were finished.
    """
    folder, told, options = Path(model), progress or Silent(), options or MapOptions()
    info = load_model_info(folder)
    info.require_task("segment")
    sources = [as_source(scene, bands, nodata) for scene in scenes]
    mask = None if truth is None else Source(Path(truth))
    if truth is not None and len(sources) > 1:
        raise InputError(f"--truth belongs to one scene. Received {len(sources)} scenes. Map them one by one.")

    def plan(source: Source, reference: ModelReference, identity: tuple[str, str]) -> Mosaic:
        return Mosaic(
            source, reference, identity, info, Path(output), options,
            truth=mask, edge=block or EDGE, resume=resume, overwrite=overwrite,
        )  # fmt: skip

    yield from do_scenes(sources, plan, cluster=cluster, folder=folder, package="segment", runtime=runtime, progress=told)

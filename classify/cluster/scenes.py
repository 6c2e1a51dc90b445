"""Labelling of scenes by the workers of a Dask cluster, with the labels that one machine gives."""

from collections.abc import Generator, Sequence
from pathlib import Path

from classify.bundled import BUNDLED
from classify.cluster.cell_job import CellAssembly
from classify.labelling.inference import label_info
from classify.labelling.result import SceneLabels
from classify.labelling.scene_inputs import scaled_sources
from segment.core.choices import Runtime
from segment.core.cluster.scene_job import BlockOptions, ClusterModel, Done
from segment.core.cluster.scenes import do_scenes
from segment.core.inputs.named_scenes import as_sources
from segment.core.onnx_models.loading import load_model_info
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress, Silent
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Source


def label_scenes(  # noqa: PLR0913 - public, its parameters are options
    scenes: Sequence[Path | str | Source],
    model: Path | str = BUNDLED,
    output: Path | str = Path("."),
    *,
    cluster: str,
    grid: int,
    block: int | None = None,
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
    scale: ScaleOption = "auto",
    augment: bool = False,
    smooth: bool = False,
    runtime: Runtime = "auto",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generator[Done[SceneLabels], None, None]:
    """Labels scenes cell by cell on a Dask cluster.

    The rasters are those of `classify.label_scene`, byte for byte. Workers that die and blocks that
    fail are treated as in `segment.predict_scenes`. After a stop or an error, the same call
    continues from the finished blocks.

    Args:
        scenes: Scenes. Workers find them, `model` and `output` under the same names.
        model: Model folder.
        output: Folder to write to.
        cluster: Address of Dask's scheduler, or local:N for N worker processes on this machine.
        grid: Edge of a cell in pixels of the scene, as in `classify.label_scene`.
        block: Edge in pixels of the blocks that a worker labels at a time, by default EDGE.
        bands: As in `classify.label_scene`.
        nodata: As in `classify.label_scene`.
        scale: As in `classify.label_scene`, for all scenes together: one scale for all scenes of
            a data type.
        augment: As in `classify.label_scene`.
        smooth: As in `classify.label_scene`.
        runtime: What computes, the same on all workers.
        overwrite: Whether existing outputs are replaced.
        progress: Where progress is reported.

    Yields:
        The outcome of each scene as soon as it is known, not in the order of `scenes`.

    Raises:
        InputError: If the cluster, the model or all workers cannot be used, or if the connection to
            the scheduler is lost.
        Interrupted: If Ctrl-C stops it.
    """
    folder = Path(model)
    info = load_model_info(folder)
    label_info(info)
    sources = scaled_sources(as_sources(scenes, bands, nodata), info, scale, progress)
    blocks = BlockOptions(output=Path(output), edge=block, overwrite=overwrite)

    def plan(source: Source, model: ClusterModel) -> CellAssembly:
        return CellAssembly(source, model, grid, augment, smooth, blocks)

    yield from do_scenes(
        sources,
        plan,
        cluster=cluster,
        folder=folder,
        package="classify",
        runtime=runtime,
        progress=progress or Silent(),
    )

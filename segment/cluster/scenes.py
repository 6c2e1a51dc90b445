"""Mapping of scenes by the workers of a Dask cluster, with the maps that one machine makes."""

from collections.abc import Generator, Sequence
from pathlib import Path

from segment.annotations.label_source import LabelSource, as_label_source, require_one_scene
from segment.bundled import BUNDLED
from segment.cluster.assemble import MapAssembly
from segment.core.choices import Runtime
from segment.core.cluster.scene_job import BlockOptions, ClusterModel, Done
from segment.core.cluster.scenes import do_scenes
from segment.core.inputs.named_scenes import as_sources
from segment.core.inputs.scene_scales import SceneScales
from segment.core.labels.map_colors import recolor
from segment.core.onnx_models.loading import load_model_info
from segment.core.pixels.scale_choice import ScaleOption
from segment.core.progress import Progress, Silent
from segment.core.raster.nodata import Nodata
from segment.core.raster.sources import Source
from segment.mapping.options import MapOptions
from segment.mapping.result import SceneMap


def predict_scenes(  # noqa: PLR0913 - public, its parameters are options
    scenes: Sequence[Path | str | Source],
    model: Path | str = BUNDLED,
    output: Path | str = Path("."),
    *,
    cluster: str,
    block: int | None = None,
    truth: Path | str | LabelSource | None = None,
    options: MapOptions | None = None,
    bands: Sequence[int] | None = None,
    nodata: Nodata | None = None,
    scale: ScaleOption = "auto",
    runtime: Runtime = "auto",
    resume: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Generator[Done[SceneMap], None, None]:
    """Maps scenes on a Dask cluster.

    The maps are those of `segment.predict_scene`, byte for byte. The blocks of a worker that dies
    are computed by others. A block that fails three times is reported, and is nodata in the map. A
    scene that cannot be mapped at all does not stop the others. After a stop or an error, the same
    call continues from the finished blocks.

    Args:
        scenes: Scenes. Workers find them, `model` and `output` under the same names.
        model: Model folder or ONNX file.
        output: Folder to write to.
        cluster: Address of Dask's scheduler, or local:N for N worker processes on this machine.
        block: Edge in pixels of the blocks that a worker computes at a time, by default EDGE. Maps
            do not depend on it.
        truth: Reference of the only scene, as in `segment.predict_scene`.
        options: How scenes are mapped.
        bands: As in `segment.predict_scene`.
        nodata: As in `segment.predict_scene`.
        scale: As in `segment.predict_scene`, for all scenes together: one scale for all scenes of
            a data type.
        runtime: What computes, the same on all workers.
        resume: As in `segment.predict_scene`.
        overwrite: Whether existing outputs are replaced.
        progress: Where progress is reported.

    Yields:
        The outcome of each scene as soon as it is known, not in the order of `scenes`.

    Raises:
        InputError: If the cluster, the model or all workers cannot be used, if the connection to
            the scheduler is lost, or if `truth` is given for several scenes.
        Interrupted: If Ctrl-C stops it.
    """
    folder, options = Path(model), options or MapOptions()
    info = load_model_info(folder)
    info.require_task("segment")
    scales = SceneScales.of(scale, info.pixels)
    recolor(info.class_table, options.colors)  # an error is that of all scenes
    sources = as_sources(scenes, bands, nodata)
    mask = as_label_source(truth)
    require_one_scene(truth, len(sources))
    sources = scales.scaled(sources, progress)
    blocks = BlockOptions(output=Path(output), edge=block, resume=resume, overwrite=overwrite)

    def plan(source: Source, model: ClusterModel) -> MapAssembly:
        return MapAssembly(source, model, options, blocks, mask)

    yield from do_scenes(
        sources,
        plan,
        cluster=cluster,
        folder=folder,
        package="segment",
        runtime=runtime,
        progress=progress or Silent(),
    )

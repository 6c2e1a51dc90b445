"""Export of ONNX models to int8, scored on labelled data before and after."""

from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import yaml

from segment.core.disk import writable
from segment.core.errors import InputError
from segment.core.model.export import Export, Sample, scored_in_int8
from segment.core.model.info import OpenVinoInfo
from segment.core.model.openvino_model import CompiledModel
from segment.core.model.openvino_network import quantise, save_openvino
from segment.core.model.weight_files import checksum
from segment.core.onnx_models.files import (
    EXPORT_FILE,
    NETWORK_FILES,
    OnnxExport,
    export_folder,
    read_network,
)
from segment.core.onnx_models.opened import open_onnx
from segment.core.outputs import refuse_existing, staged
from segment.core.progress import Progress


def export_int8(
    file: Path, draw: Callable[[], Sample], progress: Progress, overwrite: bool = False
) -> Export:
    """Writes FILE_openvino, an ONNX model in int8, which is used wherever FILE.onnx is given.

    Args:
        file: The ONNX file.
        draw: Returns the sample to quantise on.
        progress: Shows the steps, and prints warnings.
        overwrite: Whether an earlier export may be replaced.

    Returns:
        The export, with the scores of the sample.

    Raises:
        InputError: If there is an export already, if a package that is needed is not installed, or
            as `open_onnx` and `draw` do.
    """
    folder, names = export_folder(file), (*NETWORK_FILES, EXPORT_FILE)
    refuse_existing(folder, overwrite, names)
    if find_spec("nncf") is None:
        raise InputError("nncf is not installed. Run: pip install 'aerial-segment[quantize]'")
    opened = open_onnx(file)
    info, sample = opened.info, draw()
    exact = CompiledModel(info, file, ("", "openvino onnx"), opened.network, exact=True)
    made = OpenVinoInfo(precision="int8", versions={"openvino": version("openvino")})
    with staged(folder, overwrite, names) as partial, writable(folder):
        partial.mkdir()
        quantised = quantise(opened.network.clone(), sample.calibration, progress)
        save_openvino(quantised, partial / NETWORK_FILES[0])
        network = read_network(partial / NETWORK_FILES[0], info)
        int8 = CompiledModel(info, file, ("", "openvino int8"), network, exact=True)
        forms = {"onnx": exact.predict, "int8": int8.predict}
        export = OnnxExport(
            openvino=scored_in_int8(sample, forms, made, progress),
            made_of=info.checksums,
            checksums={name: checksum(partial / name) for name in NETWORK_FILES},
        )
        text = yaml.safe_dump(export.model_dump(mode="json"), sort_keys=False)
        (partial / EXPORT_FILE).write_text(text)
    return Export(folder, export.openvino, sample.score_names)

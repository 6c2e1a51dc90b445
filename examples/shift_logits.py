"""Makes a model answer classes less readily: python shift_logits.py RUN COPY building=-0.5 ...

Logits of the last layer are shifted. To score the copy:
segment-train --output COPY --config COPY/config.yaml --resume
"""

import shutil
import sys
from pathlib import Path

from segment.core.model.backend import load_keras
from segment.core.model.folder import load_keras_model, load_model_info, save_model_folder
from segment.core.networks.layers import weighted_layers


def main(run: Path, copy: Path, *shifts: str) -> None:
    load_keras()
    network, info = load_keras_model(run), load_model_info(run)
    last = weighted_layers(network)[-1]
    kernel, bias = last.get_weights()
    for name, shift in (text.split("=") for text in shifts):
        bias[info.class_table.names.index(name)] += float(shift)
    last.set_weights([kernel, bias])
    shutil.copytree(run, copy)
    save_model_folder(copy, network, info)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])

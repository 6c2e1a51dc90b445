"""What users choose among, apart from what does it: commands list the choices without loading that."""

from typing import Literal

Runtime = Literal["auto", "keras", "openvino"]
"""What computes. auto: Keras where there is a GPU for it, otherwise OpenVINO if the model folder has that, else Keras."""

ExportFormat = Literal["openvino", "onnx"]
"""What a model is exported as."""

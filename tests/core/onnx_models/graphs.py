"""Small ONNX files whose answers are known, written with onnx.helper."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WEIGHTS = np.random.default_rng(5).normal(0, 3, (5, 5)).astype(np.float32)
"""Weights by class and band; a network takes as many of each as it has."""

NAMES = ["building", "land", "road", "vegetation", "water"]


def deepness(classes: Sequence[str] = NAMES, **more: Any) -> dict[str, Any]:
    """Metadata as Deepness and geodeep define them."""
    names = {str(number): name for number, name in enumerate(classes)}
    return {"model_type": "Segmentor", "class_names": names, **more}


def write_onnx(
    file: Path,
    *,
    bands: int = 3,
    channels: int = 5,
    size: int | None = None,
    last: bool = False,
    end: str = "",
    element: str = "FLOAT",
    reduction: int = 1,
    extra_input: bool = False,
    extra_output: bool = False,
    batch: int | str = "batch",
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a network: a convolution of one pixel, and what `end` names after it.

    "above" gives the class numbers 0 and 1.

    Channel k is the weighted sum of the bands by row k of `WEIGHTS`, less half the sum of the
    weights, so that pixels of 0 to 1 give logits around 0.
    """
    onnx = pytest.importorskip("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    weights = WEIGHTS[:channels, :bands]
    bias = -weights.sum(axis=1) / 2
    arrays = {"weights": weights[:, :, None, None], "bias": bias}
    nodes, value = [], "pixels"

    def add(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal value
        nodes.append(helper.make_node(kind, [value, *more], [f"{kind}_{len(nodes)}"], **attributes))
        value = nodes[-1].output[0]

    if element != "FLOAT":
        add("Cast", to=types.FLOAT)
        arrays["top"] = np.float32(255)
        add("Div", "top")
    if last:
        add("Transpose", perm=[0, 3, 1, 2])
    add("Conv", "weights", "bias", strides=[reduction, reduction])
    logits = value
    if end == "argmax":
        add("ArgMax", axis=1, keepdims=0)
    elif end == "above":
        arrays["zero"] = np.float32(0)
        add("Greater", "zero")
        add("Cast", to=types.INT64)
    elif end in ("Softmax", "LogSoftmax"):
        add(end, axis=1)
    elif end:
        add(end)
    if last and end not in ("argmax", "above"):
        add("Transpose", perm=[0, 2, 3, 1])
    edges = [size or "rows", size or "columns"]
    shape = [batch, *edges, bands] if last else [batch, bands, *edges]
    inputs = [helper.make_tensor_value_info("pixels", getattr(types, element), shape)]
    if extra_input:
        inputs.append(helper.make_tensor_value_info("scale", types.FLOAT, [1]))
        add("Mul", "scale")
    names = [value, logits] if extra_output else [value]
    kind = types.INT64 if end in ("argmax", "above") else types.FLOAT
    outputs = [
        helper.make_tensor_value_info(name, types.FLOAT if name == logits else kind, None)
        for name in names
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        inputs,
        outputs,
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
        helper.set_model_props(model, texts)
    onnx.save(model, file)
    return file


def logits_of(pixels: np.ndarray, channels: int = 5) -> np.ndarray:
    """What the convolution gives for pixels (..., bands) of 0 to 1."""
    weights = WEIGHTS[:channels, : pixels.shape[-1]]
    return pixels.astype(np.float32) @ weights.T - weights.sum(axis=1) / 2

"""Exported models: the same answers from OpenVINO and ONNX, whole or not at all, and read by a real
client.
"""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import from_origin

import segment
from segment import cli
from segment.bundled import BUNDLED
from segment.config import Config, ModelSettings
from segment.core.cli.command import run
from segment.core.common_settings import PreprocessSettings
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import Class
from segment.core.model import conversion as core_export
from segment.core.model import export as core_exporting
from segment.core.model.conversion import import_openvino
from segment.core.model.folder import (
    load_keras_model,
    load_model_info,
    openvino_file,
    save_model_folder,
    save_model_info,
)
from segment.core.model.info import ModelInfo
from segment.core.model.openvino_network import (
    convert_to_openvino,
    require_same_answers,
    save_openvino,
)
from segment.core.model.runtime import load_model
from segment.core.onnx_models.loading import load_model_info as load_onnx_info
from segment.core.pixels.normalise import BandStatistics
from segment.core.pixels.preprocessing import preprocess
from segment.core.progress import Silent
from segment.core.raster.opening import open_raster
from segment.training import export as exporting
from segment.training.export import export_model
from segment.training.models import build_model
from segment.training.onnx_export import onnx_metadata, pixel_scale, save_onnx
from tests.conftest import write_bands, write_raster

pytestmark = pytest.mark.heavy


openvino = import_openvino()
CLASSES = [
    Class(name="land", color="#804000"),
    Class(name="water", color="#0000FF"),
    Class(name="road", color="#777777"),
]


def pixels(
    bands: int = 3, dtype: str = "uint8", rows: int = 64, columns: int = 64, batch: int = 2
) -> np.ndarray:
    high = 256 if dtype == "uint8" else 60_000
    return np.random.default_rng(0).integers(0, high, (batch, rows, columns, bands)).astype(dtype)


def small_network(
    bands: int = 3, dtype: str = "uint8", classes: int = 2, swapped: bool = False
) -> keras.Model:
    """Water where the last band is brighter than the first, also seen from afar: a U-Net in
    miniature.

    swapped: it sees BGR, as networks that came from Caffe do.
    """
    scale = 50.0 if dtype == "uint8" else 10_000.0
    inputs = keras.Input((None, None, bands), dtype=dtype, name="pixels")
    ordered = keras.ops.take(inputs, [2, 1, 0, *range(3, bands)], axis=-1) if swapped else inputs
    mean, variance = [scale * band / 9 for band in range(bands)], [scale**2] * bands
    normal = keras.layers.Normalization(mean=mean, variance=variance, dtype="float32")(ordered)
    near = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(normal)
    far = keras.layers.UpSampling2D()(
        keras.layers.Conv2D(8, 3, padding="same")(keras.layers.AveragePooling2D(2)(near))
    )
    logits = keras.layers.Conv2D(classes, 1, name="logits")(
        keras.layers.Concatenate()([normal, near, far])
    )
    network = keras.Model(inputs, keras.layers.Softmax()(logits))
    kernel, bias = network.get_layer("logits").get_weights()
    kernel *= 0.05
    kernel[..., bands - 1, -1] = kernel[..., 0, 0] = 2
    kernel[..., bands - 1, 0] = kernel[..., 0, -1] = -2
    network.get_layer("logits").set_weights([kernel, bias])
    return network


def model_folder(
    folder: Path, network: keras.Model, dtype: str = "uint8", **changes: object
) -> Path:
    bands, classes = network.input_shape[-1], network.output_shape[-1]
    values = {
        "task": "segment",
        "name": "test",
        "classes": CLASSES[:classes],
        "bands": bands,
        "dtype": dtype,
    }
    values |= {
        "range": (0, 255 if dtype == "uint8" else 60_000),
        "tile": 64,
        "ground_sampling_distance": 0.3,
    }
    folder.mkdir()
    save_model_folder(folder, network, ModelInfo.model_validate(values | changes))
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    keras.utils.set_random_seed(0)
    return model_folder(tmp_path / "run", small_network())


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture, backbone, tile, bands, dtype",
    [
        ("unet", "resnet18", 64, 3, "uint8"),
        ("unet", "vgg16", 64, 4, "uint8"),  # sees BGR
        ("unet", "efficientnetb0", 64, 3, "uint8"),
        ("fpn", "resnet18", 64, 5, "float32"),
        ("linknet", "resnet18", 64, 1, "uint16"),
        ("pspnet", "resnet18", 96, 3, "uint8"),
    ],
)
def test_openvino_answers_as_keras_at_every_size(
    architecture, backbone, tile, bands, dtype, tmp_path
):
    ones = np.ones(bands)
    statistics = BandStatistics(dtype, 1, 0 * ones, 255 * ones, 100 * ones, 60 * ones)
    settings = ModelSettings(architecture=architecture, backbone=backbone)
    normalise = "imagenet" if dtype == "uint8" else "standardise"
    network = build_model(settings, 3, statistics, normalise, tile).network
    save_openvino(convert_to_openvino(network), tmp_path / "model.xml")
    model = openvino.Core().read_model(tmp_path / "model.xml")
    (source,), (target,) = model.inputs, model.outputs
    assert (source.get_names(), target.get_names()) == ({"pixels"}, {"probabilities"})
    assert source.element_type.to_dtype() == dtype and target.element_type == openvino.Type.f32
    assert "Tile" not in {op.get_type_name() for op in model.get_ops()}
    fixed = architecture == "pspnet"
    assert source.partial_shape == openvino.PartialShape(
        [-1, tile, tile, bands] if fixed else [-1, -1, -1, bands]
    )
    batch = pixels(bands, dtype, tile, tile if fixed else 96)
    if dtype == "float32":
        batch = batch / 300
    require_same_answers(network, tmp_path / "model.xml", batch.astype(dtype))


def test_a_converter_that_loses_something_is_found_out(tmp_path):
    save_openvino(convert_to_openvino(small_network(swapped=True)), tmp_path / "model.xml")
    with pytest.raises(RuntimeError, match="OpenVINO and Keras differ"):
        require_same_answers(small_network(), tmp_path / "model.xml", pixels())


def test_an_export_is_announced_used_and_replaced_when_asked(small):
    keras_answer = load_model(small).predict(pixels())
    result = export_model(small)
    assert str(result).startswith(f"{small / 'openvino'}: OpenVINO in fp16, ")
    assert sorted(p.name for p in (small / "openvino").iterdir()) == ["model.bin", "model.xml"]
    assert load_model_info(small).openvino.versions == {
        "openvino": openvino.__version__.split("-")[0]
    }
    model = load_model(small, "openvino")
    # bfloat16 on some CPUs
    np.testing.assert_allclose(model.predict(pixels()), keras_answer, atol=0.05)
    assert model.predict(pixels(rows=32, columns=128)).shape == (2, 32, 128, 2)
    before = tree(small)
    with pytest.raises(InputError, match="--overwrite"):
        export_model(small)
    (small / "openvino" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        export_model(small, overwrite=True)
    (small / "openvino" / "notes.txt").unlink()
    assert tree(small) == before
    (small / ".openvino.partial").mkdir()  # of one that was killed
    export_model(small, overwrite=True)
    assert tree(small).keys() == before.keys()


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(
    "fails", ["convert_to_openvino", "save_openvino", "save_model_info", "the last save_model_info"]
)
def test_an_export_that_is_stopped_leaves_the_earlier_one_or_none(
    small, monkeypatch, earlier, fails
):
    if earlier:
        export_model(small)
    before, function, calls = tree(small), fails.split()[-1], []
    real = getattr(core_exporting, function)

    def stop(*arguments: object) -> object:
        calls.append(function)
        if fails.startswith("the last") and len(calls) == 1:
            return real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(core_exporting, function, stop)
    with pytest.raises(KeyboardInterrupt):
        export_model(small, overwrite=True)
    monkeypatch.undo()
    if fails.startswith("the last"):  # what stands there is not announced
        assert load_model_info(small).openvino is None
        assert load_model(small).runtime.startswith("keras")
        export_model(small)
    else:
        assert tree(small) == before


def test_what_was_exported_goes_with_the_model(small):
    export_model(small)
    (small / "model.onnx").write_bytes(b"of the earlier model")
    save_model_folder(small, load_keras_model(small), load_model_info(small))
    assert load_model_info(small).openvino is None
    assert sorted(p.name for p in small.iterdir()) == ["model.keras", "model.yaml"]


@pytest.mark.slow
def test_retraining_takes_exports_away(small, tile_folder):
    from segment.training.train import train

    (small / "openvino").mkdir()
    (small / "openvino" / "model.xml").write_text("of the earlier model")
    (small / "model.onnx").write_text("of the earlier model")
    quick = [
        "model.backbone=resnet18",
        "data.tile=64",
        "training.epochs=1",
        "training.batch_size=2",
    ]
    train(tile_folder(), small, load_settings(Config, None, quick), overwrite=True)
    assert not (small / "openvino").exists() and not (small / "model.onnx").exists()


class Recorded:
    """Progress that keeps what is reported to it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.tasks: set[str] = set()

    def say(self, line: str) -> None:
        self.lines.append(line)

    def advance(self, task: str, done: int, total: int, note: str = "") -> None:
        self.tasks.add(task)


def test_tiles_that_a_network_cannot_compute_are_refused_in_one_line():
    """As where somebody wrote other multiples into model.yaml."""
    model = load_model(BUNDLED, "openvino")
    with pytest.raises(InputError, match=r"model\.xml: .* tiles of 77 x 77 pixels") as error:
        model.predict(np.zeros((1, 77, 77, 3), np.uint8))
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_int8_is_measured_before_and_after(small, tile_folder, monkeypatch):
    reported = Recorded()
    result = export_model(small, int8=tile_folder(groups=3, count=3), progress=reported)
    assert reported.lines == [] and reported.tasks == {
        "reading masks",
        "converting",
        "calibrating",
        "scoring",
    }
    info = load_model_info(small).openvino
    assert (
        info == result.openvino
        and info.precision == "int8"
        and set(info.versions) == {"openvino", "nncf"}
    )
    assert (info.data, info.kind, info.calibrated, info.scored) == ("tiles", "tiles", 4, 5)
    assert info.scores["keras"]["mean_jaccard"] > 0.95
    assert abs(info.scores["keras"]["mean_jaccard"] - info.scores["int8"]["mean_jaccard"]) < 0.02
    assert (
        "mean Jaccard" in str(result)
        and "points" in str(result)
        and "quantised on 4 tiles of tiles" in str(result)
    )
    compiled = openvino.Core().compile_model(openvino_file(small), "CPU")
    kinds = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    precisions = [
        k["runtimePrecision"].astype(str)
        for k in kinds
        if k["layerType"].astype(str) == "Convolution"
    ]
    assert len(precisions) == 3 and not precisions[0].endswith("8")
    assert all(p in ("u8", "i8") for p in precisions[1:]), (
        "what lies behind the upsampling stays in floating point"
    )
    monkeypatch.setattr(core_exporting, "TOLERATED_FALL", -1.0)
    export_model(small, int8=tile_folder(), overwrite=True, progress=reported)
    assert (
        reported.lines[0].startswith("warning: int8 costs ")
        and "without --int8" in reported.lines[0]
    )


def test_int8_draws_tiles_by_seed(small, tile_folder):
    info, tiles = load_model_info(small), tile_folder(groups=4, count=3)

    def drawn(seed: int) -> list[str]:
        return [
            str(p.pair.image)
            for p in exporting._tiles(tiles, info, seed, Silent()).calibration.patches
        ]

    assert drawn(0) == drawn(0) != drawn(1)
    sample = exporting._tiles(tiles, info, 0, Silent())
    assert not {p.pair.image for p in sample.calibration.patches} & {
        p.pair.image for p in sample.scored
    }


def test_int8_takes_the_collections_of_a_settings_file(small, tile_folder, tmp_path):
    tile_folder(groups=2, count=6).rename(tmp_path / "first")
    tile_folder(groups=1, count=8).rename(tmp_path / "second")
    settings, info = tmp_path / "config.yaml", load_model_info(small)
    table = [c.model_dump(mode="json", exclude_none=True) for c in info.classes]
    content = {
        "classes": table,
        "collections": [
            {"path": str(tmp_path / "first")},
            {
                "path": str(tmp_path / "second"),
                "weight": 0,
                "classes": {"land": ["land", "water"], "water": "water"},
            },
        ],
        "split": "run",
        "tile": 64,
    }
    settings.write_text(yaml.safe_dump({"data": content}))
    sample = exporting._collections(settings, info, 0, Silent())
    assert {p.pair.collection for p in sample.calibration.patches} == {"first"}, (
        "one without weight only tests"
    )
    assert {p.pair.collection for p in sample.scored} == {"first", "second"}
    export_model(small, int8=settings)
    found = load_model_info(small).openvino
    assert (found.precision, found.data, found.calibrated) == (
        "int8",
        "config.yaml",
        len(sample.calibration.patches),
    )
    assert found.scores["keras"]["mean_jaccard"] > 0.95
    settings.write_text(yaml.safe_dump({"data": content | {"classes": table[::-1]}}))
    with pytest.raises(InputError, match="classes are .* those of the model"):
        export_model(small, int8=settings, overwrite=True)
    settings.write_text("{}")
    with pytest.raises(InputError, match=r"data\.collections"):
        export_model(small, int8=settings, overwrite=True)


def test_faults_are_reported_before_anything_is_written(small, tile_folder, tmp_path, monkeypatch):
    tiles = tile_folder(groups=1, count=1)
    gray = tmp_path / "gray" / "images" / "a.png"
    write_raster(gray, np.zeros((64, 64, 1), np.uint8))
    write_raster(tmp_path / "gray" / "masks" / "a.png", np.zeros((64, 64, 1), np.uint8))
    other = tmp_path / "other"
    for name in ("a", "b"):
        write_raster(other / "images" / f"{name}.png", np.zeros((64, 64, 3), np.uint8))
        write_raster(other / "masks" / f"{name}.png", np.zeros((64, 64, 1), np.uint8))
    (other / "classes.yaml").write_text("- {name: lava, color: '#FF0000'}")
    (tmp_path / "model.onnx").write_text("mine")
    cases: list[tuple[list[object], list[str]]] = [
        ([tmp_path], ["model.keras", "training wrote"]),
        ([small, "--format", "onnx", "--int8", tiles], ["--int8", "openvino"]),
        ([small, "--output", tmp_path / "x"], ["--output", "onnx"]),
        ([small, "--format", "tflite"], ["tflite"]),
        ([small, "--format", "onnx", "--output", tmp_path / "map.tif"], ["map.tif", ".onnx"]),
        (
            [small, "--format", "onnx", "--output", tmp_path / "model.onnx"],
            ["model.onnx", "--overwrite"],
        ),
        ([small, "--int8", tmp_path / "none"], ["none", "no such folder"]),
        ([small, "--int8", tiles], ["one tile", "needs two"]),
        ([small, "--int8", tmp_path / "gray"], ["reads 3 bands of uint8", "1 band of uint8"]),
        ([small, "--int8", other], ["land, water", "classes.yaml"]),
    ]
    for arguments, words in cases:
        fails(arguments, words, small)
    find = core_export.importlib.util.find_spec
    monkeypatch.setattr(
        core_export.importlib.util,
        "find_spec",
        lambda name: None if name in ("nncf", "tf2onnx") else find(name),
    )
    fails([small, "--int8", tiles], ["nncf", "pip install 'aerial-segment[quantize]'"], small)
    fails([small, "--format", "onnx"], ["tf2onnx", "pip install 'aerial-segment[onnx]'"], small)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    fails([small], ["jax", "KERAS_BACKEND=tensorflow"], small)


def fails(arguments: list[object], words: list[str], folder: Path) -> None:
    import contextlib
    import io

    before, said = tree(folder), io.StringIO()
    with contextlib.redirect_stderr(said):
        assert run(cli.export.__wrapped__, [str(a) for a in arguments]) == 2, arguments
    line = said.getvalue()
    assert line.count("\n") == 1 and all(word in line for word in words), line
    assert tree(folder) == before and {p.name for p in folder.iterdir()} == {
        "model.keras",
        "model.yaml",
    }


def onnx_answer(file: Path, fed: np.ndarray) -> np.ndarray:
    """What a client gets for (batch, bands, rows, columns) float32; (batch, rows, columns,
    classes).
    """
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    assert (source.name, target.name) == ("pixels", "probabilities")
    assert source.shape == ["batch", fed.shape[1], *fed.shape[2:]] and target.shape[2:] == list(
        fed.shape[2:]
    )
    return session.run(None, {source.name: fed})[0].transpose(0, 2, 3, 1)


def as_deepness_feeds(batch: np.ndarray, metadata: dict[str, str]) -> np.ndarray:
    """Deepness 0.7, preprocessing_utils.py: to 0..1 as if of 8 bits, standardised, bands first."""
    mean, std = (
        np.float32(json.loads(metadata[f"standardization_{key}"])) for key in ("mean", "std")
    )
    return np.transpose((np.float32(batch * 1.0 / 255.0) - mean) / std, (0, 3, 1, 2))


def as_geodeep_feeds(batch: np.ndarray) -> np.ndarray:
    """geodeep 0.9, detection.py: integers by their range, bands first."""
    whole = np.iinfo(batch.dtype)
    if batch.dtype == np.uint8:
        return (batch.transpose(0, 3, 1, 2) / 255.0).astype(np.float32)
    return batch.transpose(0, 3, 1, 2).astype(np.float32) / (float(whole.max) - float(whole.min))


@pytest.mark.slow
@pytest.mark.parametrize(
    "bands, dtype, classes, swapped",
    [
        (3, "uint8", 2, True),
        (4, "uint16", 3, True),
        (2, "float32", 2, False),
        (3, "uint8", 1, False),
    ],
)
def test_onnx_answers_as_keras_to_what_clients_feed(bands, dtype, classes, swapped, tmp_path):
    network = small_network(bands, dtype, classes, swapped)
    folder = model_folder(tmp_path / "run", network, dtype, tile=64, fixed_tile=True)
    reported = Recorded()
    result = export_model(folder, "onnx", progress=reported)
    assert result.path == folder / "model.onnx" and "ONNX" in str(result)
    assert bool(reported.lines) == (bands != 3)
    batch, info = pixels(bands, dtype), load_model_info(folder)
    metadata = onnx_metadata(info)
    expected = network.predict_on_batch(batch)
    answers = [onnx_answer(result.path, as_deepness_feeds(batch, metadata))]
    if dtype != "float32":
        answers.append(onnx_answer(result.path, as_geodeep_feeds(batch)))
    for answer in answers:
        np.testing.assert_allclose(answer[..., :classes], expected, atol=1e-5)
    if classes == 1:  # else Deepness would take it for a yes or no
        assert answers[0].shape[-1] == 2 and (answers[0].argmax(-1) == 0).all()


@pytest.mark.slow
def test_onnx_of_a_library_network(tmp_path):
    ones = np.ones(3)
    statistics = BandStatistics("uint8", 1, 0 * ones, 255 * ones, 100 * ones, 60 * ones)
    network = build_model(
        ModelSettings(architecture="fpn", backbone="mobilenetv2"), 3, statistics, "auto", 64
    ).network
    file = tmp_path / "model.onnx"
    save_onnx(network, file, 64, 255.0, {})
    np.testing.assert_allclose(
        onnx_answer(file, as_geodeep_feeds(pixels())), network.predict_on_batch(pixels()), atol=1e-3
    )


def test_metadata_is_what_the_plugins_parse(small):
    onnx = pytest.importorskip("onnx")
    result = export_model(small, "onnx", output=small.parent / "far" / "m.onnx")
    model = onnx.load(result.path)
    read = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert read == {
        "model_type": "Segmentor",
        "class_names": {"0": "land", "1": "water"},
        "resolution": 30.0,
        "tile_size": read["tiles_size"],
        "tiles_size": model.graph.input[0].type.tensor_type.shape.dim[3].dim_value,
        "tiles_overlap": int(read["tiles_overlap"]),
        "standardization_mean": [0, 0, 0],
        "standardization_std": [1, 1, 1],
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
        "aerial_segment": {"classes": [one.model_dump() for one in CLASSES[:2]]},
    }
    assert model.ir_version <= 9 and [o.version for o in model.opset_import if not o.domain] == [15]
    unknown = load_model_info(small).model_copy(
        update={"ground_sampling_distance": None, "dtype": "uint16"}
    )
    assert "resolution" not in onnx_metadata(unknown)
    assert (
        json.loads(onnx_metadata(unknown)["standardization_std"]) == [257.0] * 3
        and pixel_scale(unknown) == 65535
    )


@pytest.mark.parametrize("inside", [True, False])
def test_a_map_of_an_onnx_export_is_that_of_the_model_folder(inside, tmp_path):
    """Values, colours and ignored classes, bands by name, scale, and the range of pixel sizes."""
    classes = [
        Class(name="land", value=3, color="#804000", map_color="#FFFF00"),
        Class(name="cloud", value=0, color="#FFFFFF", ignore=True),
        Class(name="water", value=7, color="#0000FF"),
    ]
    scale = {"low": [100.0] * 4, "high": [20_000.0] * 4, "dtype": "uint16", "origin": "training"}
    folder = model_folder(
        tmp_path / "run",
        small_network(4),
        classes=classes,
        scale=scale,
        band_names=["blue", "green", "red", "near infrared"],
        ground_sampling_range=(0.2, 0.5),
        ground_sampling_distance=0.25,
    )
    file = export_model(folder, "onnx", output=None if inside else tmp_path / "m.onnx").path
    rows = np.linspace(2_000, 9_000, 90)[:, None, None]
    parts = np.where(np.arange(80)[:, None] < 30, [0.5, 0.7, 1, 2], [2, 1, 0.7, 0.5])
    ramp = (rows * parts).astype(np.uint16)
    names = ["near infrared", "red", "green", "blue"]
    place = from_origin(500_000, 2_700_000, 0.4, 0.4)
    scene = write_bands(tmp_path / "scene.tif", ramp, names, transform=place)
    first, second = load_model_info(folder), load_onnx_info(file)
    assert second.class_table.mapped == first.class_table.mapped
    for key in ("pixels", "classes", "ground_sampling_range", "ground_sampling_distance"):
        assert getattr(second, key) == getattr(first, key)
    for options in ({}, {"resample": True}):
        maps = [
            segment.predict_scene(scene, model, tmp_path / f"{name}{len(options)}", **options)
            for name, model in (("a", load_model(folder, "keras")), ("b", file))
        ]
        with rasterio.open(maps[0].classes) as of_folder, rasterio.open(maps[1].classes) as of_file:
            wanted, found = of_folder.read(1), of_file.read(1)
            assert of_folder.colormap(1) == of_file.colormap(1)
        assert set(np.unique(wanted)) == {3, 7} and (wanted == found).mean() > 0.999
    known, notes = maps[0].report["notes"], maps[1].report["notes"]
    assert set(known) <= set(notes) and any("does not hold what" in note for note in notes)


def test_exports_say_what_others_have_to_do_to_pixels(small, tile_folder):
    """ONNX in its metadata, all in a line; int8 is made of pixels that this was done to."""
    onnx = pytest.importorskip("onnx")
    settings = PreprocessSettings(denoise=3, clahe=2)
    info = load_model_info(small).model_copy(update={"preprocess": settings})
    save_model_info(small, info)
    reported, line = (
        Recorded(),
        (
            "warning: other programs have to preprocess pixels as this model's commands do:"
            f" {settings}"
        ),
    )
    metadata = {
        p.key: p.value
        for p in onnx.load(export_model(small, "onnx", progress=reported).path).metadata_props
    }
    assert PreprocessSettings.model_validate_json(metadata["preprocess"]) == settings
    export_model(small, progress=reported)
    assert reported.lines == [line, line] and load_model_info(small).preprocess == settings
    sample = exporting._tiles(tile_folder(groups=2, count=2), info, 0, Silent())
    with open_raster(sample.calibration.patches[0].pair.image) as raster:
        np.testing.assert_array_equal(
            sample.calibration[0][0][0], preprocess(raster.read()[0], settings)
        )


@pytest.mark.slow
def test_geodeep_maps_a_scene_as_we_do(small, tmp_path):
    """A real client: its map is ours, but for the 5 x 5 median filter that it smooths all maps
    with.
    """
    geodeep = pytest.importorskip("geodeep")
    import rasterio
    from geodeep.utils import median_filter

    from segment.mapping.predict import predict_scene
    from segment.sample import write_sample

    scene = write_sample(tmp_path / "town", 600, 700, seed=3) / "scene.tif"
    predict_scene(scene, small, tmp_path / "map")
    with rasterio.open(tmp_path / "map" / "scene_classes.tif") as file:
        ours = file.read(1)
    assert 0.02 < ours.mean() < 0.98
    theirs = geodeep.segment(str(scene), str(export_model(small, "onnx").path))
    assert (theirs == median_filter(ours, 5)).mean() >= 0.99
    collection = json.loads(
        geodeep.segment(str(scene), str(small / "model.onnx"), output_type="geojson")
    )
    assert {f["properties"]["class"] for f in collection["features"]} == {"land", "water"}


def in_a_process(
    code: str, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", code, *(str(a) for a in arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


@pytest.mark.slow
def test_the_command_is_quiet_and_tells_nobody(small, tile_folder, tmp_path):
    """No network, and nothing of OpenVINO's or NNCF's in the home folder; pytest itself would
    switch NNCF's reports off.
    """
    code = (
        "import socket, sys\n"
        "def refuse(*_): print('network', file=sys.__stderr__); raise OSError('no network')\n"
        "socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse\n"
        "import segment.cli; segment.cli.export()\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "CI": "", "XDG_CACHE_HOME": str(home / "cache")}
    shown = in_a_process(code, small, "--int8", tile_folder(), "--quiet", **environment)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "", "")
    shown = in_a_process(code, small, "--format", "onnx", **environment)
    assert shown.returncode == 0 and shown.stderr == "" and shown.stdout.count("\n") == 1, shown
    assert "intel" not in {p.name for p in home.iterdir()}
    assert yaml.safe_load((small / "model.yaml").read_text())["openvino"]["precision"] == "int8"


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(small):
    """A limit on file sizes stands in for the full disk: writes fail half way, as they
    would there.
    """
    code = (
        "import resource, sys\nfrom segment.core.cli.command import run\nfrom segment import"
        " cli\nresource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\nfor form in ('openvino',"
        " 'onnx'): assert run(cli.export.__wrapped__, [sys.argv[1], '--format', form]) == 2\n"
    )
    before = tree(small)
    shown = in_a_process(code, small)
    assert shown.returncode == 0, shown.stderr
    for line, name in zip(shown.stderr.splitlines(), ("openvino", "model.onnx"), strict=True):
        assert line.startswith(f"segment-export: {small / name}: cannot be written completely")
    assert tree(small) == before and {p.name for p in small.iterdir()} == {
        "model.keras",
        "model.yaml",
    }


def test_help_loads_nothing_heavy():
    code = (
        "import sys, segment.cli\ntry: sys.argv = ['segment-export', '--help'];"
        " segment.cli.export()\nexcept SystemExit as end: assert not end.code, end.code\nheavy ="
        " {'keras', 'tensorflow', 'openvino', 'nncf', 'onnx', 'numpy', 'rasterio',"
        " 'pydantic'}\nassert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    shown = in_a_process(code)
    assert shown.returncode == 0, shown.stderr
    assert "openvino|onnx" in shown.stdout

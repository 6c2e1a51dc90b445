"""Vector labels as the truth of a scene: the scores of the same shapes as a mask."""

import contextlib
import io
import sqlite3
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.features import rasterize

from segment.annotations.vector_labels import VectorLabels
from segment.cli import predict
from segment.cli.truth import TruthOptions
from segment.core.cli.command import run
from segment.core.errors import InputError, Interrupted
from segment.core.labels.classes import Class, ClassTable
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source
from segment.mapping.predict import predict_scene
from segment.mapping.reference import open_reference
from tests.conftest import write_raster
from tests.fakes import NAMES, FakeModel, PlaceModel
from tests.segment.annotations.test_vector_labels import PLACE, UTM, at, box, polygons, write
from tests.segment.mapping.test_predict import stopping
from tests.segment.test_boundaries import boundary

SCORES = ("confusion", "jaccard", "boundary_jaccard", "f1", "pixels", "soft_jaccard", "accuracy")


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segment.mapping.model_view.TILE", 32)


def scene(folder: Path, height: int = 75, width: int = 101) -> Path:
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 1), np.uint8)
    return write_raster(folder / "scene.tif", pixels, transform=PLACE, crs=UTM)


def shapes_and_names(count: int = 30) -> tuple[list[shapely.Geometry], list[str]]:
    """Triangles and boxes over the scene and beyond it, some of a class that no model has."""
    random = np.random.default_rng(5)
    corners = random.uniform(-10, 110, (count, 1, 2)) + random.uniform(-40, 40, (count, 3, 2))
    drawn = [at(PLACE, shapely.Polygon(one)) for one in corners]
    names = random.choice([*(name.upper() for name in NAMES), "pond"], count).tolist()
    return drawn, names


@pytest.mark.heavy
@pytest.mark.parametrize("crs", ["EPSG:32640", "EPSG:4326"])
@pytest.mark.parametrize("order", ["last", "smaller"])
def test_scores_are_those_of_the_shapes_burned_at_once(
    tmp_path: Path, crs: str, order: str
) -> None:
    image = scene(tmp_path)
    drawn, names = shapes_and_names()
    to_file = Transformer.from_crs(32640, crs, always_xy=True).transform
    stored = [
        shapely.transform(g, lambda p: np.stack(to_file(p[:, 0], p[:, 1]), axis=1)) for g in drawn
    ]
    path = write(tmp_path / "labels.gpkg", [*stored, None], crs, kind=[*names, None])
    lowest_first = np.arange(len(drawn))
    if order == "smaller":
        lowest_first = np.argsort([-one.area for one in drawn], kind="stable")
    values = {name.upper(): 10 * i for i, name in enumerate(NAMES)} | {"pond": 7}
    burned = rasterize(
        [(drawn[i], values[names[i]]) for i in lowest_first],
        out_shape=(75, 101), transform=PLACE, fill=255, dtype="u1",
    )  # fmt: skip
    assert (burned == 7).any() and (burned == 255).any()
    mask = write_raster(tmp_path / "mask.tif", burned[..., None], transform=PLACE, crs=UTM)
    expected = predict_scene(image, PlaceModel(), tmp_path / "a", truth=mask, boundary_width=3)

    labels = VectorLabels(path=path, field="kind", order=order)
    model = stopping(PlaceModel(), 9)
    options = {"truth": labels, "boundary_width": 3, "rows": 16, "batch_size": 1}
    with pytest.raises(Interrupted):
        predict_scene(image, model, tmp_path / "b", **options)
    found = predict_scene(image, PlaceModel(), tmp_path / "b", **options)
    for key in SCORES:
        assert found.report[key] == expected.report[key], key
    notes = " ".join(found.report["notes"])
    assert "values that are no class are not labelled: pond" in notes
    assert "1 features without a value" in notes and "no shape covers are not scored" in notes

    with open_raster(found.classes) as raster:
        mapped = raster.read()[0][..., 0]
    scored = np.isin(burned, range(0, 50, 10))
    for k, name in enumerate(NAMES):
        true = boundary((burned == 10 * k) & scored, scored, 3)
        given = boundary((mapped == 10 * k) & scored, scored, 3)
        share = (true & given).sum() / (true | given).sum()
        assert found.report["boundary_jaccard"][name] == pytest.approx(share, abs=1e-6)
    assert found.report["boundary_width"] == 3 and "boundary" in repr(found)
    again = predict_scene(image, PlaceModel(), tmp_path / "b", **options)
    assert again.report["notes"][-1] == "The files existed already; nothing was computed."
    with pytest.raises(InputError, match="exists"):  # other scores are another report
        predict_scene(image, PlaceModel(), tmp_path / "b", **(options | {"boundary_width": 4}))


@pytest.mark.heavy
@settings(max_examples=25)
@given(
    shapes=st.lists(
        st.tuples(polygons.filter(lambda p: p.area > 0.01), st.sampled_from([*NAMES, "pond"])),
        max_size=8,
    ),
    start=st.tuples(st.integers(0, 39), st.integers(0, 59)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 60)),
)
def test_windows_are_those_of_a_mask_of_the_whole(tmp_path_factory, shapes, start, size) -> None:
    folder = tmp_path_factory.mktemp("truth")
    image = write_raster(folder / "scene.tif", np.zeros((40, 60, 1), np.uint8), transform=PLACE)
    drawn = [*(at(PLACE, shape) for shape, _ in shapes), box(2, 2, 9, 7)]
    names = [*(name for _, name in shapes), "water"]  # some class lies on top
    path = write(folder / "labels.gpkg", drawn, kind=names)
    burned = rasterize(
        zip(drawn, [[*NAMES, "pond"].index(name) * 10 for name in names], strict=True),
        out_shape=(40, 60), transform=PLACE, fill=255, dtype="u1",
    )  # fmt: skip
    mask = write_raster(folder / "mask.tif", burned[..., None], transform=PLACE)
    bottom, right = min(start[0] + size[0], 40), min(start[1] + size[1], 60)
    area = start[0], bottom, start[1], right
    read = []
    for source in (Source(mask), VectorLabels(path=path, field="kind", order="last")):
        with open_raster(image) as raster:
            table = FakeModel().info.class_table
            with open_reference(source, raster, table) as reference:
                read.append(reference.read(*area))
    assert np.array_equal(*read)


def test_codes_background_and_areas(tmp_path: Path) -> None:
    image = scene(tmp_path)
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 20, 20), box(30, 0, 40, 9)], code=[11, 12])
    areas = write(tmp_path / "areas.gpkg", [box(0, 0, 50, 30)], n=[1])
    (tmp_path / "codes.yaml").write_text("11: water\n")
    texts = ["background=land", f"labelled-areas={areas}", f"codes={tmp_path / 'codes.yaml'}"]
    labels = TruthOptions(truth=path, truth_field="code", truth_option=texts).chosen()
    report = predict_scene(image, FakeModel(), tmp_path / "out", truth=labels).report
    notes = " ".join(report["notes"])
    assert "features of '12' are not labelled, --truth-option codes does not list it" in notes
    rows = dict(zip(NAMES, np.sum(report["confusion"], axis=1).tolist(), strict=True))
    assert rows == dict.fromkeys(NAMES, 0) | {"water": 400, "land": 50 * 30 - 400 - 90}


def test_a_reference_that_labels_nothing_of_the_map_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 20, 20)], kind=["water"])
    area = write(tmp_path / "area.gpkg", [box(40, 40, 60, 60)], n=[1])
    labels = VectorLabels(path=path, field="kind")
    report = predict_scene(
        scene(tmp_path), FakeModel(), tmp_path / "out", truth=labels, aoi=area
    ).report
    assert report["pixels"] == 0 and report["accuracy"] is None
    assert any("The reference labels no pixel of the map" in note for note in report["notes"])


def test_a_model_that_has_a_class_at_255(tmp_path: Path) -> None:
    names = {"a": 0, "b": 255}
    table = ClassTable(
        [Class(name=n, color=f"#00000{n}", value=value) for n, value in names.items()]
    )
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 10, 10)], kind=["b"])
    labels = VectorLabels(path=path, field="kind")
    with (
        open_raster(scene(tmp_path)) as raster,
        open_reference(labels, raster, table) as reference,
    ):
        read = reference.read(0, 75)
    assert np.count_nonzero(read == 1) == 100 and set(np.unique(read)) == {1, 255}


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path) -> None:
    image, out = scene(tmp_path), tmp_path / "deep" / "out"
    here, far = box(0, 0, 9, 9), at(PLACE, shapely.box(900, 0, 990, 90))
    good = write(tmp_path / "good.gpkg", [here], kind=["water"], code=[1])
    two = tmp_path / "two.gpkg"
    for name in ("roads", "houses"):
        pyogrio.raw.write(
            two, shapely.to_wkb(np.array([here])), [np.array(["water"])], ["kind"],
            geometry_type="Polygon", crs="EPSG:32640", layer=name, append=two.exists(),
        )  # fmt: skip
    line = at(PLACE, shapely.LineString([(0, 0), (9, 9)]))
    bare = write_raster(tmp_path / "bare.tif", np.zeros((75, 101, 1), np.uint8), transform=None)
    (tmp_path / "locked.gpkg").write_bytes(good.read_bytes()[:5000])

    def labels(path: Path, field: str = "kind", **options: object) -> VectorLabels:
        return VectorLabels(path=path, field=field, **options)

    def written(name: str, *args: object, **fields: object) -> VectorLabels:
        return labels(write(tmp_path / f"{name}.gpkg", *args, **fields))

    cases = [
        (image, good, "--truth-field NAME. It has: kind, code."),
        (image, labels(good, "knid"), "Did you mean 'kind'?"),
        (image, labels(good, "code"), "--truth-option codes"),
        (image, labels(two), "--truth-option layer=NAME"),
        (image, labels(two, layer="house"), "Did you mean 'houses'?"),
        (image, labels(tmp_path / "none.gpkg"), "no such file"),
        (image, labels(tmp_path / "locked.gpkg"), "cannot be read"),
        (image, labels(image), "cannot be read as a vector file"),
        (image, written("far", [far], kind=["water"]), "none of 1 shapes lies on"),
        (image, written("other", [far, here], kind=["water", "sea"]), "none of 1 shapes"),
        (image, written("plain", [here], crs=None, kind=["water"]), "no CRS"),
        (bare, labels(good), "cannot be placed"),
        (image, written("line", [line, here], kind=["road", "water"]), "--truth-option width=3"),
        (image, written("null", [here], kind=np.array([None], object)), "no value in any"),
        (image, written("empty", [], kind=np.array([], object)), "no features"),
        (image, labels(good, background="sea"), "--truth-option background: the class table"),
        (image, written("many", [here] * 300, kind=[f"v{i}" for i in range(300)]), "295 more"),
    ]
    for one, truth, expected in cases:
        with pytest.raises(InputError) as error:
            predict_scene(one, FakeModel(), out, truth=truth)
        message = str(error.value)
        assert expected in message and "\n" not in message, message
        assert not (tmp_path / "deep").exists()


def test_a_geopackage_that_another_program_writes_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.gpkg", [box(0, 0, 9, 9)], kind=["water"])
    image, labels = scene(tmp_path), VectorLabels(path=path, field="kind")
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        report = predict_scene(image, FakeModel(), tmp_path / "out", truth=labels).report
    assert report["pixels"] == 81


def test_truth_is_not_replaced_by_the_polygons_of_the_map(tmp_path: Path) -> None:
    image = scene(tmp_path)
    path = write(tmp_path / "scene.gpkg", [box(0, 0, 9, 9)], kind=["water"])
    before = path.read_bytes()
    with pytest.raises(InputError, match="of an earlier map: it is not replaced"):
        predict_scene(
            image, FakeModel(), tmp_path, polygons=True, overwrite=True,
            truth=VectorLabels(path=path, field="kind"),
        )  # fmt: skip
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--truth-field", "kind"], "--truth-field belongs to --truth"),
        (["--truth", "a.gpkg", "--truth-option", "layer=x"], "belongs to --truth-field"),
        (["--truth-option", "layer"], "belongs to --truth-field"),
        (["--truth", "a.gpkg", "--truth-field", "k", "--truth-option", "layers=x"], "'layers=x'"),
        (["--truth", "a.gpkg", "--truth-field", "k", "--truth-option", "width="], "'width='"),
        (["--truth", "a.gpkg", "--truth-field", "k", "--truth-option", "order=top"], "smaller"),
        (["--truth", "a.gpkg", "--truth-field", "k", "--truth-option", "codes=b"], "cannot be rea"),
        (["--boundary-width", "0"], "boundary-width"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(
    tmp_path: Path, options: list[str], words: str
) -> None:
    errors = io.StringIO()
    arguments = [str(scene(tmp_path)), "--output", str(tmp_path / "out"), *options]
    with contextlib.redirect_stderr(errors):
        status = run(predict.__wrapped__, arguments, "segment-predict")
    line = errors.getvalue()
    assert status == 2 and words in line and line.count("\n") == 1, line
    assert not (tmp_path / "out").exists()

"""What masks hold decides how they are read, and what is odd about them is said before anything is
learned.
"""

import json
from collections import Counter

import numpy as np
import pytest
import rasterio
from PIL import Image

import segment
from segment.config import Config
from segment.core.config import load_settings
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, load_class_table, save_class_table
from segment.core.progress import Silent
from segment.data.cutting import cut_scene
from segment.data.masks.census import MaskCensus
from segment.data.masks.reading import choose_reading, find_class_table
from segment.data.pixels import decode_mask
from segment.data.tiles import find_pairs
from segment.data.training_data import TrainingData
from segment.exploration.explore import explore
from segment.mapping.predict import predict_scene
from segment.mapping.window import predict_window
from tests.conftest import two_class_scene, write_raster
from tests.fakes import FakeModel

TABLE = '- {name: land, color: "#804000"}\n- {name: water, color: "#0000FF"}\n'
BLACK_WHITE = '- {name: land, color: "#000000"}\n- {name: water, color: "#FFFFFF"}\n'
LAND, WATER_BLUE = (128, 64, 0, 255), (0, 0, 255, 255)
THREE = TABLE + '- {name: snow, color: "#FFFFFF"}\n'


class Lines(Silent):
    def __init__(self) -> None:
        self.text = ""

    def say(self, line: str) -> None:
        self.text += f"{line}\n"


@pytest.fixture
def folder(tmp_path):
    """Makes a tile folder of three groups; mask: of (64, 64) class indices what is stored, an array
    or how it is saved.
    """

    def make(table, mask, suffix="png", groups=3, **profile):
        root = tmp_path / "tiles"
        for group in range(groups):
            image, indices = two_class_scene(64, 64, seed=group)
            write_raster(root / f"g{group}" / "images" / "a.png", image)
            path = root / f"g{group}" / "masks" / f"a.{suffix}"
            path.parent.mkdir(exist_ok=True)
            stored = (
                mask(indices[..., 0], path)
                if mask.__code__.co_argcount == 2
                else mask(indices[..., 0])
            )
            if stored is not None:
                write_raster(path, stored if stored.ndim == 3 else stored[..., None], **profile)
        (root / "classes.yaml").write_text(table)
        return root

    return make


def prepare(root, *settings):
    lines = Lines()
    quick = ["data.tile=64", *settings]
    return TrainingData.prepare(root, load_settings(Config, None, quick), lines), lines.text


def both(root, tmp_path, *settings):
    """What a training says, or is refused by, and what an exploration says."""
    try:
        reported = prepare(root, *settings)[1]
    except InputError as error:
        reported = str(error)
        assert "\n" not in reported
    return reported, str(explore(root, tmp_path / "look", model=None))


def water_share(data):
    counts = sum(data.survey.class_pixels.values())
    return counts[1] / counts.sum()


def indices_of(groups=3):
    return [two_class_scene(64, 64, seed=group)[1] for group in range(groups)]


WATER = float(np.mean(indices_of()))


@pytest.mark.parametrize(
    "table, mask",
    [
        (TABLE, lambda i: i * 255),
        (BLACK_WHITE, lambda i: i * 255),
        (
            (
                '- {name: land, color: "#804000", value: 0}\n- {name: water, color: "#0000FF",'
                " value: 255}\n"
            ),
            lambda i: i * 255,
        ),
        (
            (
                '- {name: land, color: "#804000", value: 7}\n- {name: water, color: "#0000FF",'
                " value: 255}\n"
            ),
            lambda i: 7 + i * 248,
        ),
        (TABLE, lambda i: i * np.float32(255)),
        (TABLE, lambda i: i.astype(np.uint16) * 255),
        (TABLE, lambda i: i),
        (TABLE, lambda i, path: Image.fromarray(i > 0).save(path)),
    ],
    ids=[
        "two classes",
        "black and white",
        "value 255",
        "7 and 255",
        "float",
        "uint16",
        "0 and 1",
        "one bit",
    ],
)
def test_255_is_a_class_where_one_claims_it(folder, table, mask):
    data, said = prepare(folder(table, mask, "png" if mask.__code__.co_argcount == 2 else "tif"))
    assert water_share(data) == WATER
    assert data.class_table.names == ["land", "water"] and "warning" not in said
    shown = {str(c.value) for c in data.class_table.classes}
    assert ("255" in shown) == ("255 is nodata" in said)
    assert (
        255 not in data.class_table.values()[:2]
        and len(set(data.class_table.values()[:2].tolist())) == 2
    )


def test_white_before_black_is_read_by_colour(folder):
    table = '- {name: water, color: "#FFFFFF"}\n- {name: land, color: "#000000"}\n'
    data, said = prepare(folder(table, lambda i: i * 255))
    assert data.class_table.names == ["water", "land"] and water_share(data) == pytest.approx(
        1 - WATER
    )
    assert "read 0 as land, 255 as water" in said


def test_levels_of_grey_are_read_by_colour(folder):
    table = BLACK_WHITE + '- {name: road, color: "#808080"}\n'
    data, said = prepare(
        folder(table, lambda i: np.where(np.arange(64) < 5, 128, i * 255).astype(np.uint8))
    )
    assert (data.survey.class_pixels["train"] > 0).all() and "128 as road" in said


def test_tiles_of_one_value_are_read_as_the_folder(folder):
    root = folder(TABLE, lambda i: i * 255)
    write_raster(root / "g1" / "masks" / "a.png", np.full((64, 64, 1), 255, np.uint8))
    write_raster(root / "g2" / "masks" / "a.png", np.zeros((64, 64, 1), np.uint8))
    data, _ = prepare(root, "data.val_groups=[g1]")
    assert data.survey.class_pixels["val"].tolist() == [0, 64 * 64]


def test_255_beside_0_and_1_is_unlabelled_however_much_of_it(folder):
    sparse = lambda i: np.where(np.arange(64) < 60, 255, i).astype(np.uint8)  # noqa: E731
    data, said = prepare(folder(TABLE, sparse))
    assert sum(data.survey.class_pixels.values()).sum() == 3 * 64 * 4
    assert "warning" not in said and data.masks["undeclared_share"] == 0


def test_an_ignored_second_entry_keeps_its_meaning(folder):
    table = '- {name: land, color: "#804000", ignore: true}\n- {name: water, color: "#0000FF"}\n'
    data, _ = prepare(folder(table, lambda i: i * 255))
    assert data.survey.class_pixels["train"].tolist() == [
        sum(i.sum() for i in indices_of()) - data.survey.class_pixels["val"][0]
    ]


EXPLICIT = (
    '- {name: land, color: "#804000", value: 0}\n- {name: water, color: "#0000FF", value: 1}\n'
)


@pytest.mark.heavy
@pytest.mark.parametrize("table", [EXPLICIT, TABLE + '- {name: rail, color: "#111111"}\n'])
def test_255_that_no_class_claims_is_reported_where_a_class_has_no_pixel(folder, tmp_path, table):
    said, seen = both(folder(table, lambda i: i * 255), tmp_path)
    for text in (said, seen):
        assert "Masks hold 255 (" in text and " 0 (" in text and "write value: 255" in text
    assert "warning: no pixel of the training part is" in said


@pytest.mark.heavy
@pytest.mark.parametrize(
    "entry, absent",
    [
        ('- {name: snow, color: "#FFFFFF", value: 2}', 2),
        ('- {name: unlabeled, color: "#9B9B9B", value: 255, ignore: true}', 1),
    ],
    ids=["masks hold several of its values", "the table names it"],
)
def test_255_that_a_table_leaves_unlabelled_is_nothing_odd(folder, tmp_path, entry, absent):
    masks = folder(
        f"{EXPLICIT}{entry}\n",
        lambda i: np.where(np.arange(64) < 9, 255, np.minimum(i, absent - 1)).astype(np.uint8),
    )
    for text in both(masks, tmp_path):
        assert "255" not in text


def test_a_class_without_a_pixel_is_reported_before_training(folder):
    data, said = prepare(folder(THREE, lambda i: i))
    assert "warning: no pixel of the training part is snow" in said
    assert said.index("snow") < said.index("train ")
    assert (
        data.masks["absent"] == ["snow"]
        and ("Classes without a pixel in the training part", "snow") in data.facts
    )


def test_a_class_that_validation_lacks_is_reported_before_training(folder):
    root = folder(THREE, lambda i, path: i * 0 if "g0" in path.parts else i)
    text = prepare(root, "data.val_groups=[g0]")[1]
    assert "warning: no pixel of the validation part is water: not scored" in text
    assert "validation part" not in prepare(root, "data.val_groups=[g1]")[1]


@pytest.mark.heavy
@pytest.mark.parametrize("value", [0, 1, 255])
def test_declared_nodata_wins_loudly(folder, tmp_path, value):
    masks = {0: lambda i: i, 1: lambda i: i, 255: lambda i: i * 255}
    table = EXPLICIT.replace("value: 1", "value: 255") if value == 255 else EXPLICIT
    said, seen = both(folder(table, masks[value], "tif", nodata=value), tmp_path)
    name, other = ("land", "water") if value == 0 else ("water", "land")
    for text in (said, seen):
        assert (
            f"Mask files declare {value} as nodata, which is {name}" in text
            and "-unsetnodata" in text
        )
    assert (
        f"no pixel of the training part is {name}" in said
        and other not in said.split("training part is")[1].split("\n")[0]
    )


def test_nodata_of_0_leaves_255_a_class(folder):
    data, said = prepare(
        folder(TABLE, lambda i, path: Image.fromarray(i * 255).save(path, transparency=0))
    )
    assert (
        data.survey.class_pixels["train"][1] > 0
        and "which is land" in said
        and "training part is land" in said
    )


def test_transparency_is_not_looked_at(folder):
    la, rgba = (
        (lambda i, p: Image.fromarray(np.dstack([i * 255, i]), "LA").save(p)),
        rgb((0, 0, 0, 0), (255, 255, 255, 9)),
    )
    for mask in (la, rgba):
        assert water_share(prepare(folder(BLACK_WHITE, mask))[0]) == WATER


def test_declared_nodata_counts_in_no_share(folder):
    data, said = prepare(
        folder(
            TABLE, lambda i: np.where(np.arange(64) < 50, 9, i).astype(np.uint8), "tif", nodata=9
        )
    )
    assert data.masks["undeclared_share"] == 0 and "warning" not in said


def stripes(width, value):
    return lambda i: np.where(np.arange(64) < width, value, i).astype(np.uint8)


@pytest.mark.heavy
def test_most_pixels_of_no_class_are_refused_unless_allowed(folder, tmp_path):
    root = folder(
        TABLE, lambda i: np.where(np.arange(64) < 40, 9 + np.arange(64) % 2, i).astype(np.uint8)
    )
    said, seen = both(root, tmp_path)
    for text in (said, seen):
        assert "62.5% of the labelled mask pixels" in text and "data.max_undeclared=1" in text
        assert "They are 9 (31.2%), 10 (31.2%)" in text
    _, said = prepare(root, "data.max_undeclared=1")
    assert "warning: 62.5% of the labelled mask pixels are of no class" in said
    with pytest.raises(InputError, match="more than 10%"):
        prepare(root, "data.max_undeclared=0.1")


def test_ignored_entries_and_255_count_in_no_share(folder):
    ignoring = TABLE + '- {name: "?", color: "#111111", value: 9, ignore: true}\n'
    for table, mask in ((ignoring, stripes(50, 9)), (TABLE, stripes(50, 255))):
        data, said = prepare(folder(table.replace('"}', '"}'), mask))
        assert data.masks["undeclared_share"] == 0 and "share" not in said


def test_half_of_the_pixels_may_be_of_no_class(folder):
    data, said = prepare(folder(TABLE, stripes(32, 9)))
    assert (
        data.masks["undeclared_share"] == 0.5
        and "warning: 50.0% of the labelled mask pixels" in said
    )
    assert data.masks["undeclared"] == {"9": 3 * 64 * 32}


def saved_with_palette(i, path):
    picture = Image.fromarray(i, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0] + [5, 5, 5] * 254)
    picture.save(path)


def rgb(*colors):
    return lambda i: np.array(colors, np.uint8)[i]


def noisy(i, path):
    Image.fromarray(i * 255).save(path.with_suffix(".jpg"), quality=30)


def blocks(i, path):
    """Of the size of JPEG's, which keep no other values than their own, and these not exactly."""
    Image.fromarray(i[::8, ::8].repeat(8, 0).repeat(8, 1) * 255).save(
        path.with_suffix(".jpg"), quality=70
    )


def resized(i, path):
    picture = Image.fromarray(np.array([(0x80, 0x40, 0), (0, 0, 255)], np.uint8)[i])
    picture.resize((71, 71)).resize((64, 64), Image.Resampling.BILINEAR).save(path)


def noisy_colours(i, path):
    Image.fromarray(np.array([(0x80, 0x40, 0), (0, 0, 255)], np.uint8)[i]).save(
        path.with_suffix(".jpg"), quality=50
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "table, mask, words",
    [
        (
            TABLE,
            lambda i: i + 1,
            ["count classes from 1", "they hold", "land value: 1, water value: 2"],
        ),
        (THREE, lambda i: 1 + 2 * i, ["count classes from 1", "snow value: 3"]),
        (TABLE, stripes(8, 2), ["one value more", "2 (", "land value: 1, water value: 2"]),
        (TABLE, noisy, ["JPEG", "hold", "Export the masks again as PNG"]),
        (BLACK_WHITE, blocks, ["3 of 3 masks are JPEG", "hold", "Export the masks again as PNG"]),
        (TABLE, resized, ["besides those of the classes", "nearest neighbour"]),
        (TABLE, noisy_colours, ["JPEG", "#0000FD", "Export the masks as PNG"]),
        (EXPLICIT, saved_with_palette, ["palette", "#800000", 'water color: "#800000"']),
        (
            BLACK_WHITE,
            rgb((0, 0, 0), (1, 1, 1)),
            ["three equal bands", "#010101", 'water color: "#010101"'],
        ),
        (TABLE, rgb((0, 0x40, 0x80), (255, 0, 0)), ["red and blue exchanged", "#FF0000"]),
        (
            TABLE,
            lambda i: i.astype(np.uint16) * 65535,
            ["65535", "0, 65535", "masks of 8 bits that hold 0, 1"],
        ),
        (TABLE, lambda i: 10 + 10 * i, ["10 (", "20 (", "land value: 10, water value: 20"]),
        (THREE, lambda i: i * 127, ["127 (", "the values 0, 1, 2"]),
    ],
)
def test_what_masks_hold_and_what_to_write_is_said_by_both(folder, tmp_path, table, mask, words):
    said, seen = both(folder(table, mask), tmp_path)
    for text in (said, seen):
        assert all(word in text for word in words), text


def rare_black(indices, path):
    """Colours of TABLE, with some black pixels, as a picture with a palette where the
    path says so.
    """
    held = indices.copy()
    held[:4, :8] = 2
    picture = Image.fromarray(held, "P")
    picture.putpalette([0x80, 0x40, 0, 0, 0, 0xFF, 0, 0, 0])
    (picture if path.suffix == ".png" else picture.convert("RGB")).save(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_rare_colour_of_no_class_does_not_make_masks_odd(folder, suffix):
    """Real masks hold a few stray colours: that is a count, and no reason to rewrite the class
    table.
    """
    root = folder(TABLE, rare_black, suffix)
    lines = Lines()
    TrainingData.prepare(root, load_settings(Config, None, ["data.tile=64"]), lines)
    assert "#000000, which no class has" in lines.text
    assert "palette" not in lines.text and "equal bands" not in lines.text


def test_map_colours_change_nothing_about_how_masks_are_read(folder):
    drawn = BLACK_WHITE.replace('"#000000"', '"#000000", map_color: "#00FF00"').replace(
        '"#FFFFFF"', '"#FFFFFF", map_color: "#111111"'
    )
    root = folder(drawn, lambda i: i * 255)
    data = TrainingData.prepare(root, load_settings(Config, None, ["data.tile=64"]), Silent())
    assert data.class_table.claims_255 and data.survey.class_pixels["train"].all()


@pytest.mark.parametrize("mask", [lambda i: i + 1, noisy])
def test_masks_that_would_teach_something_else_are_refused(folder, mask):
    with pytest.raises(InputError, match=r"tiles: (Masks|3 of 3 masks)"):
        prepare(folder(TABLE, mask))


ONE = '- {name: water, color: "#FFFFFF"}\n'


@pytest.mark.parametrize(
    "save",
    [
        lambda i: i * 255,
        lambda i: (i * 255).astype(np.uint16),
        lambda i: (i * 255).astype(np.float32),
    ],
)
def test_a_table_of_one_class_does_not_give_it_the_background(folder, save):
    with pytest.raises(InputError, match=r"0 would be water, and 255 unlabelled.*class for 0"):
        prepare(folder(ONE, save, "tif"))


@pytest.mark.parametrize("value", [0, 255])
def test_one_class_with_a_value_is_read_by_it(folder, value):
    data, _ = prepare(folder(ONE.replace("}", f", value: {value}}}"), lambda i: i * 255))
    masks = {patch.pair.mask for patch in data.parts["train"]}
    held = sum((np.asarray(Image.open(mask)) == value).sum() for mask in masks)
    assert data.survey.class_pixels["train"][0] == held > 0


def test_explicit_values_make_jpeg_masks_usable(folder):
    data, said = prepare(folder(EXPLICIT.replace("value: 1", "value: 255"), noisy, groups=3))
    assert "warning: Masks hold" in said and "JPEG" in said
    assert (data.survey.class_pixels["train"] > 0).all() and 0 < data.masks[
        "undeclared_share"
    ] < 0.7


@pytest.mark.heavy
def test_groups_with_other_values_are_reported(folder, tmp_path):
    root = folder(TABLE, lambda i: i * 255)
    write_raster(root / "g2" / "masks" / "a.png", two_class_scene(64, 64, seed=2)[1])
    for text in both(root, tmp_path):
        assert "Groups show classes by different values: g0, g1 by 0 and 255, g2 by 0 and 1" in text


@pytest.mark.heavy
def test_masks_of_one_group_with_other_values_are_named(folder, tmp_path):
    root = folder(TABLE, lambda i: i * 255)
    image, indices = two_class_scene(64, 64, seed=7)
    for group in ("g0", "g1", "g2"):
        write_raster(root / group / "images" / "b.png", image)
        write_raster(root / group / "masks" / "b.png", indices)
    for text in both(root, tmp_path):
        assert "a.png by 0 and 255" in text and "b.png by 0 and 1" in text
    indices[:8] = 255  # unlabelled, as it says itself
    write_raster(root / "g0" / "masks" / "b.png", indices)
    assert "by 0 and 255" not in prepare(root)[1]


def test_tiles_cut_from_a_mask_mean_the_same_later(tmp_path):
    image, mask = two_class_scene(128, 128)
    mask = np.zeros_like(mask)
    mask[:64, :64] = 255
    scene, truth = (
        write_raster(tmp_path / "scene.tif", image),
        write_raster(tmp_path / "truth.tif", mask),
    )
    (tmp_path / "classes.yaml").write_text(TABLE)
    cut = cut_scene(scene, truth, tmp_path / "tiles" / "a", 64)
    assert (cut.tiles, cut.empty) == (4, 0) and "read as 0 land, 1 water" in str(cut)
    assert [
        c.value for c in load_class_table(tmp_path / "tiles" / "a" / "classes.yaml").classes
    ] == [0, 255]
    (tmp_path / "tiles" / "classes.yaml").write_text(TABLE)  # the same classes, without values
    pairs = find_pairs(tmp_path / "tiles")
    assert (
        decode_mask(pairs[0].mask, find_class_table(tmp_path / "tiles", pairs))[0].tolist()
        == [[1] * 64] * 64
    )


def test_nodata_of_a_mask_stays_nodata_in_its_tiles(tmp_path, class_table):
    image, mask = two_class_scene(64, 128)
    mask[:, :70] = 9
    scene, truth = (
        write_raster(tmp_path / "scene.tif", image),
        write_raster(tmp_path / "truth.tif", mask, nodata=9),
    )
    save_class_table(class_table, tmp_path / "classes.yaml")
    assert cut_scene(scene, truth, tmp_path / "tiles", 64).empty == 1
    (pair,) = find_pairs(tmp_path / "tiles")
    indices, unknown = decode_mask(pair.mask, class_table)
    assert (indices[:, :6] == 255).all() and (indices[:, 6:] != 255).all() and not unknown


def two_classes(water=1, **options):
    model = FakeModel(classes=2, **options)
    table = [
        Class(name="land", color="#804000", value=0),
        Class(name="water", color="#0000FF", value=water),
    ]
    model.info = model.info.model_copy(update={"classes": table})
    return model


@pytest.mark.parametrize(
    "water, white, beside",
    [(1, 255, False), (255, 255, False), (255, 1, False), (1, 255, True), (1, 1, True)],
)
def test_a_truth_is_read_by_the_whole_of_it(tmp_path, water, white, beside):
    indices = np.zeros((300, 40, 1), np.uint8)
    indices[260:] = 1  # not in the first rows that are read
    scene = write_raster(tmp_path / "scene.tif", indices)
    truth = write_raster(tmp_path / "t" / "truth.tif", indices * np.uint8(white))
    if beside:
        (tmp_path / "t" / "classes.yaml").write_text(TABLE)
    result = predict_scene(scene, two_classes(water), tmp_path / "out", truth=truth)
    assert result.report["accuracy"] == 1 and result.report["pixels"] == 300 * 40
    with rasterio.open(result.classes) as file:
        values = file.read(1)
        assert file.nodata == 255 and file.tags()["class_1"] == "water"
    assert np.array_equal(values, indices[..., 0])
    assert np.array_equal(
        predict_window(scene, two_classes(water), 250, 3, 30, 30), values[250:280, 3:33]
    )
    assert ("water has the value 1 in the map" in repr(result)) == (water == 255)


def test_a_truth_that_lacks_a_class_is_nothing_odd(tmp_path):
    indices = np.repeat(np.arange(4, dtype=np.uint8), 16)[None, :, None].repeat(64, 0)
    truth = np.where(indices == 3, 255, indices * 10).astype(np.uint8)
    scene, mask = (
        write_raster(tmp_path / "scene.tif", indices),
        write_raster(tmp_path / "truth.tif", truth),
    )
    result = predict_scene(scene, FakeModel(), tmp_path / "out", truth=mask)
    assert (
        not [note for note in result.report["notes"] if "Truth" in note]
        and result.report["accuracy"] == 1
    )


def test_a_map_value_is_the_smallest_that_is_free():
    table = [
        Class(name=n, color=f"#{i:06X}", value=v)
        for i, (n, v) in enumerate([("a", 0), ("b", 255), ("c", 1), ("d", 3)])
    ]
    ignored = Class(name="e", color="#FFFFFF", value=2, ignore=True)
    class_table = ClassTable([*table, ignored])
    assert class_table.values()[:4].tolist() == [0, 4, 1, 3]
    assert class_table.indices(np.array([0, 4, 1, 3, 2, 255], np.uint8)).tolist() == [
        0,
        1,
        2,
        3,
        255,
        255,
    ]


def test_the_share_of_a_truth_that_no_class_has_is_reported(tmp_path):
    indices = np.zeros((64, 64, 1), np.uint8)
    truth = indices.copy()
    truth[:16], truth[16:32] = 77, 255
    scene, mask = (
        write_raster(tmp_path / "scene.tif", indices),
        write_raster(tmp_path / "t" / "truth.tif", truth),
    )
    result = predict_scene(scene, two_classes(), tmp_path / "out", truth=mask)
    assert result.report["undeclared_share"] == pytest.approx(
        1 / 3
    ) and "33.3% of the reference's labelled pixels" in repr(result)


@pytest.mark.heavy
@pytest.mark.parametrize("water, white", [(1, 255), (255, 255), (255, 1)])
def test_evaluation_reads_masks_alike(tmp_path, water, white):
    for number, share in enumerate((0, 32, 12)):
        indices = np.zeros((32, 32, 1), np.uint8)
        indices[:share] = 1
        write_raster(tmp_path / "tiles" / "images" / f"{number}.png", indices)
        write_raster(tmp_path / "tiles" / "masks" / f"{number}.png", indices * np.uint8(white))
    lines = Lines()
    found = segment.evaluate(tmp_path / "tiles", two_classes(water), progress=lines)
    assert found.confusion.accuracy == 1 and found.report["pixels"] == 3 * 32 * 32
    assert ("note: masks hold" in lines.text) == (water != white)


@pytest.mark.heavy
def test_evaluation_reports_the_share_of_no_class(tmp_path):
    indices = np.zeros((32, 32, 1), np.uint8)
    masks = indices.copy()
    masks[:24, :16], masks[:24, 16:] = 50, 60
    write_raster(tmp_path / "tiles" / "images" / "a.png", indices)
    write_raster(tmp_path / "tiles" / "masks" / "a.png", masks)
    lines = Lines()
    segment.evaluate(tmp_path / "tiles", two_classes(), progress=lines)
    assert "warning: 75.0% of the labelled mask pixels are of no class: not scored" in lines.text


@pytest.mark.heavy
def test_exploring_masks_of_0_and_255_shows_both_classes(folder, tmp_path):
    explore(folder(TABLE, lambda i: i * 255), tmp_path / "look", model=None)
    figures = json.loads((tmp_path / "look" / "report.json").read_text())
    assert (
        figures["class_pixels"]["water"] == sum(i.sum() for i in indices_of())
        and not figures["undeclared"]
    )
    assert figures["class_tables"][0]["not_named"] == {} and figures["mask_notes"]


@pytest.mark.heavy
def test_exploring_masks_of_0_and_255_without_a_table_asks_for_both_names(folder, tmp_path):
    root = folder(TABLE, lambda i: i * 255)
    (root / "classes.yaml").unlink()
    assert (
        "value: 0" in (found := str(explore(root, tmp_path / "look", model=None)))
        and "value: 255" in found
    )


@pytest.mark.parametrize(
    "colors, values, word",
    [
        ((LAND, WATER_BLUE), "", None),
        ((WATER_BLUE, LAND), "", "refused"),
        ((WATER_BLUE, LAND), "values", "warning"),
        (((1, 2, 3, 255), (9, 9, 9, 255)), "", None),
        ((WATER_BLUE, (9, 9, 9, 255)), "", None),
    ],
    ids=["same", "exchanged", "exchanged, with values", "other colours", "one colour by chance"],
)
def test_a_colour_table_of_other_classes_is_not_passed_over(folder, colors, values, word):
    table = TABLE.replace('04000"}', '04000", value: 0}').replace('0FF"}', '0FF", value: 1}')
    root = folder(table if values else TABLE, lambda i: i, "tif")
    for mask in root.glob("*/masks/*.tif"):
        with rasterio.open(mask) as file:
            stored, profile = file.read(), file.profile
        with rasterio.open(mask, "w", **profile) as file:
            file.write(stored)
            file.write_colormap(1, dict(enumerate(colors)))
    if word == "refused":
        with pytest.raises(InputError, match="shows 0 in the colour of water, and 0 is land"):
            prepare(root)
        return
    data, printed = prepare(root)
    assert water_share(data) == WATER
    assert ("colour table of masks shows" in printed) == (word == "warning")


def test_a_photograph_as_mask_does_not_take_minutes(monkeypatch):
    calls = []
    values = MaskCensus.values.fget
    monkeypatch.setattr(MaskCensus, "values", property(lambda of: calls.append(1) or values(of)))
    colors = Counter({f"#{number:06X}": 1 for number in range(1, 5000)})
    table = ClassTable([Class(name="land", color="#000000")])
    choose_reading(table, MaskCensus(held=colors, masks=1))
    assert len(calls) < 20  # each gathers all values


def test_a_folder_as_mask_is_refused(tmp_path):
    write_raster(tmp_path / "scene.tif", two_class_scene(64, 64)[0])
    with pytest.raises(InputError, match="is a folder"):
        cut_scene(tmp_path / "scene.tif", ".", tmp_path / "tiles", 64)
    assert not (tmp_path / "tiles").exists()

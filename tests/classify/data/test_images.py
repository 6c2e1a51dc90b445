import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from classify.config import DataSettings
from classify.data.class_folders import folder_notes
from classify.data.class_table import color_classes
from classify.data.images import find_images
from classify.data.pixels import centre_crop, prepare, read_image
from segment.core.errors import InputError
from segment.core.labels.classes import Class, ClassTable, save_class_table
from segment.core.raster.opening import open_raster
from tests.conftest import write_raster


def touch(root: Path, *files: str) -> Path:
    """Files without content: images are found by name."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def write_csv(root: Path, text: str, name: str = "labels.csv") -> Path:
    touch(root, "a.png", "deep/b.JPG", "c.tif")
    (root / name).write_text(text)
    return root / name


def found(root: Path, **settings: object) -> list[tuple[str, list[str], str | None]]:
    """Relative path, names of classes and part of each image."""
    collection = find_images([root], DataSettings.model_validate(settings))
    folder = root if root.is_dir() else root.parent
    names = collection.class_table.names
    return [
        (i.path.relative_to(folder).as_posix(), [names[k] for k in i.labels], i.part)
        for i in collection.images
    ]


def test_class_folders_with_all_that_lies_below(tmp_path):
    touch(
        tmp_path,
        "water/b.png",
        "water/a.JPEG",
        "water/lakes/deep/c.tif",
        "Forest/d.jp2",
        "notes.txt",
        "water/a.aux.xml",
    )
    touch(tmp_path, ".cache/e.png", "water/.thumbs/f.png", "water/.g.png", "loose.png")
    assert found(tmp_path) == [
        ("Forest/d.jp2", ["Forest"], None),
        ("water/a.JPEG", ["water"], None),
        ("water/b.png", ["water"], None),
        ("water/lakes/deep/c.tif", ["water"], None),
    ]


def test_collection_of_class_folders_has_one_label_an_image_and_its_folders_name(tmp_path):
    collection = find_images([touch(tmp_path / "uc", "b/1.png", "a/2.png")], DataSettings())
    assert collection.class_table.names == ["a", "b"] and not collection.multi_label
    assert [(i.labels, i.collection) for i in collection.images] == [((0,), "uc"), ((1,), "uc")]


def test_folders_of_parts_fix_them(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "Test/B/4.png")
    touch(tmp_path, "documents/readme.txt")
    assert found(tmp_path) == [
        ("Test/B/4.png", ["B"], "test"),
        ("train/a/1.png", ["a"], "train"),
        ("train/b/2.png", ["B"], "train"),
        ("val/a/3.png", ["a"], "val"),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("training", "Validation", "testing"),
        ("TRAIN", "dev", "TEST"),
        ("Training", "VALID", "Testing"),
    ],
)
def test_folders_of_parts_have_other_names_too(tmp_path, names):
    touch(tmp_path, *(f"{name}/{label}/{name}.png" for name in names for label in "ab"))
    parts = dict(zip(names, ("train", "val", "test"), strict=True))
    assert sorted(found(tmp_path)) == sorted(
        (f"{n}/{label}/{n}.png", [label], parts[n]) for n in names for label in "ab"
    )
    said = " ".join(folder_notes(tmp_path))
    assert all(f"folder {n} is read as {p}" in said for n, p in parts.items() if n != p)


def test_two_folders_of_one_part_both_count_and_are_reported(tmp_path):
    touch(
        tmp_path, "train/a/1.png", "train/b/2.png", "Train/a/3.png", "val/a/4.png", "valid/b/5.png"
    )
    assert [part for _, _, part in found(tmp_path)] == ["train", "train", "train", "val", "val"]
    assert folder_notes(tmp_path) == [
        "folders Train, train are all read as train",
        "folders val, valid are all read as val",
    ]


def test_images_outside_class_folders_are_reported(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png", "val/5.png")
    touch(tmp_path, "6.png", ".7.png", "notes.txt")
    (note,) = folder_notes(tmp_path)
    assert note == f"no class folder holds 2 images, left out, e.g. {tmp_path / '6.png'}"


def test_pictures_with_other_endings_are_reported(tmp_path):
    touch(tmp_path, "a/1.png", "a/deep/2.HEIC", "b/3.tif", "b/4.gif", "b/.5.gif", "b/notes.txt")
    (note,) = folder_notes(tmp_path)
    assert note.startswith("2 pictures with other endings (.gif, .heic) left out, e.g. ")
    assert note.endswith(f"{tmp_path / 'a/deep/2.HEIC'}: convert them to PNG or TIFF")


COMPOSED, APART = "w\u00e4lder", "wa\u0308lder"  # which look the same


def test_names_that_look_the_same_are_one_class(tmp_path):
    write_csv(tmp_path, f"file,labels\na.png,{APART}\ndeep/b.JPG,{COMPOSED};\nc.tif,x\n")
    collection = find_images([tmp_path], DataSettings())
    assert (collection.class_table.names, collection.notes) == (["wälder", "x"], [])
    data = touch(tmp_path / "data", f"{APART} /1.png", f"{COMPOSED}/2.png", "x/3.png", "y/4.png")
    tables = [[{"name": n, "color": f"#0000{i}0"} for i, n in enumerate((APART, "x"))], None]
    for table in tables:
        settings = DataSettings(classes=table, label_map={"y": APART})
        collection = find_images([data], settings)
        assert (collection.class_table.names, collection.notes) == ([COMPOSED, "x"], [])
        assert sorted(i.labels for i in collection.images) == [(0,), (0,), (0,), (1,)]
    (data / f"{APART}-2").mkdir()
    assert len(find_images([data], DataSettings(label_map={f"{COMPOSED}-2": None})).images) == 4


def test_labels_that_are_joined_or_left_out_are_reported(tmp_path):
    touch(tmp_path, "Water/1.png", "water/2.png", "woods/3.png", "cloud/4.png", "cloud/5.png")
    collection = find_images([tmp_path], DataSettings(label_map={"cloud": None}))
    assert collection.notes == [
        "labels Water, water are one class: case does not matter",
        "2 images of labels that are ignored or null, left out",
    ]


def test_images_that_a_csv_does_not_list_are_reported(tmp_path):
    table = write_csv(tmp_path, "file,labels\na.png,x\ndeep/b.JPG,y\n")
    touch(tmp_path, "deep/unlisted.png", "elsewhere/d.png")
    (note,) = folder_notes(table)
    assert note == f"{table} has no row for 2 images, left out, e.g. {tmp_path / 'c.tif'}"
    assert folder_notes(write_csv(tmp_path, "file,labels\na.png,x\nc.tif,y\n")) == []


def test_classes_that_are_called_like_a_part_stay_classes(tmp_path):
    touch(tmp_path, "dev/1.png", "forest/2.png")
    assert [labels for _, labels, _ in found(tmp_path)] == [["dev"], ["forest"]]


def test_parts_of_a_csv_have_other_names_too(tmp_path):
    table = write_csv(
        tmp_path, "file,labels,part\na.png,x,Validation\nc.tif,y,TRAINING\ndeep/b.JPG,x,testing\n"
    )
    assert [part for _, _, part in found(table)] == ["val", "train", "test"]


def test_links_are_followed_and_do_not_go_in_circles(tmp_path):
    elsewhere = touch(tmp_path / "elsewhere", "1.png", "sub/2.png")
    root = touch(tmp_path / "data", "b/3.png")
    os.symlink(elsewhere, root / "a")
    os.symlink(elsewhere, elsewhere / "sub" / "back")
    assert [path for path, _, _ in found(root)] == ["a/1.png", "a/sub/2.png", "b/3.png"]


def test_csv_gives_any_number_of_labels_and_parts(tmp_path):
    table = write_csv(
        tmp_path,
        "\ufefffile,labels,part\ndeep/b.JPG,ship; Water ;ship,val\na.png,,\n\nc.tif,water,Train\n",
    )
    expected = [
        ("a.png", [], None),
        ("c.tif", ["water"], "train"),
        ("deep/b.JPG", ["ship", "water"], "val"),
    ]
    assert found(table) == found(tmp_path) == expected
    assert find_images([table], DataSettings()).multi_label


def test_csv_with_one_label_each_still_means_several(tmp_path):
    write_csv(tmp_path, "file,labels\na.png,water\nc.tif,water\n")
    collection = find_images([tmp_path], DataSettings())
    assert collection.multi_label and collection.class_table.names == ["water"]


def test_folders_are_joined_by_names_without_case_after_the_map(tmp_path):
    first = touch(tmp_path / "one" / "data", "Water/1.png", "woods/2.png", "cloud/3.png")
    second = touch(tmp_path / "two" / "data", "water/4.png", "FOREST/5.png")
    settings = DataSettings(label_map={"WOODS": "forest", "cloud": None})
    collection = find_images([second, first], settings)
    assert collection.class_table.names == ["FOREST", "water"]  # as found first
    assert [(i.path.name, i.labels) for i in collection.images] == [
        ("5.png", (0,)),
        ("4.png", (1,)),
        ("1.png", (1,)),
        ("2.png", (0,)),
    ]
    assert {i.collection for i in collection.images} == {"data (1)", "data (2)"}


def test_a_label_mapped_to_null_leaves_its_images_out_whatever_else_they_show(tmp_path):
    write_csv(tmp_path, "file,labels\na.png,water;cloud\nc.tif,water\n")
    assert found(tmp_path, label_map={"Cloud": None}) == [("c.tif", ["water"], None)]


def test_empty_class_folder_may_be_mapped_to_null(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png", "c/notes.txt")
    assert len(found(tmp_path, label_map={"c": None})) == 2


TABLE = [
    Class(name="Water", color="#0000FF"),
    Class(name="cloud", color="#FFFFFF", ignore=True),
    Class(name="crop", color="#00FF00"),
]


def test_class_table_gives_order_and_colours_and_leaves_ignored_classes_out(tmp_path):
    touch(tmp_path, "crop/1.png", "water/2.png", "cloud/3.png")
    collection = find_images([tmp_path], DataSettings(classes=TABLE))
    assert [(c.name, c.color) for c in collection.class_table.classes] == [
        ("Water", "#0000FF"),
        ("crop", "#00FF00"),
    ]
    assert [(i.path.name, i.labels) for i in collection.images] == [
        ("1.png", (1,)),
        ("2.png", (0,)),
    ]


def test_class_table_beside_the_data_is_the_first_folders_unless_settings_have_one(tmp_path):
    first, second = touch(tmp_path / "one", "crop/1.png"), touch(tmp_path / "two", "water/2.png")
    save_class_table(ClassTable(TABLE), second / "classes.yaml")
    assert find_images([first, second], DataSettings()).class_table == ClassTable(TABLE)
    mine = [Class(name="crop", color="#010101"), Class(name="water", color="#020202")]
    assert find_images([first, second], DataSettings(classes=mine)).class_table == ClassTable(mine)


def test_class_table_beside_a_csv(tmp_path):
    table = write_csv(tmp_path, "file,labels\na.png,water\nc.tif,crop\n", "mine.CSV")
    save_class_table(ClassTable(TABLE), tmp_path / "classes.yaml")
    assert find_images([table], DataSettings()).class_table.names == ["Water", "crop"]


def test_many_classes_have_a_colour_each(tmp_path):
    touch(tmp_path, *(f"c{k:03}/1.png" for k in range(250)))
    classes = find_images([tmp_path], DataSettings()).class_table.classes
    assert len({c.color for c in classes}) == 250
    few = find_images(
        [touch(tmp_path / "few", "a/1.png", "b/2.png")], DataSettings()
    ).class_table.classes
    assert few[0].color == classes[0].color


def make_nothing(root: Path) -> Path:
    return root / "nowhere"


def make_other_file(root: Path) -> Path:
    return touch(root, "labels.txt") / "labels.txt"


FAULTS = {
    "no such path": (make_nothing, {}, ["nowhere", "no such path", "class folders", "Check"]),
    "a file that is no CSV": (make_other_file, {}, ["labels.txt", "CSV", "class folders"]),
    "one class": (lambda r: touch(r, "a/1.png"), {}, ["only one class", "'a'", "class folders"]),
    "a class folder itself": (
        lambda r: touch(r, "1.png", "2.jpg"),
        {},
        ["2 images, but no folder", "folder above"],
    ),
    "an empty folder": (lambda r: r, {}, ["class folders", "no folder", "Check the path"]),
    "folders without images": (
        lambda r: touch(r, "a/1.txt", "b/2.txt"),
        {},
        ["class folders", "no images", ".jp2"],
    ),
    "part without classes": (
        lambda r: touch(r, "train/1.png", "val/a/2.png"),
        {},
        ["train", "1 images, but no folder"],
    ),
    "folder beside parts": (
        lambda r: touch(r, "train/a/1.png", "more/a/2.png"),
        {},
        ["beside train, val and test", "'more'", "Move"],
    ),
    "class folders beside a part by another name": (
        lambda r: touch(r, "a/1.png", "b/2.png", "Valid/a/3.png", "Valid/b/4.png"),
        {},
        ["Valid:", "'Valid' is a part", "into a folder train"],
    ),
    "empty class": (
        lambda r: touch(r, "a/1.png", "b/2.png", "c/x.txt"),
        {},
        ["/c:", "no images", "Remove it", "{c: null}"],
    ),
    "unknown key of the map": (
        lambda r: touch(r, "water/1.png", "Woods/2.png"),
        {"label_map": {"wods": "x"}},
        ["label_map", "'wods'", "Did you mean 'Woods'", "water"],
    ),
    "key of the map twice": (
        lambda r: touch(r, "a/1.png", "b/2.png"),
        {"label_map": {"a": "b", "A": None}},
        ["label_map", "case", "'A'"],
    ),
    "all mapped to null": (
        lambda r: touch(r, "a/1.png", "b/2.png"),
        {"label_map": {"a": None, "b": None}},
        ["No classes found", "null"],
    ),
    "label outside the table": (
        lambda r: touch(r, "crop/1.png", "water/2.png", "waterr/3.png"),
        {"classes": TABLE},
        ["/waterr:", "data.classes", "'waterr'", "{waterr: null}", "{waterr: Water}"],
    ),
    "label mapped outside the table": (
        lambda r: touch(r, "crop/1.png", "water/2.png"),
        {"classes": TABLE, "label_map": {"crop": "grain"}},
        ["/crop:", "mapped to 'grain'"],
    ),
    "class without images": (
        lambda r: touch(r, "water/1.png"),
        {"classes": TABLE},
        ["data.classes", "no images of crop", "remove"],
    ),
    "class with images of null only": (
        lambda r: touch(r, "water/1.png", "crop/2.png"),
        {"classes": TABLE, "label_map": {"crop": None}},
        ["no images of crop"],
    ),
    "control character": (
        lambda r: touch(r, "a/1.png", "b\nc/2.png"),
        {},
        ["several lines", "'b\\nc'", "Rename"],
    ),
    "blank target": (
        lambda r: touch(r, "a/1.png", "b/2.png"),
        {"label_map": {"a": " "}},
        ["it is blank", "' '"],
    ),
    "no header": (
        lambda r: write_csv(r, "a.png,water\n"),
        {},
        ["header", "file,labels,part", "a.png,water"],
    ),
    "empty CSV": (lambda r: write_csv(r, ""), {}, ["header is ''"]),
    "no rows": (lambda r: write_csv(r, "file,labels\n\n"), {}, ["no rows", "Add rows"]),
    "too many cells": (
        lambda r: write_csv(r, "file,labels\na.png,water,ship\n"),
        {},
        ["line 2", "3 cells", "`;`"],
    ),
    "missing file": (
        lambda r: write_csv(r, "file,labels\na.png,w\nx.png,w\n"),
        {},
        ["line 3", "'x.png'", "CSV's folder"],
    ),
    "file twice": (
        lambda r: write_csv(r, "file,labels\na.png,w\n./a.png,v\n"),
        {},
        ["line 3", "'./a.png'", "line 2"],
    ),
    "file twice by detour": (
        lambda r: write_csv(r, "file,labels\na.png,w\ndeep/../a.png,v\n"),
        {},
        ["line 2", "line 3", "also listed"],
    ),
    "unknown part": (
        lambda r: write_csv(r, "file,labels,part\na.png,w,later\n"),
        {},
        ["line 2", "'later'", "train, val, test"],
    ),
    "open quotes": (
        lambda r: write_csv(r, 'file,labels\n"a.png,w\n'),
        {},
        ["CSV in UTF-8", "Save it as a CSV"],
    ),
    "no labels at all": (
        lambda r: write_csv(r, "file,labels\na.png,\n"),
        {},
        ["No classes found", "Label images"],
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_data_are_reported_in_one_line(tmp_path, case):
    make, settings, words = FAULTS[case]
    with pytest.raises(InputError) as caught:
        find_images([make(tmp_path)], DataSettings.model_validate(settings))
    message = str(caught.value)
    assert [word for word in words if word not in message] == [] and "\n" not in message


def test_csv_of_another_encoding_is_refused(tmp_path):
    write_csv(tmp_path, "").write_bytes("file,labels\na.png,grünland\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        find_images([tmp_path], DataSettings())


def test_faults_between_data_folders(tmp_path):
    folders = touch(tmp_path / "folders", "a/1.png", "b/2.png")
    table = write_csv(tmp_path / "listed", "file,labels\na.png,a\n")
    with pytest.raises(InputError, match=r"folders: has class folders, .*labels.csv has a CSV"):
        find_images([table, folders], DataSettings())
    with pytest.raises(InputError, match=r"1\.png is also listed"):
        find_images([folders, folders], DataSettings())
    with pytest.raises(InputError, match="No data folder"):
        find_images([], DataSettings())


# pixels


def noise(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, shape).astype(dtype)


def test_read_image_gives_all_but_alpha_or_the_bands_asked_for(tmp_path):
    pixels = noise(8, 6, 4)
    pixels[..., 3] = 255
    pixels[0, 0, 3] = 0
    path = write_raster(tmp_path / "a.png", pixels)
    expected = pixels[..., :3].copy()
    expected[0, 0] = 0
    assert np.array_equal(read_image(path), expected)
    assert np.array_equal(read_image(path, [3, 1]), expected[..., [2, 0]])


def test_read_image_puts_0_where_nodata(tmp_path):
    pixels = noise(8, 6, 2, dtype="uint16")
    pixels[2, 3] = 9999
    read = read_image(write_raster(tmp_path / "a.tif", pixels, nodata=9999), None)
    assert (
        read.dtype == np.uint16
        and read[2, 3].tolist() == [0, 0]
        and np.array_equal(read[4:], pixels[4:])
    )


def test_read_image_leaves_grey_pictures_grey(tmp_path):
    assert read_image(write_raster(tmp_path / "a.png", noise(8, 6, 1)), None).shape == (8, 6, 1)


@pytest.mark.parametrize("suffix", ["bmp", "webp"])
def test_pictures_of_other_formats_are_found_and_read(tmp_path, suffix):
    pixels = noise(8, 6, 3)
    for name in "ab":
        (tmp_path / name).mkdir()
        # above 100: without loss
        options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == "webp" else []
        cv2.imwrite(
            str(tmp_path / name / f"1.{suffix}"), np.ascontiguousarray(pixels[..., ::-1]), options
        )
    images = find_images([tmp_path], DataSettings()).images
    assert len(images) == 2 and np.array_equal(read_image(images[0].path), pixels)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_read_image_gives_palette_pictures_as_their_colours(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    indices = np.array([[0, 1], [2, 1]], np.uint8)[..., None]
    driver = {"png": "PNG", "tif": "GTiff"}[suffix]
    with rasterio.open(
        path, "w", driver=driver, height=2, width=2, count=1, dtype="uint8", nodata=2
    ) as file:
        file.write_colormap(1, {0: (10, 20, 30), 1: (200, 100, 50), 2: (9, 9, 9)})
        file.write(indices[..., 0], 1)
    with rasterio.open(path) as file:
        assert file.colorinterp == (ColorInterp.palette,)
    assert read_image(path).tolist() == [
        [[10, 20, 30], [200, 100, 50]],
        [[0, 0, 0], [200, 100, 50]],
    ]
    assert read_image(path, [1]).shape == (2, 2, 1)


def test_broken_images_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png"):
        read_image(tmp_path / "a.png")


def test_rasters_tell_what_their_bands_are_called(tmp_path):
    path = write_raster(tmp_path / "a.tif", noise(4, 4, 3))
    with rasterio.open(path, "r+") as file:
        file.set_band_description(1, "B04")
        file.set_band_description(3, "B02")
    with open_raster(path, [3]) as raster:
        assert raster.descriptions == ("B04", None, "B02")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int16", "int32", "uint32", "float32", "float64"]
)
@pytest.mark.parametrize("bands", [1, 3, 4, 13])
@pytest.mark.parametrize("resize", [10, 37])
def test_prepare_keeps_aspect_dtype_and_values(dtype, bands, resize):
    largest = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else 6e4
    pixels = np.empty((40, 20, bands), dtype)
    pixels[:] = np.linspace(0, largest, bands).astype(dtype)
    prepared = prepare(pixels, resize)
    assert prepared.dtype == dtype and prepared.shape == (2 * resize, resize, bands)
    expected = np.broadcast_to(pixels[0, 0], prepared.shape)
    np.testing.assert_allclose(prepared.astype(np.float64), expected.astype(np.float64), rtol=1e-6)


def test_prepare_averages_where_it_shrinks_and_keeps_bands_apart():
    pixels = noise(16, 16, 13, dtype="uint16")
    means = pixels.reshape(8, 2, 8, 2, 13).mean(axis=(1, 3))
    assert np.abs(prepare(pixels, 8) - means).max() <= 0.5


@pytest.mark.parametrize("turned", [False, True])
def test_prepare_takes_the_middle_of_an_endless_strip(turned):
    strip = np.zeros((2, 100_001, 3), np.uint8)
    strip[:, 50_000] = 255
    found = prepare(strip.swapaxes(0, 1), 16) if turned else prepare(strip, 16)
    found = found.swapaxes(0, 1) if turned else found
    assert found.shape == (16, 64 * 16, 3)
    assert abs(found[0, :, 0].argmax() - 32 * 16) <= 8


def test_prepare_leaves_images_alone_with_0_or_at_their_size():
    pixels = noise(9, 7, 2)
    assert prepare(pixels, 0) is pixels and prepare(pixels, 7) is pixels


def test_prepare_of_a_narrow_strip_has_a_pixel_left():
    assert prepare(noise(1, 60, 3), 4).shape == (4, 240, 3)
    assert prepare(noise(64, 65, 1), 1).shape == (1, 1, 1)


def test_centre_crop_takes_the_middle():
    pixels = noise(10, 7, 3)
    assert np.array_equal(centre_crop(pixels, 4), pixels[3:7, 1:5])


@pytest.mark.parametrize("height,width", [(3, 5), (1, 1), (2, 40), (31, 33)])
def test_centre_crop_continues_smaller_images_by_their_mirror_image(height, width):
    pixels = noise(height, width, 13, dtype="uint16")
    crop = centre_crop(pixels, 32)
    assert crop.shape == (32, 32, 13) and crop.dtype == np.uint16 and crop.min() > 0
    top, left = max(0, (32 - height) // 2), max(0, (32 - width) // 2)
    rows, columns = min(height, 32), min(width, 32)
    inner = pixels[(height - rows) // 2 :, (width - columns) // 2 :][:rows, :columns]
    assert np.array_equal(crop[top : top + rows, left : left + columns], inner)


@pytest.mark.parametrize("target", [".", "..", "../../..", "/"])
def test_links_that_lead_up_are_no_images_of_a_class(tmp_path, target):
    for name in ("forest", "water"):
        write_raster(tmp_path / "data" / name / "deep" / f"{name}.png", noise(8, 8, 3))
        (tmp_path / "data" / name / "deep" / "loop").symlink_to(target)
    found = find_images([tmp_path / "data"], DataSettings())
    assert [
        (image.path.stem, found.class_table.names[image.labels[0]]) for image in found.images
    ] == [
        ("forest", "forest"),
        ("water", "water"),
    ]


@pytest.mark.parametrize(
    "layout", [("sea/Train", "sea/valid", "sand"), ("train/sea/val", "train/sand", "val/sea")]
)
def test_parts_within_classes_are_said(tmp_path, layout):
    for folder in layout:
        write_raster(tmp_path / folder / "a.png", np.zeros((8, 8, 3), np.uint8))
    (note,) = folder_notes(tmp_path)
    assert "a folder inside a class folder assigns no part" in note


def test_a_class_folder_that_is_not_utf8_is_refused_by_that_rule():
    with pytest.raises(InputError, match=r"'w.udce4ter' cannot be the name of a class.*not UTF-8"):
        color_classes({"land", "w\udce4ter"}, [])

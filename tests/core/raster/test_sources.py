"""What users name: names of outputs, folders and patterns, names that no library opens."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from segment.core.errors import InputError
from segment.core.file_search import folders_below
from segment.core.inputs.named_scenes import find_sources, require_own_names
from segment.core.raster.opening import open_raster
from segment.core.raster.sources import Source, as_source, without_key
from segment.core.raster.subdatasets import subdataset_name
from tests.conftest import write_raster

SAFE = "S2A_MSIL2A_20240501T073611_N0510_R092_T40RCN_20240501T110000"


@pytest.mark.parametrize(
    ("connection", "stem"),
    [
        ("GPKG:flights.gpkg:may", "flights_may"),
        ("GPKG:/data/my flights.gpkg:june", "my_flights_june"),
        ('NETCDF:"f.nc":a', "f_a"),
        ("NETCDF:f.nc:b.2", "f_b.2"),
        ('NETCDF:"/vsicurl/https://host:8080/f.nc?key=K":a', "f_a"),
        ('NETCDF:"C:\\data\\f.nc":a', "f_a"),
        ("NETCDF:C:\\data\\f.nc:a", "f_a"),
        ('HDF5:"f.h5"://group/set', "f_group-set"),
        ("HDF5:f.h5://group_set", "f_group_set"),
        (
            f"SENTINEL2_L2A:/vsizip/{SAFE}.zip/{SAFE}.SAFE/MTD_MSIL2A.xml:10m:EPSG_32640",
            f"{SAFE}_10m_EPSG_32640",
        ),
        (f"SENTINEL2_L2A:{SAFE}.zip:20m:EPSG_32640", f"{SAFE}_20m_EPSG_32640"),
        ("GTIFF_DIR:2:file.tif", "file_2"),
        ("GTIFF_DIR:off:1234:/data/file.tif", "file_off_1234"),
        ('ZARR:"/vsicurl/https://host/store.zarr":/group/a', "store_group-a"),
        ('HDF4_EOS:EOS_GRID:"MOD13.hdf":Grid:NDVI', "MOD13_EOS_GRID_Grid_NDVI"),
        ("WMTS:https://host/capabilities.xml,layer=x", "capabilities_layer=x"),
        ("vrt://a.tif?bands=3,2,1", "a_bands=3,2,1"),
        ("s3://bucket/a.tif?sig=a/b", "a"),  # no subdatasets
        ("/vsicurl/https://host:80/a.tif", "a"),
        ("/vsizip/x.zip/a.tif", "a"),
    ],
)
def test_names_of_subdatasets(connection, stem):
    assert Source.of(connection).stem == stem


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("s3://b/a.tif?sig=K/b", "s3://b/a.tif?sig=K/b: is gone.", "s3://b/a.tif: is gone."),
        ("/vsicurl/h/a.tif?K=1&b=?", "/vsicurl/h/a.tif?K=1&b=?", "/vsicurl/h/a.tif"),
        ("https://me:K@h/a", "https://me:K@h/a: 403", "https://h/a: 403"),
        ("https://h/a.tif?", "https://h/a.tif?", "https://h/a.tif?"),
        ("https://h/@a.tif", "https://h/@a.tif: no", "https://h/@a.tif: no"),
        ("vrt://K.tif?bands=1", "vrt://K.tif?bands=1", "vrt://K.tif?bands=1"),
        (Path("K?.tif"), "K?.tif: no", "K?.tif: no"),
    ],
)
def test_texts_about_signed_addresses_hold_no_key(path, text, shown):
    assert without_key(text, path) == shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('HDF5:"f.h5"://a/b', 'HDF5:"f.h5"://a_b'),
        ('HDF4_EOS:EOS_GRID:"f.hdf":G:band 1', 'HDF4_EOS:EOS_GRID:"f.hdf":G:band_1'),
        (
            "WMS:https://host/wms?CRS=EPSG:4326&LAYERS=a",
            "WMS:https://host/wms?CRS=EPSG:4326&LAYERS=b",
        ),
        ("ZARR:s.zarr:/a:{0}", "ZARR:s.zarr:/a:{1}"),
        ('NETCDF:"f.nc":a', 'NETCDF:"f.nc":a.b'),
        ("vrt://a.tif?bands=1,2,3", "vrt://a.tif?bands=3,2,1"),
        (
            "SENTINEL2_L2A:A.SAFE/MTD_MSIL2A.xml:10m:EPSG_32640",
            "SENTINEL2_L2A:B.SAFE/MTD_MSIL2A.xml:10m:EPSG_32640",
        ),
    ],
)
def test_names_of_two_subdatasets_differ(one, other):
    sources = find_sources([one, other])
    require_own_names(sources)
    for source in sources:
        assert source.stem.isprintable() and not set(source.stem) & set('/\\:?"<>| ')
        assert len(source.stem.encode()) < 200


def test_a_product_is_named_by_its_folder_from_within(tmp_path, monkeypatch):
    (tmp_path / "A.SAFE").mkdir()
    monkeypatch.chdir(tmp_path / "A.SAFE")
    assert subdataset_name("SENTINEL2_L1C:MTD_MSIL1C.xml:10m:EPSG_32632") == "A_10m_EPSG_32632"


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/data/S1A_IW_GRDH_2024.SAFE/manifest.safe", "S1A_IW_GRDH_2024"),
        ("S2B.SAFE/MTD_MSIL1C.xml", "S2B"),
        ("/vsicurl/https://host/RS2_OK1/product.xml?key=K", "RS2_OK1"),
        ("grids/slope/hdr.adf", "slope"),
        ("may/product.tif", "product"),
        ("may/metadata_2024.tif", "metadata_2024"),
        ("may/hdr.tif", "hdr"),
        ("may/dem.adf", "dem"),
        ("/manifest.safe", "manifest"),
    ],
)
def test_a_file_that_each_product_has_is_named_by_its_folder(path, stem):
    assert Source.of(path).stem == stem


def test_a_container_is_read_by_its_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, table in enumerate(("may", "june")):
        profile = {
            "raster_table": table,
            "append_subdataset": "YES" if number else "NO",
            "dtype": "uint8",
        }
        size = {
            "height": 64,
            "width": 64,
            "count": 3,
            "crs": "EPSG:32640",
            "transform": Affine(0.3, 0, 0, 0, -0.3, 99),
        }
        with rasterio.open("flights.gpkg", "w", driver="GPKG", **size, **profile) as file:
            file.write(np.full((3, 64, 64), number + 1, np.uint8))
    sources = find_sources(["GPKG:flights.gpkg:may", "GPKG:flights.gpkg:june"])
    require_own_names(sources)
    for number, source in enumerate(sources):
        with source.open() as raster:
            assert raster.bands == (1, 2, 3) and (raster.read()[0] == number + 1).all()
            assert raster.read()[1].all()


def test_files_of_one_name_are_refused_as_before(tmp_path):
    with pytest.raises(InputError, match=r"2 scenes are named 'a'.*x/a\.tif, .*y/a\.png\. Map"):
        require_own_names([Source(tmp_path / "x" / "a.tif"), Source(tmp_path / "y" / "a.png")])


# patterns and links


@pytest.fixture
def tree(tmp_path, monkeypatch) -> Path:
    for name in ("x.tif", "a/x1.tif", "a/b/x2.tif", "a/b/c/y.tif", ".hidden/z.tif", "d/[w].tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


LINKS = {
    "a/up": "..",
    "a/self": ".",
    "a/b/out": "../../d",
    "root": "/",
    "again": "a",
    "dangling": "nowhere",
    "loop": "loop",
}


@pytest.mark.parametrize("links", [[], LINKS])
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**", ["a/b/c/y.tif", "a/b/x2.tif", "a/x1.tif", "d/[w].tif", "x.tif"]),
        ("**/*.tif", ["a/b/c/y.tif", "a/b/x2.tif", "a/x1.tif", "d/[w].tif", "x.tif"]),
        ("./a*/**/x*.tif", ["a/b/x2.tif", "a/x1.tif"]),
        ("a/**/b/**/*.tif", ["a/b/c/y.tif", "a/b/x2.tif"]),
        ("**/[[]w].tif", ["d/[w].tif"]),
        ("a//**//c/*.tif", ["a/b/c/y.tif"]),
        ("*/**/b/*.tif", ["a/b/x2.tif"]),
    ],
)
def test_recursive_patterns_end(tree, links, pattern, expected):
    for name, target in dict(links).items():
        os.symlink(target, name)
    found = sorted(
        os.path.relpath(os.path.realpath(source.path), tree) for source in find_sources([pattern])
    )
    reached = {"d/[w].tif"} if links and pattern.startswith("a/**/b") else set()  # by a/b/out
    assert sorted({*found} - reached) == expected
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["a", "a/*.tif", "**/*.tif"])
def test_links_to_files_that_are_gone_are_not_left_out(tree, name):
    for link, target in {"a/gone.tif": "nowhere.tif", "a/loop.tif": "loop.tif"}.items():
        os.symlink(target, link)
    (tree / "a" / "folder.tif").mkdir()
    found = [source.path.name for source in find_sources([name])]
    assert {"x1.tif", "gone.tif", "loop.tif"} <= set(found) and "folder.tif" not in found
    for link in ("a/gone.tif", "a/loop.tif"):
        with pytest.raises(InputError, match="no such file"), open_raster(Path(link)):
            pass


def test_folders_below_are_each_given_once(tree):
    for name, target in LINKS.items():
        os.symlink(target, name)
    os.symlink(tree / "a", tree / "d" / "second")
    found = [str(folder) for folder in folders_below(".")]
    assert found == [".", "a", "d", "a/b", "a/b/c"]
    (tree / "elsewhere").mkdir()
    os.symlink(tree / "a", tree / "elsewhere" / "linked")
    assert [str(folder) for folder in folders_below("elsewhere")] == ["elsewhere"] + [
        f"elsewhere/linked{below}" for below in ("", "/b", "/b/c", "/b/out")
    ]


# names that are not UTF-8


@pytest.mark.parametrize("name", [b"caf\xe9.tif", b"\xff\xfe.tif", b"folder\xe9/a.tif"])
def test_a_path_that_is_not_utf8_is_reported_in_one_line(tmp_path, name):
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    write_raster(tmp_path / "a.tif", np.ones((8, 8, 3), np.uint8))
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "a.tif").rename(path)
    with (
        pytest.raises(InputError, match=r"\\x.*path is not UTF-8\. Rename") as error,
        open_raster(path),
    ):
        pass
    str(error.value).encode()


@pytest.mark.heavy
def test_a_folder_with_such_a_name_is_done_but_for_it(tmp_path, capsys):
    from segment.cli import predict
    from segment.core.cli.command import run

    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for name in (b"a.tif", b"caf\xe9.tif", b"line\nbreak #?[x].tif"):
        write_raster(tmp_path / "a b.tif", pixels).rename(tmp_path / os.fsdecode(name))
    scenes, maps = str(tmp_path), tmp_path / "maps"
    assert run(predict.__wrapped__, [scenes, "--output", str(maps), "--quiet"]) == 2
    reported = capsys.readouterr().err.splitlines()
    assert len(reported) == 2 and "caf\\xe9.tif: path is not UTF-8" in reported[0]
    assert sorted(file.name for file in maps.glob("*_classes.tif")) == [
        "a_classes.tif",
        "line\nbreak #?[x]_classes.tif",
    ]


@pytest.mark.heavy
def test_tile_folders_and_images_with_such_a_name(tmp_path):
    from classify.labelling.predict import predict_images
    from segment.data.tiles import scan_pairs

    odd = os.fsdecode(b"\xe9.png")
    for folder, bands in (("images", 3), ("masks", 1)):
        for name in ("a.png", "b.png"):
            write_raster(tmp_path / "tiles" / folder / name, np.ones((64, 64, bands), np.uint8))
        (tmp_path / "tiles" / folder / "b.png").rename(tmp_path / "tiles" / folder / odd)
    pairs, problems = scan_pairs(tmp_path / "tiles")
    assert [pair.image.name for pair in pairs] == ["a.png"]
    assert len(problems) == 1 and "\\xe9.png: path is not UTF-8" in problems[0]
    sources = find_sources([str(tmp_path / "tiles" / "images")])
    good, bad = sorted(predict_images(sources), key=lambda found: bool(found.problem))
    assert good.labels and "is not UTF-8" in bad.problem
    assert os.fsencode(Path(bad.image).name) == b"\xe9.png"  # exact, for programs
    (good.image + bad.problem).encode()


@pytest.mark.parametrize("bands", ["4,3,2", ["red"], [1.0, 2.0]])
def test_bands_that_are_no_numbers_are_refused(bands):
    with pytest.raises(InputError, match=r"Bands are a list of numbers.*Give e.g. \[4, 3, 2\]"):
        as_source("scene.tif", bands)
    assert as_source("scene.tif", np.array([4, 3, 2])) is not None

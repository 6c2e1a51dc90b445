"""Layers of vector files: choosing one and reading its fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segment.core.errors import InputError, quoted, suggest
from segment.core.maps.geopackage import is_taken_as_is


@dataclass(frozen=True)
class Layer:
    """A layer of a vector file whose fields were read.

    Attributes:
        path: The file.
        name: Name of the layer.
        crs: CRS as text, None where the layer has none.
        fields: Values of the fields that were asked for, by name; each (features,).
        notes: What was assumed.
    """

    path: Path
    name: str
    crs: str | None
    fields: dict[str, NDArray[Any]]
    notes: Sequence[str] = ()


def read_layer(
    path: Path, layer: str | None, fields: Sequence[str], choice: str = "with --layer NAME"
) -> Layer:
    """Reads fields of all features of a layer, without their geometries.

    Args:
        path: File that OGR reads: GeoPackage, GeoJSON, Shapefile, FlatGeobuf and others.
        layer: Name of the layer. None for the only one.
        fields: Names of the fields.
        choice: How a user chooses one of several layers, for messages.

    Returns:
        The layer with the values of the fields.

    Raises:
        InputError: If the file cannot be read, has several layers and none is named, or lacks the
            layer, a field, or features, or a field holds neither text nor numbers.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    if not path.exists():
        raise InputError(f"{path}: no such file. Check the path.")
    if not is_taken_as_is(path):
        raise InputError(
            f"{quoted(path)}: vector files cannot be read by a path with ! or ; or a tab or line"
            " break in it, or a space at its beginning. Rename the file or folder."
        )
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        name = _choose(path, layers, layer, choice)
        info = pyogrio.read_info(path, layer=name, force_feature_count=True)
        if not info["features"]:
            raise InputError(f"{path}: layer {name!r} holds no features. Choose another layer.")
        stored = [str(field) for field in info["fields"]]
        is_shapefile = info["driver"] == "ESRI Shapefile"
        known = _as_utf8(stored) if is_shapefile else stored
        for field in fields:
            if field not in known:
                raise InputError(f"{path}: has no field {field!r}. {_nearest(field, known)}")
        named = dict(zip(stored, known, strict=True))
        wanted = [field for field in stored if named[field] in fields]
        meta, _, _, values = pyogrio.raw.read(
            path, layer=name, columns=wanted, read_geometry=False, return_fids=True
        )
    except (DataSourceError, DataLayerError) as error:
        reason = " ".join(str(error).split())
        cure = "Close programs that have it open, or export it again, e.g. as GeoPackage."
        if "not recognized" in reason:  # what follows is advice to programmers
            reason, cure = "no known format", "Give a GeoPackage, GeoJSON or Shapefile."
        elif "is locked" in reason:  # what precedes is a query
            reason, cure = "another program has locked it", "Save and close it there."
        raise InputError(f"{path}: cannot be read as a vector file ({reason}). {cure}") from error
    found = dict(zip((named[str(field)] for field in meta["fields"]), values, strict=True))
    for field, column in found.items():
        if column.dtype == object and any(isinstance(v, np.ndarray | bytes) for v in column):
            raise InputError(
                f"{path}: the field {field!r} holds lists or bytes. Choose a field of text or"
                " numbers."
            )
    notes = _decode(path, found, info["encoding"]) if is_shapefile else []
    return Layer(path, name, meta["crs"], found, notes)


def _decode(path: Path, fields: dict[str, NDArray[Any]], encoding: str | None) -> list[str]:
    """Decodes the texts of a Shapefile that is in UTF-8 and does not state it, and reports that."""
    notes = []
    for field, column in fields.items():
        texts = [value for value in column if isinstance(value, str) and not value.isascii()]
        if not texts:
            continue
        decoded = dict(zip(texts, _as_utf8(texts), strict=True))
        if decoded[texts[0]] != texts[0]:
            fields[field] = np.array([decoded.get(value, value) for value in column], object)
            notes.append(
                f"{path}: the field {field!r} is in UTF-8, which the Shapefile does not state (in a"
                " .cpg file), and is read as such"
            )
        elif encoding != "UTF-8":
            notes.append(
                f"{path}: the Shapefile has no .cpg file that states its encoding, and is read as"
                f" {encoding}: {_listed(list(decoded), 3)}. If this is wrong, write its encoding,"
                " such as CP1251, into a .cpg file beside it"
            )
    return notes


def _as_utf8(texts: Sequence[str]) -> list[str]:
    """Decodes UTF-8 that was read as ISO-8859-1; other texts are returned as they are."""
    try:
        return [text.encode("latin-1").decode("utf-8") for text in texts]
    except UnicodeError:
        return list(texts)


def fields_of(path: Path) -> list[str] | None:
    """Lists the fields of a file, if it is a vector file.

    Args:
        path: Any file.

    Returns:
        Names of the fields of all layers with geometries, None if there is no such layer.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind is not None]
        fields = [str(f) for name in layers for f in pyogrio.read_info(path, layer=name)["fields"]]
    except (DataSourceError, DataLayerError):
        return None
    return list(dict.fromkeys(fields)) if layers else None


def _choose(path: Path, layers: Sequence[str], layer: str | None, choice: str) -> str:
    """Returns the name of the layer to read."""
    if not layers:
        raise InputError(f"{path}: holds no layer with geometries. Export it with geometries.")
    if layer is None and len(layers) > 1:
        raise InputError(
            f"{path}: has {len(layers)} layers ({_listed(layers)}). Choose one {choice}."
        )
    if layer is not None and layer not in layers:
        raise InputError(f"{path}: has no layer {layer!r}. {_nearest(layer, layers)}")
    return layer or layers[0]


def _nearest(name: str, known: Sequence[str]) -> str:
    return suggest(name, known, f"It has: {_listed(known) or 'none'}.")


def _listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

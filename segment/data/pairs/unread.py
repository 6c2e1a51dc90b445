"""Files and folders of a tile folder that seem to be labelled images, and are not read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from segment.core.errors import counted
from segment.core.file_search import folders_below

_NAMED = 3  # files
_OF_SYSTEMS = ("Thumbs.db", "desktop.ini")


def other_case(root: Path) -> Iterator[str]:
    """Reports folders that would hold images if their name were in lower case.

    Args:
        root: The tile folder.

    Yields:
        A line for each folder beside which there is one for masks.
    """
    for folder in folders_below(root):
        name = folder.name
        if folder != root and name.casefold() == "images" and name != "images":
            for masks in sorted(folder.parent.iterdir()):
                if masks.name.casefold() == "masks" and masks.is_dir():
                    other = [name] if masks.name == "masks" else [name, masks.name]
                    yield (
                        f"{folder}: only folders called images and masks are read, in lower case."
                        f" Rename {' and '.join(other)}."
                    )


def unread_notes(folders: Sequence[tuple[Path, Path]], suffixes: tuple[str, ...]) -> list[str]:
    """Describes files of other formats that folders of images and of masks both hold.

    Files that go with an image, such as t1.tfw or t1.tif.aux.xml, are not among them.

    Args:
        folders: Folders of images, each with that of its masks.
        suffixes: Endings of the files that are read, in lower case.

    Returns:
        A note, or nothing.
    """
    found = [one for folder in folders for one in _unread(*folder, suffixes)]
    if not found:
        return []
    named = ", ".join(str(path) for path in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return [
        f"{counted(len(found), 'file')} with a mask left out, of formats that are not read:"
        f" {named}{more}. Export them as GeoTIFF or PNG"
    ]


def _unread(images: Path, masks: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    names = sorted(path.name for path in images.iterdir() if path.is_file())
    stems = {Path(name).stem for name in names if name.lower().endswith(suffixes)}
    for name in names:
        starts = {name, *(name[:end] for end, letter in enumerate(name) if letter == ".")}
        is_other = name.lower().endswith(suffixes) or not stems.isdisjoint(starts)
        if not is_other and name[0] != "." and name not in _OF_SYSTEMS and (masks / name).is_file():
            yield images / name

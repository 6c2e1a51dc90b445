"""Scale: the pixel size at which a model sees a scene.

It is the scene's own, or one that the model learned from.
"""

from dataclasses import dataclass

from segment.core.errors import InputError
from segment.core.maps.scene_outputs import differ_in_scale
from segment.core.model.info import ModelInfo
from segment.core.raster.reader import Raster

_MOST_REDUCED = 16  # times along each axis: the pixels to read at once grow with it
_MOST_ENLARGED = 4  # by default: sixteen times the work
_MOST_ENLARGED_IF_ASKED = 10
_LARGEST_PIXEL = 1e6  # metres


@dataclass(frozen=True)
class Scale:
    """How a scene is resampled for a network.

    Attributes:
        factor: Pixels that the network sees in place of one of the scene, along each axis.
        pixel: Metres per pixel of the scene, None where unknown.
        notes: What to report of the scale.
    """

    factor: float = 1.0
    pixel: float | None = None
    notes: tuple[str, ...] = ()


def check_gsd(gsd: float | None) -> None:
    """Checks a ground sampling distance.

    Args:
        gsd: Metres per pixel; None where none is given.

    Raises:
        InputError: If it is no number, not above 0, or above 1,000,000.
    """
    is_number = isinstance(gsd, (int, float)) and not isinstance(gsd, bool)
    if gsd is not None and not (is_number and 0 < gsd <= _LARGEST_PIXEL):
        raise InputError(
            f"--gsd: metres per pixel, above 0, at most 1,000,000. Received {gsd!r}. Give e.g. 0.05"
            " for pixels of 5 cm."
        )


def choose_scale(
    raster: Raster, info: ModelInfo, resample: bool | None = None, gsd: float | None = None
) -> Scale:
    """Chooses the pixel size at which a model sees a scene.

    A scene is mapped however far its pixel size is from what the model learned from. It is enlarged
    at most 4 times along each axis (10 times where `resample` is True) and reduced at most 16
    times; beyond that, a warning is added to the notes.

    Args:
        raster: The scene, open on its own grid.
        info: Description of the model.
        resample: None brings pixels outside the range that the model learned from to its nearer
            end, and leaves all pixels as they are where the model knows no range; True brings
            pixels to the ground sampling distance that the model learned from; False leaves them as
            they are. Sizes within a hundredth of each other are the same.
        gsd: Metres per pixel of the scene, in place of what its file says.

    Returns:
        The scale, with notes on what was done, what was assumed, and what is not known.

    Raises:
        InputError: If `resample` is True, and the pixel size of the scene or of the model is not
            known.
    """
    own, learned = raster.ground_sampling_distance, info.ground_sampling_distance
    pixel, notes = gsd or own, _describe_gsd(raster, own, gsd)
    known = None if learned is None else (learned, learned)
    has_range = info.ground_sampling_range is not None and not resample
    if has_range:
        known = info.ground_sampling_range
    if pixel is None or known is None:
        if resample:
            lacking = (
                f"{info.name} learned from images without a CRS"
                if known is None
                else _describe_lack(raster)
            )
            cure = "Leave it out." if known is None else "State it: --gsd METRES."
            raise InputError(
                f"{raster.path}: --resample needs pixel sizes. Received none: {lacking}. {cure}"
            )
        if known is not None and has_range and resample is None:
            size = f"The scene's pixel size is not known ({_describe_lack(raster)})"
            notes += (
                f"{size}, the model learned from {_format(known)}: map it with --gsd METRES.",
            )
        return Scale(1.0, pixel, notes)
    wanted = pixel / min(max(pixel, known[0]), known[1])
    is_fit = (
        abs(wanted - 1) < 0.01 if has_range or resample else not differ_in_scale(pixel, known[0])
    )
    if is_fit:
        return Scale(1.0, pixel, notes)
    factor = min(
        max(wanted, 1 / _MOST_REDUCED), _MOST_ENLARGED if has_range else _MOST_ENLARGED_IF_ASKED
    )
    is_resampled, is_near = resample or (has_range and resample is None), factor == wanted
    seen = (
        f"it sees the scene at {_metres(pixel / factor)}"
        if is_resampled
        else "pixels are mapped as they are"
    )
    if not is_near:
        seen += ". Expect a wrong map"
    elif resample is None:
        seen = f"{seen} (as they are: --no-resample)" if has_range else "map it with --resample"
    note = (
        f"{'' if is_near else 'Warning: '}Pixels are {_metres(pixel)}, the model learned from"
        f" {_format(known)}: {seen}."
    )
    if not (resample and is_near):
        notes += (note,)
    return Scale(factor if is_resampled else 1.0, pixel, notes)


def _describe_gsd(raster: Raster, own: float | None, gsd: float | None) -> tuple[str, ...]:
    """Returns what to report of a pixel size that was given."""
    if gsd is None:
        return ()
    if own is None:
        return (
            (
                f"Pixels are taken for {_metres(gsd)}, as --gsd says; areas are not known:"
                f" {_describe_lack(raster)}."
            ),
        )
    if abs(gsd / own - 1) < 0.01:
        return ()
    return (
        (
            f"Pixels are taken for {_metres(gsd)}, as --gsd says, not {_metres(own)}, as the file"
            " does; areas are by the file."
        ),
    )


def _describe_lack(raster: Raster) -> str:
    return (
        "the scene has no CRS"
        if raster.crs is None
        else "the scene's CRS is not tied to the ground"
    )


def _format(known: tuple[float, float]) -> str:
    smallest, largest = known
    return (
        _metres(largest)
        if smallest == largest
        else f"{float(f'{smallest:.3g}'):g} to {_metres(largest)}"
    )


def _metres(size: float) -> str:
    return f"{float(f'{size:.3g}'):g} m"

"""Findings that explorations of scene labels and of tile folders have in common."""

from collections.abc import Mapping, Sequence

from segment.core.report import Finding

_NAMED = 5


def listed(names: Sequence[str]) -> str:
    """The first five, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def listed_sizes(sizes: Mapping[str, int]) -> str:
    """Sizes of images and how many have each."""
    return listed([f"{size} ({count:,})" for size, count in sizes.items()])


def uneven_pixel_sizes(distances: Sequence[float], most: float, setting: str) -> list[Finding]:
    """That pixels differ by more than `most` times. distances: metres per pixel. setting: what lets training vary scale."""
    if not distances or max(distances) <= most * min(distances):
        return []
    return [
        Finding(
            f"Pixels measure from {min(distances):.2g} to {max(distances):.2g} m.",
            "The same thing has other sizes in other images.",
            f"Bring the images to one ground sampling distance, or let training vary it: --set {setting}",
        )
    ]


def unlike_all_others(names: Sequence[str]) -> list[Finding]:
    """That there are outliers, by their names."""
    if not names:
        return []
    return [
        Finding(
            f"{len(names):,} images look unlike all others: {listed(names)}.",
            "They may be damaged, blank, of another sensor or in the wrong folder; or just rare.",
            "Look at them below, and remove what does not belong there.",
        )
    ]

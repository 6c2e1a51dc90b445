"""Scales of scenes: which of them are brought to 8 bits, by one scale for all of a command."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from segment.core.errors import InputError
from segment.core.inputs.scene_samples import sample, warn_of_narrow
from segment.core.pixels.band_scale import BandScale, Samples
from segment.core.pixels.scale_choice import ScaleChoice, ScaleOption, parse_scale
from segment.core.progress import Progress
from segment.core.raster.bands import WantedBands
from segment.core.raster.sources import Source

MOST_SCENES = 1024
"""Largest number of scenes that are read to choose a scale."""

_MOST_VALUES = 2**23  # of all scenes together, 64 MB as float64


@dataclass(frozen=True)
class ModelPixels:
    """Pixels that a model takes.

    Attributes:
        bands: Number of bands.
        dtype: Name of the data type.
        scale: Scale by which the pixels of the training were brought to 8 bits, None if they were
            not.
        names: What the bands are, as the training images named them; empty where they did not.
    """

    bands: int
    dtype: str
    scale: BandScale | None = None
    names: tuple[str, ...] = ()

    @property
    def wanted(self) -> WantedBands:
        """The bands, by which they are found in files."""
        return WantedBands(self.bands, self.names)


@dataclass(frozen=True)
class SceneScales:
    """How the scenes of a command are brought to the 8 bits of a model.

    Attributes:
        choice: What was asked for.
        model: Pixels that the model takes.
    """

    choice: ScaleChoice
    model: ModelPixels

    @classmethod
    def of(cls, option: ScaleOption, model: ModelPixels, name: str = "--scale") -> "SceneScales":
        """Reads an option and checks that it suits a model.

        Args:
            option: What a user wrote.
            model: Pixels that the model takes.
            name: Name of the option, for messages.

        Returns:
            How scenes are scaled.

        Raises:
            InputError: As `parse_scale` does, and if the model does not take 8 bits or not the
                bands of the report.
        """
        choice = parse_scale(option, name)
        if choice.kind not in ("auto", "never") and model.dtype != "uint8":
            raise InputError(
                f"{name}: brings pixels to 8 bits, but the model takes {model.dtype}. Received"
                f" {str(option)!r}. Leave it out."
            )
        if choice.scale and len(choice.scale.low) != model.bands:
            raise InputError(
                f"{name}: {option} is for {len(choice.scale.low)} bands, the model takes"
                f" {model.bands}. Give the report of a map by this model."
            )
        return cls(choice, model)

    def known(self, dtype: str) -> BandScale | None:
        """Returns the scale of scenes where it does not depend on their pixels.

        Args:
            dtype: Name of the data type of the scenes.

        Returns:
            The scale, None where there is none or it has to be chosen from pixels.
        """
        kind, ends = self.choice.kind, self.choice.ends
        if kind == "values" and ends:
            low, high = ((end,) * self.model.bands for end in ends)
            return BandScale(low, high, dtype, "the values that were given")
        own = self.choice.scale if kind == "report" else None
        if kind == "auto" and self.model.scale:
            own = replace(self.model.scale, origin="the scale of the model's training images")
        return own if own and own.dtype == dtype else None

    def is_measured(self, dtype: str) -> bool:
        """Returns whether the scale of scenes is chosen from their pixels.

        Args:
            dtype: Name of the data type of the scenes.

        Returns:
            True if it is.
        """
        if self.choice.kind == "percentages":
            return True
        is_other = self.model.dtype == "uint8" != dtype
        return self.choice.kind == "auto" and is_other and self.known(dtype) is None

    def planned(self, sources: Sequence[Source]) -> list[Source]:
        """Gives a scale to scenes without reading pixels, for checks before any are read.

        Args:
            sources: Scenes.

        Returns:
            The scenes; a scale that would be chosen from pixels is that of 0 to 255.
        """
        found = []
        for source in sources:
            dtype = self._dtype(source)
            scale = None if dtype is None else self.known(dtype)
            if dtype is not None and self.is_measured(dtype):
                scale = BandScale.identity(self.model.bands, dtype)
            found.append(source if scale is None else replace(source, scale=scale))
        return found

    def scaled(self, sources: Sequence[Source], progress: Progress | None = None) -> list[Source]:
        """Gives scenes their scale, one for all scenes of a data type.

        It is chosen from at most 8 million valid values of the bands in use: scenes of up to 1,024
        pixels a side are read whole if they are few, and of others windows spread evenly.

        Args:
            sources: Scenes. Those that have a scale keep it; those that cannot be read, lack the
                bands of the model, or hold numbers of palette colours are left as they are.
            progress: Where progress is reported.

        Returns:
            The scenes in the same order.
        """
        if self.choice.kind == "never":
            return list(sources)
        types = [self._dtype(source) for source in sources]
        own = self.choice.scale if self.choice.kind == "report" else None
        if progress and own and (others := {dtype for dtype in types if dtype} - {own.dtype}):
            progress.say(
                f"warning: the scale of the report is for pixels of {own.dtype}: scenes of"
                f" {', '.join(sorted(others))} are read as they are. Choose another --scale."
            )
        scales: dict[str, BandScale | None] = {}
        for dtype in sorted({dtype for dtype in types if dtype is not None}):
            scales[dtype] = self.known(dtype)
            if self.is_measured(dtype):
                alike = [s for s, t in zip(sources, types, strict=True) if t == dtype]
                scales[dtype] = self._measure(alike, dtype, progress)
        return [
            source if dtype is None else replace(source, scale=scales[dtype])
            for source, dtype in zip(sources, types, strict=True)
        ]

    def _dtype(self, source: Source) -> str | None:
        """Data type of a scene that may be scaled, None for others."""
        if source.scale is not None:
            return None
        with suppress(InputError), source.open(self.model.wanted) as raster:
            if len(raster.bands) == self.model.bands and not raster.info.has_palette:
                return raster.dtype.name
        return None

    def _measure(
        self, sources: Sequence[Source], dtype: str, progress: Progress | None
    ) -> BandScale:
        chosen = sources[:: -(-len(sources) // MOST_SCENES)]
        most = _MOST_VALUES // (len(chosen) * self.model.bands)
        values, weights, names = list[NDArray[Any]](), list[float](), list[str]()
        for done, source in enumerate(chosen, 1):
            with suppress(InputError), source.open(self.model.wanted) as raster:
                found, read = sample(raster, most)
                values.append(found)
                weights.append(raster.height * raster.width / read)
                names.append(source.name)
            if progress:
                progress.advance("choosing the scale", done, len(chosen))
        scale = Samples(dtype, values, weights).choose(self.model.bands, self.choice.ends)
        if progress and (warning := warn_of_narrow(values, names, scale)):
            progress.say(warning)
        return scale


def scale_sources(
    sources: Sequence[Source],
    option: ScaleOption,
    model: ModelPixels,
    progress: Progress | None = None,
) -> list[Source]:
    """Gives the scenes of a command their scale, see `SceneScales`.

    Args:
        sources: Scenes.
        option: What a user wrote for --scale.
        model: Pixels that the model takes.
        progress: Where progress is reported.

    Returns:
        The scenes in the same order.

    Raises:
        InputError: As `SceneScales` does.
    """
    return SceneScales.of(option, model).scaled(sources, progress)

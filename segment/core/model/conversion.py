"""What converters of networks need: their packages, silence, and operations that convert well."""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from segment.core.errors import InputError

if TYPE_CHECKING:
    import keras


def import_openvino() -> Any:
    """Imports the package openvino with its usage reports switched off.

    Import it through this function only. Otherwise its import, and the use of its tools and of
    NNCF, would be reported to Intel, under an identifier that is stored in the home folder, unless
    the user has declined beforehand.

    Returns:
        The module `openvino`.
    """
    with contextlib.suppress(ImportError):
        from openvino_telemetry.utils import opt_in_checker

        opt_in_checker.OptInChecker.check = lambda *_, **__: (
            opt_in_checker.ConsentCheckResult.DECLINED
        )
    import openvino

    return openvino


def require_converter(*packages: str, extra: str = "") -> None:
    """Checks that networks can be converted: the backend of Keras and the packages.

    Converters take TensorFlow graphs.

    Args:
        *packages: Names of the modules to import.
        extra: Extra of aerial-segment that installs the packages, for the error.

    Raises:
        InputError: If Keras runs on another backend, or a package is missing.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"KERAS_BACKEND: {keras.backend.backend()}, but export needs tensorflow, which loads"
            " models of every backend. Set KERAS_BACKEND=tensorflow for this command."
        )
    for name in packages:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"{name} is not installed. Run: pip install 'aerial-segment[{extra}]'")


def make_convertible(network: "keras.Model") -> "keras.Model":
    """Rebuilds a network, with the same weights, from operations that convert well.

    Nearest-neighbour upsampling: Keras repeats rows and columns, which converters turn into chains
    of tiles and reshapes. These are slow, and quantisation cannot pass through them, so that the
    convolutions behind them stay in floating point.
    Bilinear upsampling: Keras interpolates only where the size is known when the network is traced.
    RGB to BGR: OpenVINO 2026.4 moves this into the weights of the first convolution and, if there
    is upsampling too, loses it when the network is saved.

    Args:
        network: Any network.

    Returns:
        The network for converters.
    """
    import keras

    def call(layer: Any, x: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation in _RESIZE:
            return keras.layers.Lambda(
                partial(_RESIZE[layer.interpolation], factors=layer.size), name=layer.name
            )(x)
        if type(layer).__name__ == "Take" and list(arguments[0]) == [
            2,
            1,
            0,
            *range(3, x.shape[-1]),
        ]:
            return keras.layers.Lambda(_swap_red_and_blue)(x)
        return layer(x, *arguments, **options)

    return keras.models.clone_model(
        network, clone_function=lambda layer: layer, call_function=call, recursive=True
    )


def _repeat(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeNearestNeighbor(images=x, size=_enlarged(x, factors))


def _interpolate(x: Any, factors: tuple[int, int]) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ResizeBilinear(images=x, size=_enlarged(x, factors), half_pixel_centers=True)


_RESIZE = {"nearest": _repeat, "bilinear": _interpolate}


def _enlarged(x: Any, factors: tuple[int, int]) -> list[Any]:
    """Multiplies rows and columns by `factors`; unknown ones are computed when the network runs."""
    import tensorflow as tf

    return [(x.shape[axis] or tf.shape(x)[axis]) * factor for axis, factor in enumerate(factors, 1)]


def _swap_red_and_blue(x: Any) -> Any:
    import tensorflow as tf

    return tf.concat((x[..., 2::-1], x[..., 3:]), axis=-1)


@contextlib.contextmanager
def quiet_converters() -> Iterator[None]:
    """Keeps converters from printing, and from reporting their use."""
    import_openvino()  # before NNCF imports it
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)

"""Class weights of a loss."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from segment.core.errors import InputError

ClassWeights = Literal["none", "balanced"] | Mapping[str, float]


def resolve_class_weights(wanted: ClassWeights, names: Sequence[str], counts: Any) -> list[float]:
    """Computes a weight for each class.

    Args:
        wanted: "none" gives each class the weight 1. "balanced" gives the inverse of its share of
            the training data, with mean 1 over everything that is counted. A mapping gives weights
            by class name; classes that it does not name get 1.
        names: Names of the classes.
        counts: Count of each class in the training data, (classes,). With "balanced", a class that
            does not occur gets the weight 1.

    Returns:
        The weights in the order of `names`.

    Raises:
        InputError: If a weight is given for a class that does not exist.
    """
    if wanted == "none":
        return [1.0] * len(names)
    if wanted == "balanced":
        found = np.asarray(counts, float)
        present = found > 0
        balanced = found.sum() / np.where(present, found, 1) / max(present.sum(), 1)
        return [float(w) for w in np.where(present, balanced, 1.0)]
    assert not isinstance(wanted, str)
    for name in wanted:
        if name not in names:
            raise InputError(
                f"loss.class_weights: there is no class {name!r}. Name one of {', '.join(names)}."
            )
    return [wanted.get(name, 1.0) for name in names]

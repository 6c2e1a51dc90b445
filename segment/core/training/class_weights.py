"""Weights of classes in a loss."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from segment.core.errors import InputError

ClassWeights = Literal["none", "balanced"] | Mapping[str, float]


def resolve_class_weights(wanted: ClassWeights, names: Sequence[str], counts: Any) -> list[float]:
    """A weight per class: 1 for none; for balanced the inverse of its share, with mean 1 over what is counted.

    wanted: or weights by name, 1 for those not named. counts: (classes,) of the training data; a class that does not occur
    gets 1.

    Raises InputError when weights are given for a class that does not exist.
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
            raise InputError(f"loss.class_weights: classes are {', '.join(names)}. Received {name!r}. Name one of them.")
    return [wanted.get(name, 1.0) for name in names]

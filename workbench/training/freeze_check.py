"""What was frozen, told three times: by the plan, by the compiled model, by the weights themselves.

Setting `trainable` after a compile has no effect in Keras, without a word. So the weights are
compared with those that the stage began with.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from workbench.errors import UserError
from workbench.experiment.plan import Stage

TINY = 1e-12
PART = 1 << 20  # numbers compared at a time

TRAINS, FROZEN = "trains", "frozen"


@dataclass(frozen=True)
class LayerTruth:
    """One layer with weights.

    Attributes:
        requested: what the plan says, "trains" or "frozen".
        compiled: what the compiled model says.
        moved: change since the stage began, |w - w0| / max(|w0|, tiny), Euclidean norms over all
            of the layer's numbers, moving statistics of BatchNorm included. 0 means not one moved.
    """

    name: str
    requested: str
    compiled: str
    moved: float


class FreezeWatch:
    """Remembers the weights that a stage began with and compares.

    Args:
        model: the whole network, prefix included.
        trained: the model that the stage compiled.
        start: weights by path that the stage began with, where it was resumed; the model's own
            are taken for what is missing.
    """

    def __init__(
        self,
        model: keras.Model,
        trained: keras.Model,
        stage: Stage,
        start: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.stage = stage
        self.layers = [layer for layer in model.layers if _weights(layer)]
        compiled = {id(variable) for variable in trained.trainable_variables}
        self.compiled = {
            layer.name: any(id(variable) in compiled for variable in layer.trainable_variables)
            for layer in self.layers
        }
        self.start = {
            layer.name: [_began_with(variable, start or {}) for variable in _weights(layer)]
            for layer in self.layers
        }
        self.sizes = {name: _norm(map(_parts, arrays)) for name, arrays in self.start.items()}

    def look(self) -> list[LayerTruth]:
        """The truth at this moment, a row for each layer with weights."""
        return [
            LayerTruth(
                layer.name,
                TRAINS if self.stage.trains(layer.name) else FROZEN,
                TRAINS if self.compiled[layer.name] else FROZEN,
                self._moved(layer),
            )
            for layer in self.layers
        ]

    def _moved(self, layer: keras.Layer) -> float:
        now = (keras.ops.convert_to_numpy(variable) for variable in _weights(layer))
        pairs = zip(now, self.start[layer.name], strict=True)
        change = _norm(_difference(array, before) for array, before in pairs)
        return change / max(self.sizes[layer.name], TINY)


def _began_with(variable: keras.Variable, known: dict[str, np.ndarray]) -> np.ndarray:
    path = f"model/{variable.path}"
    return known[path] if path in known else keras.ops.convert_to_numpy(variable)


def check_truth(truth: Sequence[LayerTruth]) -> str:
    """A warning of layers that should have trained and did not move; empty where all did.

    Raises:
        UserError: a layer that is frozen moved, or plan and compiled model disagree.
    """
    wrong = [row for row in truth if row.requested == FROZEN and row.moved > 0]
    if wrong:
        raise UserError(
            f"{len(wrong)} frozen layers moved, {wrong[0].name} by {wrong[0].moved:.2%} first. "
            "The results of this run cannot be trusted.",
            "This is a fault of the workbench or of Keras; please report it.",
        )
    differing = [row for row in truth if row.requested != row.compiled]
    if differing:
        row = differing[0]
        raise UserError(
            f"{row.name} should be {row.requested}, but the compiled model has it {row.compiled}.",
            "This is a fault of the workbench or of Keras; please report it.",
        )
    still = [row.name for row in truth if row.requested == TRAINS and row.moved == 0]
    if not still:
        return ""
    return (
        f"{', '.join(still[:5])} should train but did not move at all: units that never answer, or "
        "a learning rate too small for float32."
    )


def as_rows(truth: Sequence[LayerTruth]) -> list[dict[str, Any]]:
    """For events and results.json."""
    return [asdict(row) for row in truth]


def _weights(layer: keras.Layer) -> list[Any]:
    return [v for v in layer.variables if "seed_generator" not in v.path]


def _norm(arrays: Iterable[Iterable[np.ndarray]]) -> float:
    """Euclidean norm over all numbers of arrays that come in parts, in float64."""
    return math.sqrt(sum(sum(map(_squares, parts)) for parts in arrays))


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Stretches of an array: squared all at once, a large layer would take twice its memory."""
    flat = array.reshape(-1)
    return (flat[start : start + PART] for start in range(0, flat.size, PART))


def _difference(array: np.ndarray, other: np.ndarray) -> Iterator[np.ndarray]:
    return (a - b for a, b in zip(_parts(array), _parts(other), strict=True))


def _squares(part: np.ndarray) -> float:
    return float(np.square(part, dtype=np.float64).sum())

"""What was frozen, told three times: by the plan, by the compiled model, by the weights themselves.

Setting `trainable` after a compile has no effect in Keras, without a word. So the weights are
compared with those that the stage began with.
"""

import math
from collections.abc import Sequence
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

    def look(self) -> list[LayerTruth]:
        """The truth at this moment, a row for each layer with weights."""
        return [
            LayerTruth(
                layer.name,
                TRAINS if self.stage.trains(layer.name) else FROZEN,
                TRAINS if self.compiled[layer.name] else FROZEN,
                _moved(_weights(layer), self.start[layer.name]),
            )
            for layer in self.layers
        ]


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


def _moved(now: list[Any], start: list[np.ndarray]) -> float:
    arrays = [keras.ops.convert_to_numpy(variable) for variable in now]
    changed = sum(_squares(a, before) for a, before in zip(arrays, start, strict=True))
    return math.sqrt(changed) / max(math.sqrt(sum(map(_squares, start))), TINY)


def _squares(numbers: np.ndarray, others: np.ndarray | float = 0.0) -> float:
    """Sum of (numbers - others)^2 in float64, in parts: all at once, a large layer takes 4 times
    its own memory.
    """
    numbers, others = numbers.reshape(-1), np.reshape(others, -1)
    total = 0.0
    for start in range(0, numbers.size, PART):
        here = slice(start, start + PART)
        difference = numbers[here] - (others[here] if others.size > 1 else others)
        total += float(np.square(difference, dtype=np.float64).sum())
    return total

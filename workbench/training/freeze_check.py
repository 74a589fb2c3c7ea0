"""Checks what was frozen three times: in the plan, the compiled model and the weights themselves.

Keras silently ignores a change of `trainable` after a compile. So the weights are compared with
those that the stage started with.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from workbench.errors import UserError
from workbench.experiment.plan import Stage
from workbench.messages import tr
from workbench.runs.events import CheckedLayer
from workbench.runs.freeze_check import FROZEN, TRAINS
from workbench.text import percent

TINY = 1e-12
PART = 1 << 20  # numbers compared at a time


class FreezeCheck:
    """Compares the weights with those that a stage started with.

    Args:
        model: the whole network, prefix included.
        trained: the model that the stage compiled.
        start: weights by path that the stage started with; the model's own replace missing ones.
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
            layer.name: [_start_weights(variable, start or {}) for variable in _weights(layer)]
            for layer in self.layers
        }
        self.sizes = {name: _norm(map(_parts, arrays)) for name, arrays in self.start.items()}

    def compare(self) -> list[CheckedLayer]:
        """Return the present status of each layer with weights."""
        return [
            CheckedLayer(
                name=layer.name,
                requested=TRAINS if self.stage.trains(layer.name) else FROZEN,
                compiled=TRAINS if self.compiled[layer.name] else FROZEN,
                moved=self._moved(layer),
            )
            for layer in self.layers
        ]

    def _moved(self, layer: keras.Layer) -> float:
        now = (keras.ops.convert_to_numpy(variable) for variable in _weights(layer))
        pairs = zip(now, self.start[layer.name], strict=True)
        change = _norm(_difference(array, before) for array, before in pairs)
        return change / max(self.sizes[layer.name], TINY)


def _start_weights(variable: keras.Variable, known: dict[str, np.ndarray]) -> np.ndarray:
    path = f"model/{variable.path}"
    return known[path] if path in known else keras.ops.convert_to_numpy(variable)


def check_layers(layers: Sequence[CheckedLayer]) -> str:
    """Return a warning of layers that should train and did not move; "" if there are none.

    Raises:
        UserError: a frozen layer moved, or plan and compiled model disagree.
    """
    wrong = [row for row in layers if row.requested == FROZEN and row.moved]
    if wrong:
        raise UserError(
            tr(
                "{wrong_count} frozen layers moved, {name} by {moved} first. "
                "The results of this run cannot be trusted.",
                wrong_count=len(wrong),
                name=wrong[0].name,
                moved=percent(wrong[0].moved or 0.0, 2),
            ),
            tr("This is a bug of the workbench or of Keras; please report it."),
        )
    differing = [row for row in layers if row.requested != row.compiled]
    if differing:
        row = differing[0]
        raise UserError(
            tr(
                "{row_name} should be {requested}, but the compiled model has it {compiled}.",
                row_name=row.name,
                requested=row.requested,
                compiled=row.compiled,
            ),
            tr("This is a bug of the workbench or of Keras; please report it."),
        )
    still = [row.name for row in layers if row.requested == TRAINS and row.moved == 0]
    if not still:
        return ""
    return tr(
        "{still} should train but did not move at all: dead units, or a "
        "learning rate too small for float32.",
        still=", ".join(still[:5]),
    )


def _weights(layer: keras.Layer) -> list[Any]:
    return [v for v in layer.variables if "seed_generator" not in v.path]


def _norm(arrays: Iterable[Iterable[np.ndarray]]) -> float:
    """Return the Euclidean norm over all numbers of arrays in parts, in float64."""
    return math.sqrt(sum(sum(map(_squares, parts)) for parts in arrays))


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield parts of an array: squared at once, a large layer would take twice its memory."""
    flat = array.reshape(-1)
    return (flat[start : start + PART] for start in range(0, flat.size, PART))


def _difference(array: np.ndarray, other: np.ndarray) -> Iterator[np.ndarray]:
    return (a - b for a, b in zip(_parts(array), _parts(other), strict=True))


def _squares(part: np.ndarray) -> float:
    return float(np.square(part, dtype=np.float64).sum())

"""Reads and sets a model's variables by path.

Optimizer state is matched by the variables' paths, never by their order, so that it cannot reach
the wrong layer.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from workbench.errors import UserError
from workbench.text import safe_text

Arrays = dict[str, np.ndarray]


def collect(model: keras.Model, *groups: str) -> Arrays:
    """Return the state of a compiled model by path, of the groups "model" and "optimizer"."""
    variables = _variables(model, groups).items()
    return {key: keras.ops.convert_to_numpy(variable) for key, variable in variables}


def restore(model: keras.Model, arrays: Arrays, *groups: str) -> None:
    """Restore saved values of the given groups.

    Raises:
        UserError: paths or shapes differ from the model's own; nothing is changed then.
    """
    targets = _variables(model, groups)
    saved = {key: array for key, array in arrays.items() if key.split("/", 1)[0] in groups}
    different = sorted(saved.keys() ^ targets.keys()) or sorted(
        key for key, variable in targets.items() if saved[key].shape != tuple(variable.shape)
    )
    if different:
        raise UserError(
            f"The checkpoint does not belong to this model: {len(different)} variables differ, "
            f"the first is {safe_text(different[0])}.",
            "The spec of a run must not change between its sessions; start a new run instead.",
        )
    for key, variable in targets.items():
        variable.assign(saved[key])


def trainable_paths(model: keras.Model) -> tuple[str, ...]:
    """Return the paths of the trainable variables, in the model's order."""
    return tuple(variable.path for variable in model.trainable_variables)


def check_trainable(model: keras.Model, saved: tuple[str, ...]) -> None:
    """Check that the variables that train now are those that trained at the checkpoint.

    Raises:
        UserError: they are not. Resuming would silently freeze or unfreeze the difference.
    """
    different = sorted(set(saved) ^ set(trainable_paths(model)))
    if different:
        raise UserError(
            f"{len(different)} variables trained before the checkpoint and would not now, or the "
            f"other way round; the first is {safe_text(different[0])}.",
            "The layers of a run must not change between its sessions; start a new run instead.",
        )


def _variables(model: keras.Model, groups: Iterable[str]) -> dict[str, Any]:
    """Return the variables of the groups by `group/path`.

    Seeds of dropout are left out: the trainer sets them from the position at every step.
    """
    found: dict[str, Any] = {}
    for group in groups:
        variables = model.variables if group == "model" else model.optimizer.variables
        variables = [v for v in variables if "seed_generator" not in v.path]
        found |= {f"{group}/{variable.path}": variable for variable in variables}
    return found

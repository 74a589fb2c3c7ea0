"""The weights of a run's base."""

from collections.abc import Callable
from pathlib import Path

from workbench.bases.weights import find_weights
from workbench.experiment.spec import ExperimentSpec
from workbench.progress import Progress


def base_weights(
    spec: ExperimentSpec, progress: Progress, note: Callable[[str], None]
) -> Path | None:
    """The file of a base's weights, downloaded where need be.

    Args:
        note: called with what a person should know about them.

    Returns:
        None without a base, or for random weights that were asked for.

    Raises:
        UserError: they cannot be had; never a silent fall back to random ones.
    """
    if spec.base is None:
        return None
    found = find_weights(spec.base.name, spec.data.image_size, spec.base.weights, progress)
    for message in found.notes if found else ("The base has random weights, as asked for.",):
        note(message)
    return found.path if found else None

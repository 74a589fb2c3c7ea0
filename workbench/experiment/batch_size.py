"""A smaller batch in the middle of a run: the same images in the same order, in smaller steps.

The new size must divide the old one: each old step is then a whole number of new ones, and every
position of the run is a position among the new steps.
"""

from typing import TYPE_CHECKING

from workbench.errors import UserError
from workbench.messages import tr

if TYPE_CHECKING:  # pydantic is slow to import, and lists of runs only need `half_batch_size`
    from workbench.experiment.spec import ExperimentSpec


def halve_batch_size(spec: "ExperimentSpec") -> "ExperimentSpec | None":
    """Return the experiment with the largest smaller batch that divides its own; None at 1."""
    smaller = half_batch_size(spec.training.batch_size)
    return set_batch_size(spec, smaller) if smaller else None


def half_batch_size(size: int) -> int | None:
    """Return the largest smaller divisor of a batch size; None at 1."""
    return next((part for part in range(size // 2, 0, -1) if size % part == 0), None)


def set_batch_size(spec: "ExperimentSpec", size: int) -> "ExperimentSpec":
    """Return the experiment with another batch size; an epoch keeps its images.

    Args:
        spec: the experiment as the run started.
        size: images a step.

    Raises:
        UserError: the size does not divide the old one.
    """
    old, steps = spec.training.batch_size, spec.training.steps_per_epoch
    if size < 1 or old % size:
        divisors = [part for part in range(old, 0, -1) if old % part == 0]
        raise UserError(
            tr(
                "training.batch_size: received {size}, and the run began with {old}.",
                size=size,
                old=old,
            ),
            tr(
                "The batch of a started run can only be reduced to a divisor: {map}.",
                map=", ".join(map(str, divisors)),
            ),
        )
    changed = {"batch_size": size, "steps_per_epoch": steps and steps * (old // size)}
    return spec.model_copy(update={"training": spec.training.model_copy(update=changed)})

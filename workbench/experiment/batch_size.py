"""A smaller batch in the middle of a run: the same images in the same order, in smaller steps.

Only a divisor of the old size will do: each old step is then a whole number of new ones, so that
every place of the run has a place among the new steps.
"""

from typing import TYPE_CHECKING

from workbench.errors import UserError

if TYPE_CHECKING:  # lists of runs ask for half a batch, and need not wait for more
    from workbench.experiment.spec import ExperimentSpec


def halved(spec: "ExperimentSpec") -> "ExperimentSpec | None":
    """The experiment with the largest smaller batch that divides its own; None at one image."""
    smaller = half(spec.training.batch_size)
    return with_batch_size(spec, smaller) if smaller else None


def half(size: int) -> int | None:
    """The largest smaller divisor of a batch size; None at one image."""
    return next((part for part in range(size // 2, 0, -1) if size % part == 0), None)


def with_batch_size(spec: "ExperimentSpec", size: int) -> "ExperimentSpec":
    """The experiment with another batch size; an epoch keeps its images.

    Args:
        size: images a step.

    Raises:
        UserError: it does not divide the old one.
    """
    old, steps = spec.training.batch_size, spec.training.steps_per_epoch
    if size < 1 or old % size:
        raise UserError(
            f"training.batch_size: received {size}, and the run began with {old}.",
            f"While a run goes on its batch can be made smaller, by whole parts: "
            f"{', '.join(map(str, _divisors(old)))}.",
        )
    changed = {"batch_size": size, "steps_per_epoch": steps and steps * (old // size)}
    return spec.model_copy(update={"training": spec.training.model_copy(update=changed)})


def _divisors(size: int) -> list[int]:
    return [part for part in range(size, 0, -1) if size % part == 0]

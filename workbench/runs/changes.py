"""A run's experiment with what may change between two of its lives."""

from workbench.errors import UserError
from workbench.experiment.batch_size import halved, with_batch_size
from workbench.experiment.resuming import check_change
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec, spec_tree


def changed_spec(
    spec: ExperimentSpec, settings: tuple[str, ...] = (), half_batch: bool = False
) -> ExperimentSpec:
    """The experiment to go on with; the one given where nothing changes.

    Args:
        settings: `key.path=value` each; a batch size has to be a part of the old one.
        half_batch: True for a batch half as large.

    Raises:
        UserError: a setting is not right or may not change, or the batch is one image already.
    """
    changed = parse_spec(apply_settings(spec_tree(spec), settings), "--set")
    size, before = changed.training.batch_size, spec.training.batch_size
    if half_batch and size != before:
        raise UserError("Give either --half-batch or --set training.batch_size, not both.")
    if size != before:
        steps = with_batch_size(spec, size).training.steps_per_epoch  # an epoch keeps its images
        training = changed.training.model_copy(update={"steps_per_epoch": steps})
        changed = changed.model_copy(update={"training": training})
    if half_batch:
        smaller = halved(changed)
        if smaller is None:
            raise UserError(
                "The batch is one image already: there is nothing left to halve.",
                "Start a new run with smaller images or a smaller network.",
            )
        changed = smaller
    check_change(spec, changed)
    return changed

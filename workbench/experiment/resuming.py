"""What may change between two lives of a run, and what names all that may not.

A place in training (stage, epoch, step) means something only with the same images, network and
order. What decides about those is fixed once a run has begun.
"""

import hashlib
import json
from typing import Any

from workbench.errors import UserError
from workbench.experiment.batch_size import with_batch_size
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import flat, spec_tree
from workbench.text import one_of

# A longer or shorter training, what is kept, the rate from here on, a smaller batch, the device,
# and where the same bits come from.
MAY_CHANGE = (
    "training.epochs",
    "training.early_stopping",
    "training.keep",
    "training.learning_rate",
    "training.head_learning_rate",
    "training.batch_size",
    "training.steps_per_epoch",
    "training.out_of_memory",
    "training.gpu",
    "base.prefix",
    "base.weights",
    "data.source",
    "evaluation.shift",
)
# Names without an effect on training.
_NAMES = ("name", "preset")
# Saved beside a checkpoint, which was made with these values.
_SETTINGS = ("learning_rate", "head_learning_rate", "batch_size", "steps_per_epoch")


def check_change(old: ExperimentSpec, new: ExperimentSpec) -> None:
    """Looks whether a run that began with one experiment can go on with another.

    Raises:
        UserError: it cannot; the keys are told, and which may change.
    """
    before, after = flat(spec_tree(old)), flat(spec_tree(new))
    wrong = [
        key
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key) and key not in (*MAY_CHANGE, *_NAMES)
    ]
    if wrong:
        raise UserError(
            f"{one_of(wrong)} cannot change while a run goes on: its place would mean nothing.",
            f"Start a new run with it. What may change: {', '.join(MAY_CHANGE)}.",
        )
    steps = with_batch_size(old, new.training.batch_size).training.steps_per_epoch
    if new.training.steps_per_epoch != steps:
        raise UserError(
            f"training.steps_per_epoch: received {new.training.steps_per_epoch}, but with batches "
            f"of {new.training.batch_size} it has to be {steps}: an epoch keeps its images."
        )


def settings_of(spec: ExperimentSpec) -> dict[str, Any]:
    """What a checkpoint remembers of the values that may change and still are part of its print."""
    return {key: getattr(spec.training, key) for key in _SETTINGS}


def with_settings(spec: ExperimentSpec, settings: dict[str, Any]) -> ExperimentSpec:
    """The experiment as it was when a checkpoint remembered `settings`; {} changes nothing."""
    known = {key: value for key, value in settings.items() if key in _SETTINGS}
    return spec.model_copy(update={"training": spec.training.model_copy(update=known)})


def training_fingerprint(spec: ExperimentSpec) -> str:
    """Names what a place in training means: what may change while a run goes on is left out.

    But for `settings_of`, which are put back before two prints are compared.
    """
    tree = spec_tree(spec)
    for key in (*_NAMES, "evaluation"):
        tree.pop(key, None)
    for key in ("epochs", "early_stopping", "keep", "gpu", "out_of_memory"):
        del tree["training"][key]
    for key in ("prefix", "weights"):  # the weights' own print counts
        tree.get("base", {}).pop(key, None)
    if tree.get("base", {}).get("accelerator") == "none":  # as before there was one
        del tree["base"]["accelerator"]
    if tree["training"]["shuffle"] == "images":  # likewise
        del tree["training"]["shuffle"]
    if not tree["data"]["corrections"]:  # likewise
        del tree["data"]["corrections"]
    del tree["data"]["source"]  # a folder may move; the manifest tells of its images
    return hashlib.blake2b(json.dumps(tree, sort_keys=True).encode(), digest_size=8).hexdigest()

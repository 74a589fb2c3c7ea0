"""Which settings may change when a run is resumed, and a fingerprint of those that may not.

A position in training (stage, epoch, step) is only valid with the same images, network and order.
Settings that affect these are fixed once a run has started.
"""

import hashlib
import json
from typing import Any

from workbench.errors import UserError
from workbench.experiment.batch_size import set_batch_size
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import flat, spec_tree
from workbench.messages import tr
from workbench.text import format_choices

# Training length, what is kept, the learning rate from here on, a smaller batch, the devices, and
# where the same data comes from.
CHANGEABLE_KEYS = (
    "training.epochs",
    "training.early_stopping",
    "training.keep",
    "training.learning_rate",
    "training.head_learning_rate",
    "training.batch_size",
    "training.steps_per_epoch",
    "training.augment_on",
    "training.out_of_memory",
    "training.gpu",
    "training.devices",
    "training.time_budget",
    "training.deadline",
    "base.prefix",
    "base.feature_processes",
    "base.weights",
    "data.source",
    "evaluation.shift",
    "evaluation.mirror",
)
# Names without an effect on training.
_NAMES = ("name", "preset")
# Keys that older specs lack, with the values that change nothing: older fingerprints stay valid.
_ADDED_LATER = {
    "training.head_start": "random",
    "training.backend": "auto",
    "base.accelerator": "none",
    "base.feature_processes": 1,
    "training.shuffle": "images",
    "data.corrections": "",
    "data.group": "",
    "training.momentum": 0.0,
    "training.weight_decay": 0.0,
    "training.warmup_epochs": 0.0,
    "training.clip_norm": 0.0,
    "training.ema": 0.0,
    "training.label_smoothing": 0.0,
    "training.layer_decay": 1.0,
    "training.unfreeze": "at once",
    "augmentation.random_crop": 0.0,
    "augmentation.mixup": 0.0,
    "augmentation.cutmix": 0.0,
}
# Saved with a checkpoint, which was made with these values.
_SETTINGS = ("learning_rate", "head_learning_rate", "batch_size", "steps_per_epoch")


def check_change(old: ExperimentSpec, new: ExperimentSpec) -> None:
    """Check whether a run that started with one experiment can continue with another.

    Raises:
        UserError: it cannot; the message lists the keys, the hint those that may change.
    """
    before, after = flat(spec_tree(old)), flat(spec_tree(new))
    wrong = [
        key
        for key in sorted(before.keys() | after.keys())
        if before.get(key, _ADDED_LATER.get(key)) != after.get(key, _ADDED_LATER.get(key))
        and key not in (*CHANGEABLE_KEYS, *_NAMES)
    ]
    if wrong:
        raise UserError(
            tr(
                "{choices} cannot change once a run has started: its position would be invalid.",
                choices=format_choices(wrong),
            ),
            tr(
                "Start a new run with it. What may change: {changeable_keys}.",
                changeable_keys=", ".join(CHANGEABLE_KEYS),
            ),
        )
    steps = set_batch_size(old, new.training.batch_size).training.steps_per_epoch
    if new.training.steps_per_epoch != steps:
        raise UserError(
            tr(
                "training.steps_per_epoch: received {steps_per_epoch}, but with "
                "batches of {batch_size} it has to be {steps}: an epoch keeps its "
                "images.",
                steps_per_epoch=new.training.steps_per_epoch,
                batch_size=new.training.batch_size,
                steps=steps,
            )
        )


def with_deadline(spec: ExperimentSpec, at: int | None) -> ExperimentSpec:
    """Return the experiment with another deadline, in unix seconds, or without one."""
    training = spec.training.model_copy(update={"deadline": at})
    return spec.model_copy(update={"training": training})


def resume_settings(spec: ExperimentSpec) -> dict[str, Any]:
    """Return the changeable values that are part of the fingerprint; a checkpoint saves them."""
    return {key: getattr(spec.training, key) for key in _SETTINGS}


def with_resume_settings(spec: ExperimentSpec, settings: dict[str, Any]) -> ExperimentSpec:
    """Return the experiment with the settings saved in a checkpoint; {} changes nothing."""
    known = {key: value for key, value in settings.items() if key in _SETTINGS}
    return spec.model_copy(update={"training": spec.training.model_copy(update=known)})


def training_fingerprint(spec: ExperimentSpec) -> str:
    """Return a fingerprint of everything that a position in training depends on.

    Of the changeable keys it contains only `resume_settings`, which are restored before two
    fingerprints are compared.
    """
    tree = spec_tree(spec)
    for key in (*_NAMES, "evaluation"):
        tree.pop(key, None)
    for key in ("epochs", "early_stopping", "keep", "out_of_memory"):
        tree["training"].pop(key, None)
    for key in ("gpu", "devices", "augment_on"):
        tree["training"].pop(key, None)
    for key in ("time_budget", "deadline"):  # the epochs that are fitted to them do not count
        tree["training"].pop(key, None)
    for key in (
        "prefix",
        "feature_processes",
        "weights",
    ):  # the fingerprint of the weights themselves counts
        tree.get("base", {}).pop(key, None)
    for key, without_effect in _ADDED_LATER.items():
        table, _, name = key.partition(".")
        if tree.get(table, {}).get(name) == without_effect:
            del tree[table][name]
    del tree["data"]["source"]  # a folder may move; the manifest identifies its images
    return hashlib.blake2b(json.dumps(tree, sort_keys=True).encode(), digest_size=8).hexdigest()

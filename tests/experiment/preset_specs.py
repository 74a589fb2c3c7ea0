"""Specs of presets, and the speed of a made-up device, as several tests build on them."""

from typing import Any

from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.throughput import ThroughputModel
from workbench.experiment.toml import apply_settings, parse_spec

# Round numbers, so that each part of a sum can be recognized.
SPEED = ThroughputModel(
    forward_flops=1e9,
    training_flops=5e8,
    forward_bytes=1e8,
    training_bytes=5e7,
    forward_step=0.001,
    training_step=0.002,
    update=1e-8,
)


# The presets' own heads begin solved; these are trained, as those of the chapter are.
TRAINED_HEAD = {
    "model": {"head": "average", "dense_units": [128], "dropout": 0.5},
    "training": {
        "optimizer": "adam", "learning_rate": 1e-3, "batch_size": 32, "epochs": 40,
        "early_stopping": 6,
    },
}  # fmt: skip


def trained_head_spec(
    preset: str, *settings: str, facts: DataFacts = BOOK_FACTS, **options: Any
) -> ExperimentSpec:
    """Return a preset's spec with a head that is trained, on images as they are."""
    if not preset.startswith(("feature-extraction", "fine-tuning")):
        return preset_spec(preset, *settings, facts=facts, **options)
    tree = preset_tree(preset, "photos", facts, **options)
    tree["model"] |= TRAINED_HEAD["model"]
    tree["training"] = dict(TRAINED_HEAD["training"])
    if preset == "fine-tuning":
        tree["training"] |= {"learning_rate": 1e-5, "epochs": 20, "early_stopping": 5}
        tree["training"]["head_epochs"] = 20
        del tree["augmentation"]
    return parse_spec(apply_settings(tree, settings), "spec.toml")


def preset_spec(
    preset: str, *settings: str, facts: DataFacts = BOOK_FACTS, **options: Any
) -> ExperimentSpec:
    """Return a preset's spec for photographs with the settings applied."""
    tree = preset_tree(preset, "photos", facts, **options)
    return parse_spec(apply_settings(tree, settings), "spec.toml")

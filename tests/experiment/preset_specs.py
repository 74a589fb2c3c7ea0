"""Specs of presets, as several tests build on them."""

from typing import Any

from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec


def preset_spec(
    preset: str, *settings: str, facts: DataFacts = BOOK_FACTS, **options: Any
) -> ExperimentSpec:
    """Return a preset's spec for photographs with the settings applied."""
    tree = preset_tree(preset, "photos", facts, **options)
    return parse_spec(apply_settings(tree, settings), "spec.toml")

"""A piece of advice on a spec, and a setting that follows it."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class SpecAdvice:
    """One piece of advice.

    Attributes:
        id: its subject: "head-first", "upper-layers", "all-unfrozen", "learning-rate", "views",
            "pooling", "gradual", "layer-rates", "weight-decay", "warm-up", "mixing", "devices",
            "few-photographs".
        sentence: the problem, and why it matters.
        fix: settings such as "training.learning_rate=1e-05"; empty where another preset is meant.
        offer: what these do, in a few words.
    """

    id: str
    sentence: str
    fix: tuple[str, ...] = ()
    offer: str = ""


def format_setting(key: str, value: object) -> str:
    """Return KEY=VALUE as `toml.apply_settings` reads it; a value may be a list."""
    return f"{key}={json.dumps(value)}"

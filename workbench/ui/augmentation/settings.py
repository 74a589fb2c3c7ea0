"""The augmentation settings of a draft while they are being changed."""

import math
from collections.abc import Mapping
from typing import Any

from workbench.app.draft import Draft
from workbench.experiment.sections import AugmentationSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.render.strategy import describe_key, key_choices, key_schema

TABLE = "augmentation."
KEYS = tuple(AugmentationSpec.model_fields)
STEPS = {
    "rotation": 5.0,
    "width_shift": 0.05,
    "height_shift": 0.05,
    "shear": 5.0,
    "zoom": 0.05,
    "brightness": 0.05,
    "contrast": 0.05,
}


def step_value(key: str, value: Any, direction: int) -> Any:
    """Return the next value of a key on a grid of steps, within its bounds; or its next choice.

    Args:
        key: of the augmentation.
        value: the current one.
        direction: 1 or -1.
    """
    choices = key_choices(TABLE + key)
    if choices:
        return choices[(choices.index(value) + direction) % len(choices)]
    step, schema = STEPS[key], key_schema(TABLE + key)
    steps = round(value / step, 6)  # 0.15 / 0.05 is a little less than 3
    steps = math.floor(steps) + 1 if direction > 0 else math.ceil(steps) - 1
    return min(max(round(steps * step, 6), schema["minimum"]), schema["maximum"])


def is_active(values: Mapping[str, Any]) -> bool:
    """Return True if at least one change is on."""
    return any(value for key, value in values.items() if key != "fill")


def describe_setting(key: str) -> str:
    """Return what a key does, and its bounds."""
    text, schema = describe_key(TABLE + key), key_schema(TABLE + key)
    if "maximum" in schema:
        return f"{text}; {schema['minimum']:g} to {schema['maximum']:g}"
    return text


class AugmentationSettings:
    """The settings; the draft gets them when they are saved.

    Args:
        draft: of the experiment.

    Attributes:
        spec: the experiment with these settings.

    Raises:
        UserError: the draft is invalid.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.spec = self._saved = draft.spec()
        self._defaults = draft.defaults()

    def value(self, key: str) -> Any:
        """Return the value of a key of the augmentation."""
        return getattr(self.spec.augmentation, key)

    def default(self, key: str) -> Any:
        """Return the preset's value of a key; None if it has none."""
        return self._defaults.get(TABLE + key)

    def changed(self, changes: Mapping[str, Any]) -> ExperimentSpec:
        """Return the experiment with some keys of the augmentation changed.

        Raises:
            UserError: a value is invalid.
        """
        return self.draft.with_settings({**self.draft.settings, **self._settings(changes)})

    def save(self) -> None:
        """Store the settings in the draft if they changed."""
        if self.spec.augmentation == self._saved.augmentation:
            return
        settings = self._settings({})
        self._saved = self.spec
        # The settings belong to this strategy: choosing one that was only recommended drops them.
        self.draft.preset = self.draft.chosen_preset
        self.draft.update(settings)

    def describe(self) -> str:
        """Return what the settings mean for the chosen strategy."""
        preset = self.draft.chosen_preset
        if not self.spec.augmentation.active:
            return f"All off: {preset} trains on every image as it is."
        if is_active({key: self.default(key) for key in KEYS}):
            return (
                f"{preset} augments; these settings are kept for it. Other strategies have "
                "their own."
            )
        text = f"{preset} has no augmentation of its own: kept for it, these settings "
        base = self.spec.base
        if base and not base.views:
            return f"{text}augment its images, and its base runs again in every epoch."
        return f"{text}make its training images augmented."

    def _settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the draft's settings: the whole augmentation, and the cached views with it."""
        values = {**self.spec.augmentation.model_dump(), **changes}
        settings = {TABLE + key: value for key, value in values.items()}
        if "base.views" in self._defaults:
            if not is_active(values):
                settings["base.views"] = 0  # all views would be the same
            elif not self._saved.augmentation.active:
                settings["base.views"] = self._defaults["base.views"]
        return settings

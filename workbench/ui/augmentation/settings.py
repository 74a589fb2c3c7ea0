"""The augmentation of a draft while it is tried out on the bench."""

import math
from collections.abc import Mapping
from typing import Any

from workbench.app.draft import Draft
from workbench.experiment.sections import AugmentationSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.render.strategy import choices_of, described, schema_of

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


def stepped(key: str, value: Any, way: int) -> Any:
    """The next value of a key: a step up (way 1) or down (-1), or the other choice.

    Numbers move on a grid of whole steps and stay within the bounds of the field.
    """
    choices = choices_of(TABLE + key)
    if choices:
        return choices[(choices.index(value) + way) % len(choices)]
    step, schema = STEPS[key], schema_of(TABLE + key)
    places = round(value / step, 6)  # 0.15 / 0.05 is a little less than 3
    place = math.floor(places) + 1 if way > 0 else math.ceil(places) - 1
    return min(max(round(place * step, 6), schema["minimum"]), schema["maximum"])


def is_active(values: Mapping[str, Any]) -> bool:
    """True where at least one change is switched on."""
    return any(value for key, value in values.items() if key != "fill")


def meaning(key: str) -> str:
    """What a key does, and its bounds."""
    words, schema = described(TABLE + key), schema_of(TABLE + key)
    if "maximum" in schema:
        return f"{words}; {schema['minimum']:g} to {schema['maximum']:g}"
    return words


class BenchSettings:
    """What is set on the bench; the draft has it once it is kept.

    Attributes:
        whole: the experiment as it is with these settings.

    Raises:
        UserError: the draft does not fit, in words.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.whole = self._began = draft.spec()
        self._defaults = draft.defaults()

    def value(self, key: str) -> Any:
        """What a key of the augmentation is set to."""
        return getattr(self.whole.augmentation, key)

    def default(self, key: str) -> Any:
        """What the preset says of a key; None where it says nothing."""
        return self._defaults.get(TABLE + key)

    def changed(self, changes: Mapping[str, Any]) -> ExperimentSpec:
        """The experiment with some keys of the augmentation changed; nothing is kept.

        Raises:
            UserError: a value does not fit, in words.
        """
        return self.draft.with_settings({**self.draft.settings, **self._settings(changes)})

    def keep(self) -> None:
        """Puts the settings into the draft where they were changed."""
        if self.whole.augmentation == self._began.augmentation:
            return
        settings = self._settings({})
        self._began = self.whole
        # The settings are this rung's: to choose a rung that was only recommended drops them.
        self.draft.preset = self.draft.chosen_preset
        self.draft.take(settings)

    def note(self) -> str:
        """What the settings mean for the rung that is chosen."""
        rung = self.draft.chosen_preset
        if not self.whole.augmentation.active:
            return f"All off: {rung} trains on every image as it is."
        if is_active({key: self.default(key) for key in KEYS}):
            return f"{rung} augments; these settings are kept for it. Other rungs have their own."
        words = f"{rung} has no augmentation of its own: kept for it, these settings "
        base = self.whole.base
        if base and not base.views:
            return f"{words}augment its images, and its base runs anew in every epoch."
        return f"{words}make its training images augmented."

    def _settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """What the draft keeps: the whole augmentation, and the cached views that go with it."""
        values = {**self.whole.augmentation.model_dump(), **changes}
        settings = {TABLE + key: value for key, value in values.items()}
        if "base.views" in self._defaults:
            if not is_active(values):
                settings["base.views"] = 0  # all views would be the same
            elif not self._began.augmentation.active:
                settings["base.views"] = self._defaults["base.views"]
        return settings

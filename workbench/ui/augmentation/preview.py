"""Eight augmented views of one image, and the settings while they are changed."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.worker import get_current_worker

from workbench.app.draft import Draft
from workbench.datasets.augment import augment, draw
from workbench.datasets.decoding import decode_opened, to_array
from workbench.datasets.image_files import ImageError, open_image
from workbench.datasets.scan import pixel_hash
from workbench.datasets.sixteen_bit import SixteenBitImage
from workbench.experiment.augmentation import IMAGE_CHANGES
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.render.half_blocks import missing_image_text
from workbench.render.strategy import describe_key, key_choices, key_schema
from workbench.ui.widgets.picture import Picture

TABLE = "augmentation."
KEYS = (*IMAGE_CHANGES, "fill")  # mixup and CutMix take more than one image
STEPS = {
    "rotation": 5.0,
    "width_shift": 0.05,
    "height_shift": 0.05,
    "shear": 5.0,
    "zoom": 0.05,
    "brightness": 0.05,
    "contrast": 0.05,
    "random_crop": 0.05,
}
FIRST_STAGE = 0
ACROSS, DOWN = 4, 2
VIEWS_SHOWN = ACROSS * DOWN


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
    return any(values.get(key) for key in IMAGE_CHANGES)


def describe_setting(key: str) -> str:
    """Return what a key does, and its bounds."""
    text, schema = describe_key(TABLE + key), key_schema(TABLE + key)
    if "maximum" in schema:
        return tr(
            "{text}; {minimum:g} to {maximum:g}",
            text=text,
            minimum=schema["minimum"],
            maximum=schema["maximum"],
        )
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
            if self.spec.model.strategy == "linear-probe" and self.spec.probe.mirror:
                return tr("All off: {preset} uses every image and its mirror image.", preset=preset)
            return tr("All off: {preset} trains on every image as it is.", preset=preset)
        if is_active({key: self.default(key) for key in KEYS}):
            return tr(
                "{preset} augments; these settings are kept for it. Other "
                "strategies have their own.",
                preset=preset,
            )
        text = (
            tr(
                "{preset} has no augmentation of its own: kept for it, these settings",
                preset=preset,
            )
            + " "
        )
        base = self.spec.base
        if base and not base.views:
            return tr(
                "{value}augment its images, and its base runs again in every epoch.", value=text
            )
        return tr("{value}make its training images augmented.", value=text)

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


@dataclass(frozen=True, eq=False)
class SampleImage:
    """An image of the data.

    Attributes:
        path: of its file.
        array: uint8 (height, width, channels), of the spec's size; None if it cannot be read.
        content: identifies the image for `draw`, 0 to 2**64 - 1.
        reason: why it cannot be read.
    """

    path: Path
    array: np.ndarray | None
    content: int = 0
    reason: str = ""


def load_sample(path: Path, data: DataSpec) -> SampleImage:
    """Read an image as training does, with what identifies it there."""
    try:
        with open_image(path) as (opened, header):
            found = decode_opened(opened, header)
        content = int(pixel_hash(found)[:16], 16)
        # The scale of 16 bits is measured when training starts; the image's own is close to it.
        image = found.for_display() if isinstance(found, SixteenBitImage) else found
        return SampleImage(
            path, to_array(image, data.image_size, data.channels, data.resize), content
        )
    except ImageError as error:
        return SampleImage(path, None, reason=error.reason)


def draw_views(sample: SampleImage, spec: ExperimentSpec, views: range) -> Iterator[np.ndarray]:
    """Yield an image, uint8, as training will see it in each of these views.

    Args:
        sample: an image that could be read.
        spec: of the experiment.
        views: their numbers, from 1.
    """
    assert sample.array is not None
    augmentation, seed = spec.augmentation, spec.training.seed
    for view in views:
        changes = draw(augmentation, seed, FIRST_STAGE, view, sample.content)
        yield augment(sample.array, augmentation, changes)


class AugmentationPreview(Vertical):
    """Computes the views in a thread, and shows them."""

    DEFAULT_CSS = """
    AugmentationPreview { width: 1fr; height: 1fr; }
    AugmentationPreview Horizontal { height: 1fr; margin-bottom: 1; }
    AugmentationPreview Picture { width: 1fr; height: 1fr; margin-right: 1; }
    AugmentationPreview Picture:last-child { margin-right: 0; }
    """

    @dataclass
    class Drawn(Message):
        """The views, uint8."""

        pictures: list[np.ndarray]

    def compose(self) -> ComposeResult:
        """Yield a box for each view."""
        for row in range(DOWN):
            with Horizontal():
                for column in range(ACROSS):
                    yield Picture(id=f"variant-{row * ACROSS + column + 1}")

    def show(self, sample: SampleImage, spec: ExperimentSpec, first: int) -> None:
        """Draw the views of an image from number `first`, or show why it cannot be read."""
        if sample.array is None:
            self.show_message(missing_image_text(sample.reason))
        else:
            self._draw(sample, spec, first)

    def show_message(self, message: Text) -> None:
        """Show a message instead of the views."""
        self.workers.cancel_group(self, "draw")
        self._fill([message, *[None] * (VIEWS_SHOWN - 1)])

    @work(thread=True, exclusive=True, group="draw", exit_on_error=False)
    def _draw(self, sample: SampleImage, spec: ExperimentSpec, first: int) -> None:
        worker = get_current_worker()
        pictures = []
        views = range(first, first + VIEWS_SHOWN)
        for picture in draw_views(sample, spec, views):
            if worker.is_cancelled:
                return
            pictures.append(picture)
        self.post_message(self.Drawn(pictures))

    @on(Drawn)
    def _drawn(self, event: Drawn) -> None:
        event.stop()
        self._fill(event.pictures)

    def _fill(self, shown: Sequence[np.ndarray | Text | None]) -> None:
        # No boxes once the screen is being closed.
        for box, picture in zip(self.query(Picture), shown, strict=False):
            box.picture = picture

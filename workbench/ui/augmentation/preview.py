"""Eight augmented views of one image, side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.datasets.augment import augment, draw
from workbench.datasets.decoding import decode_opened, to_array
from workbench.datasets.image_files import ImageError, open_image
from workbench.datasets.scan import pixel_hash
from workbench.datasets.sixteen_bit import SixteenBitImage
from workbench.experiment.sections import DataSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.render.half_blocks import fit_half_blocks, missing_image_text

FIRST_STAGE = 0
ACROSS, DOWN = 4, 2
VIEWS_SHOWN = ACROSS * DOWN


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


def draw_views(
    sample: SampleImage, spec: ExperimentSpec, views: range, box: tuple[int, int], utf8: bool
) -> Iterator[Text]:
    """Yield an image as training will see it in each of these views.

    Args:
        sample: an image that could be read.
        spec: of the experiment.
        views: their numbers, from 1.
        box: width and height of each picture in cells.
        utf8: whether the terminal shows more than ASCII.
    """
    assert sample.array is not None
    augmentation, seed = spec.augmentation, spec.training.seed
    for view in views:
        changes = draw(augmentation, seed, FIRST_STAGE, view, sample.content)
        yield fit_half_blocks(augment(sample.array, augmentation, changes), *box, utf8)


class AugmentationPreview(Vertical):
    """Draws the views in a thread, and again when it is resized.

    Args:
        utf8: whether the terminal shows more than ASCII.
    """

    DEFAULT_CSS = """
    AugmentationPreview { width: 1fr; height: 1fr; }
    AugmentationPreview Horizontal { height: 1fr; margin-bottom: 1; }
    AugmentationPreview Static { width: 1fr; height: 1fr; margin-right: 1; }
    AugmentationPreview Static:last-child { margin-right: 0; }
    """

    @dataclass
    class Drawn(Message):
        """The views, in cells."""

        pictures: list[Text]

    def __init__(self, utf8: bool = True) -> None:
        super().__init__()
        self._utf8 = utf8
        self._request: tuple[SampleImage, ExperimentSpec, int] | None = None

    def compose(self) -> ComposeResult:
        """Yield a box for each view."""
        for row in range(DOWN):
            with Horizontal():
                for column in range(ACROSS):
                    yield Static(id=f"variant-{row * ACROSS + column + 1}")

    def show(self, sample: SampleImage, spec: ExperimentSpec, first: int) -> None:
        """Draw the views of an image from number `first`, or show why it cannot be read."""
        self._request = sample, spec, first
        if sample.array is None:
            self.show_message(missing_image_text(sample.reason))
        else:
            self._redraw()

    def show_message(self, message: Text) -> None:
        """Show a message instead of the views."""
        self.workers.cancel_group(self, "draw")
        self._fill([message, *[Text()] * (VIEWS_SHOWN - 1)])

    def on_resize(self) -> None:
        """Redraw at the new size."""
        self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        for first in self.query("#variant-1"):  # none once the screen is being closed
            box = first.size
            if self._request and self._request[0].array is not None and box.width and box.height:
                self._draw(*self._request, (box.width, box.height))

    @work(thread=True, exclusive=True, group="draw", exit_on_error=False)
    def _draw(
        self, sample: SampleImage, spec: ExperimentSpec, first: int, box: tuple[int, int]
    ) -> None:
        worker = get_current_worker()
        pictures = []
        views = range(first, first + VIEWS_SHOWN)
        for picture in draw_views(sample, spec, views, box, self._utf8):
            if worker.is_cancelled:
                return
            pictures.append(picture)
        self.post_message(self.Drawn(pictures))

    @on(Drawn)
    def _drawn(self, event: Drawn) -> None:
        event.stop()
        self._fill(event.pictures)

    def _fill(self, shown: list[Text]) -> None:
        for number, text in enumerate(shown, 1):
            self.query_one(f"#variant-{number}", Static).update(text, layout=False)

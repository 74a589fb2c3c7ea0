"""An explanation of a network: the worker's pictures as they arrive, and what they show."""

import base64
import binascii
import io
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from workbench.app.jobs import JobEvent
from workbench.datasets.decoding import decode_for_display
from workbench.datasets.image_files import ImageError
from workbench.datasets.sources.opening import open_images
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.work_titles import work_title
from workbench.text import safe_lines, safe_text
from workbench.ui.widgets.job_part import STARTING, Job, JobPart
from workbench.ui.widgets.picture import Picture

DRAWN = (640, 640)  # pixels of an image that is shown by itself


@dataclass(frozen=True)
class ImageChoice:
    """An image to explain.

    Attributes:
        path: of the image, in `root`.
        root: folder or npz file; None if `path` stands by itself.
    """

    path: str
    root: Path | None = None

    def as_file(self, scratch: Path) -> Path:
        """Return the image as a file; one of an npz file is written into `scratch`.

        Raises:
            ImageError: the source has no such image any more.
            UserError: the file that holds all images is damaged.
        """
        if self.root is None:
            return Path(self.path)
        copy = scratch / f"{self.path.replace('/', '-')}.png"
        return open_images(self.root).file(self.path, copy)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Pictures, and what they show."""

    message: str
    pictures: tuple[np.ndarray, ...]


class ExplanationView(Vertical, JobPart):
    """A description above a picture that fills the room."""

    DEFAULT_CSS = """
    ExplanationView #explanation-text { height: auto; color: $secondary; margin-bottom: 1; }
    ExplanationView #explanation-text.-problem { color: $error; }
    ExplanationView #explanation-picture { height: 1fr; }
    """

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._pictures: tuple[np.ndarray, ...] = ()

    def compose(self) -> ComposeResult:
        """Yield the description, then the picture."""
        yield Static(id="explanation-text")
        yield Picture(id="explanation-picture")

    def on_resize(self) -> None:
        """Redraw the picture at the new size."""
        self.call_after_refresh(self._draw)

    def show_message(self, message: str, is_problem: bool = False) -> None:
        """Show a message above the picture."""
        line = self.query_one("#explanation-text", Static)
        line.set_class(is_problem, "-problem")
        line.update(Text(safe_lines(message)))

    def explain(self, request: dict[str, Any], image: ImageChoice | None) -> None:
        """Run a job of the worker.

        Args:
            request: of the job, without the image.
            image: to explain; None for what needs no image.
        """
        self._pictures = ()
        self._draw()
        self.show_message(STARTING)
        failed = partial(self.show_message, is_problem=True)
        self.start_job(lambda job: self._explain(job, request, image), self._show, failed)

    def show_image(self, image: ImageChoice) -> None:
        """Show an image by itself."""

        def show(job: Job) -> None:
            with TemporaryDirectory(prefix="workbench-") as scratch:
                self._show_image(job, _file_of(image, scratch))

        failed = partial(self.show_message, is_problem=True)
        self.start_job(show, lambda shown: None, failed)

    def _show_image(self, job: Job, file: Path) -> None:
        """Show an image while its explanation is made; the worker says why one cannot be read."""
        with suppress(ImageError):
            job.call(self._show_pictures, (_pixels(file),))

    def _explain(self, job: Job, request: dict[str, Any], image: ImageChoice | None) -> Explanation:
        patterns: list[np.ndarray] = []

        def on_event(event: JobEvent) -> None:
            if event["event"] == "pattern":
                patterns.append(_decode(event.get("picture")))
                job.call(self._show, Explanation(str(event.get("words")), tuple(patterns)))

        with TemporaryDirectory(prefix="workbench-") as scratch:
            if image:
                file = _file_of(image, scratch)
                self._show_image(job, file)
                request = {**request, "image": str(file)}
            found = job.run_worker("explain", request, on_event)
        lines = [str(line) for line in found.get("words", ())]
        lines.append(f"PNG: {self._shown_path(Path(str(found.get('out'))))}")
        pictures = tuple(patterns) or (_decode(found.get("preview")),)
        return Explanation("\n".join(lines), pictures)

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the steps of the worker."""
        if total:
            self.show_message(
                safe_text(
                    tr(
                        "{phase}, step {done} of {total}",
                        phase=work_title(phase),
                        done=done,
                        total=total,
                    ),
                    60,
                )
            )

    def _shown_path(self, file: Path) -> Path:
        """Return the file relative to the workspace if it is in it."""
        root = self._workspace.root.absolute()
        return file.relative_to(root) if file.is_relative_to(root) else file

    def _show(self, explanation: Explanation) -> None:
        self.show_message(explanation.message)
        self._show_pictures(explanation.pictures)

    def _show_pictures(self, pictures: tuple[np.ndarray, ...]) -> None:
        self._pictures = pictures
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        for picture in self.query(Picture):  # none once closed
            box = picture.size
            tiled = self._pictures and box.width and box.height
            picture.picture = _tile(self._pictures, box.width / (2 * box.height)) if tiled else None


def _file_of(image: ImageChoice, scratch: str) -> Path:
    """Return the absolute path of an image, see `ImageChoice.as_file`.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return image.as_file(Path(scratch)).absolute()
    except ImageError as error:
        raise UserError(tr("The image cannot be read: {reason}.", reason=error.reason)) from None


def _pixels(file: Path) -> np.ndarray:
    """Return an image as uint8, (height, width, 3), not much larger than it is drawn.

    Raises:
        ImageError: it is damaged.
    """
    image = decode_for_display(file, DRAWN).convert("RGB")
    image.thumbnail(DRAWN)
    return np.asarray(image)


def _decode(picture: Any) -> np.ndarray:
    """Decode the picture of an event to (height, width, 3) of uint8.

    Raises:
        ValueError: it is not a PNG file.
    """
    try:
        content = io.BytesIO(base64.b64decode(str(picture)))
        with Image.open(content, formats=("PNG",)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, binascii.Error) as error:
        raise ValueError(f"the worker sent no picture: {error}") from None


def _tile(pictures: Sequence[np.ndarray], aspect: float) -> np.ndarray:
    """Tile pictures of one size, with gaps between them.

    Args:
        pictures: uint8 (height, width, 3).
        aspect: width of the room divided by its height, which the result is near to.
    """
    height, width = pictures[0].shape[:2]
    columns = max(1, min(len(pictures), round(math.sqrt(len(pictures) * aspect * height / width))))
    gap = max(1, width // 16)
    rows = math.ceil(len(pictures) / columns)
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (height + gap) * (number // columns), (width + gap) * (number % columns)
        canvas[top : top + height, left : left + width] = picture
    return canvas

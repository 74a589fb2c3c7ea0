"""A look inside a network: a worker's pictures as they come, and what they show in words."""

import base64
import binascii
import io
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import Static

from workbench.datasets.npz_source import NpzImages
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.render.half_blocks import fitted
from workbench.text import safe_lines, safe_text
from workbench.ui.widgets.job_part import STARTING, JobPart


@dataclass(frozen=True)
class Chosen:
    """An image to look at.

    Attributes:
        root: the folder or npz file that `path` is in; None for a path of its own.
    """

    path: str
    root: Path | None = None

    def file(self, scratch: Path) -> Path:
        """The image as a file; out of an npz file it is written into `scratch`.

        Raises:
            UserError, KeyError: it is not in its npz file, or that is damaged.
        """
        if self.root is None:
            return Path(self.path)
        if self.root.suffix != ".npz":
            return self.root / self.path
        copy = scratch / f"{self.path.replace('/', '-')}.png"
        NpzImages(self.root).image(self.path).save(copy)
        return copy


class InsideLook(JobPart):
    """Words over a picture that takes what room there is."""

    DEFAULT_CSS = """
    InsideLook #look-words { height: auto; color: $secondary; margin-bottom: 1; }
    InsideLook #look-words.-problem { color: $error; }
    InsideLook #look-picture { height: 1fr; }
    """

    class Told(Message):
        """What is known now; a picture stays where none comes."""

        def __init__(
            self, words: str, pictures: Sequence[np.ndarray] = (), problem: bool = False
        ) -> None:
            super().__init__()
            self.words = words
            self.pictures = tuple(pictures)
            self.problem = problem

    def __init__(self, workspace: Workspace, utf8: bool = True) -> None:
        super().__init__()
        self._workspace = workspace
        self._utf8 = utf8
        self._pictures: tuple[np.ndarray, ...] = ()

    def compose(self) -> ComposeResult:
        """Words, then the picture."""
        yield Static(id="look-words")
        yield Static(id="look-picture")

    def on_resize(self) -> None:
        """More room, a larger picture."""
        self.call_after_refresh(self._draw)

    def say(self, words: str) -> None:
        """Words alone."""
        self.query_one("#look-words", Static).update(Text(words))

    def look(self, request: dict[str, Any], image: Chosen | None = None) -> None:
        """Has a worker look; an earlier look that is not finished is given up.

        Args:
            request: as `worker.inside` takes it, without the image.
        """
        self.end_job()
        self._pictures = ()
        self._draw()
        self.say(STARTING)
        self._look(request, image)

    @work(thread=True, exit_on_error=False)
    def _look(self, request: dict[str, Any], image: Chosen | None) -> None:
        patterns: list[np.ndarray] = []

        def tell(words: str, pictures: Sequence[np.ndarray] = (), problem: bool = False) -> None:
            self.tell(self.Told(words, pictures, problem))

        def on_event(event: dict[str, Any]) -> None:
            if event.get("event") == "pattern":
                patterns.append(_pixels(event.get("picture")))
                tell(str(event.get("words")), patterns)
            elif event.get("event") == "progress" and event.get("total"):
                done = f"{event.get('phase')}, step {event.get('done')} of {event.get('total')}"
                tell(safe_text(done, 60))

        try:
            with ExitStack() as stack:
                if image:
                    scratch = stack.enter_context(TemporaryDirectory(prefix="workbench-"))
                    request = {**request, "image": str(image.file(Path(scratch)).absolute())}
                found = self.run_job("inside", request, on_event)
            words = [str(line) for line in found.get("words", ())]
            pictures = patterns or [_pixels(found.get("preview"))]
            tell("\n".join([*words, f"PNG: {self._place(Path(str(found.get('out'))))}"]), pictures)
        except KeyError:
            tell("The image is not in its npz file any more.", problem=True)
        except (UserError, OSError, ValueError) as error:
            tell(str(error), problem=True)

    def _place(self, file: Path) -> Path:
        """The file as a path from the workspace; one that lies elsewhere, as it is."""
        root = self._workspace.root.absolute()
        return file.relative_to(root) if file.is_relative_to(root) else file

    @on(Told)
    def _show(self, told: Told) -> None:
        told.stop()
        line = self.query_one("#look-words", Static)
        line.set_class(told.problem, "-problem")
        line.update(Text(safe_lines(told.words)))
        if told.pictures:
            self._pictures = told.pictures
            self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        for picture in self.query("#look-picture").results(Static):  # none while it goes away
            box = picture.size
            if self._pictures and box.width and box.height:
                whole = _together(self._pictures, box.width / (2 * box.height))
                picture.update(fitted(whole, box.width, box.height, self._utf8), layout=False)
            else:
                picture.update(Text(), layout=False)


def _pixels(picture: Any) -> np.ndarray:
    """The picture of an event.

    Raises:
        ValueError: it is none.
    """
    try:
        content = io.BytesIO(base64.b64decode(str(picture)))
        with Image.open(content, formats=("PNG",)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, binascii.Error) as error:
        raise ValueError(f"the worker sent no picture: {error}") from None


def _together(pictures: Sequence[np.ndarray], shape: float) -> np.ndarray:
    """Pictures of one size as one, in about the proportions of the room; a gap between two.

    Args:
        shape: width of the room by its height.
    """
    height, width = pictures[0].shape[:2]
    columns = max(1, min(len(pictures), round(math.sqrt(len(pictures) * shape * height / width))))
    gap = max(1, width // 16)
    rows = math.ceil(len(pictures) / columns)
    canvas = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (height + gap) * (number // columns), (width + gap) * (number % columns)
        canvas[top : top + height, left : left + width] = picture
    return canvas

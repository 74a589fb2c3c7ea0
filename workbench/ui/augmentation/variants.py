"""Eight variants of one image, side by side."""

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.experiment.spec import ExperimentSpec
from workbench.render.half_blocks import no_picture
from workbench.ui.augmentation.pictures import Opened, drawn_views

ACROSS, DOWN = 4, 2
VARIANTS = ACROSS * DOWN


class Variants(Vertical):
    """Draws variants in a thread; drawn anew where there is another room for them."""

    DEFAULT_CSS = """
    Variants { width: 1fr; height: 1fr; }
    Variants Horizontal { height: 1fr; margin-bottom: 1; }
    Variants Static { width: 1fr; height: 1fr; margin-right: 1; }
    Variants Static:last-child { margin-right: 0; }
    """

    class Drawn(Message):
        """The variants, in cells."""

        def __init__(self, pictures: list[Text]) -> None:
            super().__init__()
            self.pictures = pictures

    def __init__(self, utf8: bool = True) -> None:
        super().__init__()
        self._utf8 = utf8
        self._wanted: tuple[Opened, ExperimentSpec, int] | None = None

    def compose(self) -> ComposeResult:
        """A box for each."""
        for row in range(DOWN):
            with Horizontal():
                for column in range(ACROSS):
                    yield Static(id=f"variant-{row * ACROSS + column + 1}")

    def show(self, opened: Opened, whole: ExperimentSpec, first: int) -> None:
        """Draws the variants of an image from view `first` on, or says why it cannot be read."""
        self._wanted = opened, whole, first
        if opened.pixels is None:
            self.tell(no_picture(opened.reason))
        else:
            self._redraw()

    def tell(self, words: Text) -> None:
        """Shows words in the place of the pictures."""
        self.workers.cancel_group(self, "draw")
        self._fill([words, *[Text()] * (VARIANTS - 1)])

    def on_resize(self) -> None:
        """More room, larger variants."""
        self.call_after_refresh(self._redraw)

    def _redraw(self) -> None:
        for first in self.query("#variant-1"):  # none while the screen goes away
            box = first.size
            if self._wanted and self._wanted[0].pixels is not None and box.width and box.height:
                self._draw(*self._wanted, (box.width, box.height))

    @work(thread=True, exclusive=True, group="draw", exit_on_error=False)
    def _draw(
        self, opened: Opened, whole: ExperimentSpec, first: int, box: tuple[int, int]
    ) -> None:
        worker = get_current_worker()
        pictures = []
        for picture in drawn_views(opened, whole, range(first, first + VARIANTS), box, self._utf8):
            if worker.is_cancelled:
                return
            pictures.append(picture)
        self.post_message(self.Drawn(pictures))

    @on(Drawn)
    def _was_drawn(self, event: Drawn) -> None:
        event.stop()
        self._fill(event.pictures)

    def _fill(self, shown: list[Text]) -> None:
        for number, text in enumerate(shown, 1):
            self.query_one(f"#variant-{number}", Static).update(text, layout=False)

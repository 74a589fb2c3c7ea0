"""The dialogs of the lessons: which images, weights and seeds."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from workbench.app.lessons import LessonImages
from workbench.bases.weights import IMAGENET, parse_weights
from workbench.errors import UserError
from workbench.lessons.catalogue import parse_seeds
from workbench.messages import tr
from workbench.text import safe_text
from workbench.ui.widgets.data_choice import DataChoice
from workbench.ui.widgets.path_field import WEIGHTS, PathField

CANCEL = Binding("escape", "dismiss(None)", tr("Cancel"))


class PickImages(ModalScreen[LessonImages | None]):
    """Ask for a path or a data set of the catalogue; escape returns None.

    Args:
        newest: images of the newest experiment, the default; "" for none.
        utf8: whether the terminal shows more than ASCII.
    """

    CSS = """
    PickImages .dialog { width: 78; max-width: 100%; height: 19; padding: 0 1; }
    PickImages OptionList { border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def __init__(self, newest: str, utf8: bool) -> None:
        super().__init__()
        self._newest = newest
        self._utf8 = utf8

    def compose(self) -> ComposeResult:
        """Yield the choice of data."""
        with Vertical(classes="dialog"):
            yield DataChoice(self._utf8)

    def on_mount(self) -> None:
        """Focus the field for a path."""
        self.query_one(DataChoice).start(self._newest)

    @on(DataChoice.Chosen)
    async def _chosen(self, event: DataChoice.Chosen) -> None:
        if event.path is None:
            self.dismiss(LessonImages(event.name))
        elif await asyncio.to_thread(event.path.exists):
            self.dismiss(LessonImages(str(event.path), event.path))
        else:
            fault = tr("There is no file or folder {path}.", path=safe_text(event.path, 100))
            self.query_one(DataChoice).start(fault=fault)


class AskWeights(ModalScreen[str | None]):
    """Ask for a file of weights; an empty line returns "imagenet", escape None.

    Args:
        base: name of the base.
        weights: the current ones.
    """

    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def __init__(self, base: str, weights: str) -> None:
        super().__init__()
        self._base = base
        self._weights = "" if weights == IMAGENET else weights

    def compose(self) -> ComposeResult:
        """Yield the question, the field and the error."""
        with Vertical(classes="dialog"):
            yield Static(
                tr(
                    "Which file holds ImageNet weights of {base}? Tab completes its "
                    "path. Empty: the published file, downloaded if necessary.",
                    base=self._base,
                )
            )
            yield PathField(self._weights, tr("/path/to/weights.h5"), WEIGHTS)
            yield Static(id="error")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(parse_weights(event.value.strip() or IMAGENET))
        except UserError as error:
            self.query_one("#error", Static).update(Text(f"! {safe_text(error.message, 300)}"))


class AskSeeds(ModalScreen[tuple[int, ...] | None]):
    """Ask for seeds, checked while typing; () for each lesson's own, escape returns None.

    Args:
        seeds: the current ones.
    """

    BINDINGS: ClassVar[list[BindingType]] = [CANCEL]

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__()
        self._seeds = ",".join(map(str, seeds))

    def compose(self) -> ComposeResult:
        """Yield the question, the field and the error."""
        with Vertical(classes="dialog"):
            yield Static(
                tr(
                    "Which seeds? Each network is trained once per seed, so two seeds "
                    "take twice as long as one. Such as 1,2,3; empty: each lesson's "
                    "own."
                )
            )
            yield Input(self._seeds, id="seeds")
            yield Static(id="error")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        _, error = parse_typed_seeds(event.value)
        self.query_one("#error", Static).update(Text(f"! {error}" if error else ""))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        seeds, error = parse_typed_seeds(event.value)
        if not error:
            self.dismiss(seeds)


def parse_typed_seeds(typed: str) -> tuple[tuple[int, ...], str]:
    """Return the typed seeds, and the error ("" for none)."""
    try:
        return (parse_seeds(typed) if typed.strip() else ()), ""
    except UserError as error:  # it names the option of the command, which nobody typed here
        return (), safe_text(error.message.replace("--seeds takes", "Seeds are"), 200)

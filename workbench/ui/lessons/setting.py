"""What experiments are tried on: the questions which images, weights, and seeds."""

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

from workbench.app.lessons import Images
from workbench.bases.weights import IMAGENET, given_weights
from workbench.errors import UserError
from workbench.lessons.requests import parse_seeds
from workbench.text import safe_text
from workbench.ui.widgets.data_choice import DataChoice
from workbench.ui.widgets.path_field import WEIGHTS, PathField


class PickImages(ModalScreen[Images | None]):
    """A path that is typed, or a set of the catalogue; escape gives None.

    Args:
        newest: the images of the newest experiment, which enter takes; "" where there are none.
    """

    CSS = """
    PickImages .dialog { width: 78; max-width: 100%; height: 19; padding: 0 1; }
    PickImages OptionList { border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, newest: str, utf8: bool) -> None:
        super().__init__()
        self._newest = newest
        self._utf8 = utf8

    def compose(self) -> ComposeResult:
        """The same choice as of an experiment's own."""
        with Vertical(classes="dialog"):
            yield DataChoice(self._utf8)

    def on_mount(self) -> None:
        """The line for a path waits."""
        self.query_one(DataChoice).start(self._newest)

    @on(DataChoice.Chosen)
    async def _chosen(self, event: DataChoice.Chosen) -> None:
        if event.path is None:
            self.dismiss(Images(event.name))
        elif await asyncio.to_thread(event.path.exists):
            self.dismiss(Images(str(event.path), event.path))
        else:
            fault = f"There is no file or folder {safe_text(event.path, 100)}."
            self.query_one(DataChoice).start(fault=fault)


class AskWeights(ModalScreen[str | None]):
    """A file of weights to type, "imagenet" for an empty line; escape gives None.

    Args:
        base: whose weights.
        weights: what they are now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, base: str, weights: str) -> None:
        super().__init__()
        self._base = base
        self._weights = "" if weights == IMAGENET else weights

    def compose(self) -> ComposeResult:
        """What they are, the line, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(
                f"Which file holds ImageNet weights of {self._base}? Tab completes its path. "
                "Nothing: the published file, downloaded where it is not here yet."
            )
            yield PathField(self._weights, "/path/to/weights.h5", WEIGHTS)
            yield Static(id="error")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(given_weights(event.value.strip() or IMAGENET))
        except UserError as error:
            words = f"! {safe_text(error.message, 300)}"
            self.query_one("#error", Static).update(Text(words))


class AskSeeds(ModalScreen[tuple[int, ...] | None]):
    """Seeds to type, checked as they are typed; () for each experiment's own, escape gives None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, seeds: Sequence[int]) -> None:
        super().__init__()
        self._seeds = ",".join(map(str, seeds))

    def compose(self) -> ComposeResult:
        """What they are, the line, what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static(
                "Which seeds? Each network is trained once for each of them, so two take twice "
                "as long as one. Such as 1,2,3; nothing: each experiment's own."
            )
            yield Input(self._seeds, id="seeds")
            yield Static(id="error")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        _, problem = seeds_of(event.value)
        self.query_one("#error", Static).update(Text(f"! {problem}" if problem else ""))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        seeds, problem = seeds_of(event.value)
        if not problem:
            self.dismiss(seeds)


def seeds_of(typed: str) -> tuple[tuple[int, ...], str]:
    """The seeds that were typed, and what is wrong with them; "" where nothing is."""
    try:
        return (parse_seeds(typed) if typed.strip() else ()), ""
    except UserError as error:  # in the command's words, to who typed no option
        return (), safe_text(error.message.replace("--seeds takes", "Seeds are"), 200)

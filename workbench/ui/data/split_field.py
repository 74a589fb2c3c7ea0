"""The split: a field for its three parts, checked while typing, and the images of each part."""

from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from workbench.app.draft import Draft, plain_message
from workbench.errors import UserError
from workbench.experiment.facts import SPLITS, DataFacts, expected_images
from workbench.experiment.sections import SplitSpec
from workbench.text import safe_text

SPLIT_KEYS = tuple(f"data.split.{part}" for part in SPLITS)
_HINT = "tab leads to it, then type other shares"


class SplitField(Vertical):
    """A field for the split, which the draft keeps. Its `Input.Submitted` bubbles.

    Args:
        draft: with the facts of its images once it is shown.

    Attributes:
        error: why the split cannot be used, "" if it can.
    """

    DEFAULT_CSS = """
    SplitField { height: auto; }
    SplitField #split-title { height: 1; color: $secondary; }
    SplitField #split-row { height: auto; max-height: 3; }
    SplitField #split { width: 20; background: $panel; }
    SplitField #split-result { margin-left: 1; width: 1fr; height: auto; }
    """

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self.error = ""

    def compose(self) -> ComposeResult:
        """Yield the title, the field and the images of each part."""
        yield Static(f"split; {_HINT}", id="split-title")
        with Horizontal(id="split-row"):
            yield Input(id="split", compact=True, restrict=r"[0-9.,eE+\- ]*")
            yield Static(id="split-result")

    def show(self) -> None:
        """Show the split of the draft."""
        facts = self._draft.facts
        field = self.query_one("#split", Input)
        if facts and facts.user_split:
            complete = bool(facts.split_images.get("validation"))  # nothing is left to split
            field.display = not complete
            title = "your split" if complete else f"your split; {_HINT}"
            self.query_one("#split-title", Static).update(title)
        with field.prevent(Input.Changed):
            field.value = format_split(self._draft.spec().data.split)
        self._show_result()

    @on(Input.Changed, "#split")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        settings, error = parse_split(event.value)
        self._show_result(error or self._apply(settings))

    def _apply(self, settings: dict[str, Any]) -> str:
        """Store a split in the draft; return why it cannot be used."""
        try:
            spec = self._draft.with_settings({**self._draft.settings, **settings})
        except UserError as error:
            return plain_message(error).removeprefix("data.split: ")
        problem = split_error(self._draft.facts, spec.data.split)
        if not problem and spec.data.split != self._draft.spec().data.split:
            self._draft.update(settings)
        return problem

    def _show_result(self, error: str = "") -> None:
        facts, split = self._draft.facts, self._draft.spec().data.split
        self.error = error = error or split_error(facts, split)
        result = self.query_one("#split-result", Static)
        if error:
            color = self.app.theme_variables.get("error", "")
            result.update(Text(f"! {safe_text(error, 200)}", style=color))
        elif facts:
            result.update(format_images(facts, split))


def format_split(split: SplitSpec) -> str:
    """Return a split as it is typed: "0.7 0.15 0.15"."""
    return " ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in split.parts)


def parse_split(typed: str) -> tuple[dict[str, Any], str]:
    """Return settings from three typed numbers, and the error ("" for none)."""
    words = typed.replace(",", " ").split()
    if len(words) != len(SPLITS):
        return {}, "three numbers: train, validation, test"
    values: list[float | int] = []
    for word in words:
        try:
            values.append(int(word) if word.lstrip("+-").isdecimal() else float(word))
        except ValueError:
            return {}, f"{safe_text(word, 12)} is not a number"
    if any(isinstance(value, float) for value in values):  # 0 and 1 beside 0.7 are fractions too
        values = [float(value) for value in values]
    return dict(zip(SPLIT_KEYS, values, strict=True)), ""


def split_error(facts: DataFacts | None, split: SplitSpec) -> str:
    """Return why the images cannot be split like this; "" if they can."""
    requested = sum(int(part) for part in split.parts) if split.counts else 0
    if facts and not facts.user_split and requested > facts.smallest_class:
        return f"{requested:,} a class requested, the smallest class has {facts.smallest_class:,}"
    return ""


def format_images(facts: DataFacts, split: SplitSpec) -> Text:
    """Return how many images each part gets."""
    images = expected_images(facts, split)
    text = Text()
    for number, part in enumerate(SPLITS):
        text.append("   " if number else "")
        text.append(f"{part} ", style="dim")
        text.append(f"{images[part]:,}")
    return text

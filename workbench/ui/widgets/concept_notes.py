"""Concepts in the room that a wide terminal leaves on a screen."""

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from workbench.render.concepts import ConceptColors, explain_concepts


class ConceptNotes(Widget):
    """Concepts that belong to what is shown, those that fit; nothing on a narrow terminal.

    Args:
        names: of the concepts, the most useful ones first.
        heading: a line above them; "" for none.
    """

    SCOPED_CSS = False  # the screen above decides
    DEFAULT_CSS = """
    ConceptNotes { display: none; width: 1fr; height: 1fr; }
    .-wide ConceptNotes { display: block; }
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        heading: str = "",
        id: str | None = None,  # noqa: A002 - as Textual has it
    ) -> None:
        super().__init__(id=id)
        self._names = tuple(names)
        self._heading = heading

    def show(self, names: Sequence[str]) -> None:
        """Explain other concepts."""
        if tuple(names) != self._names:
            self._names = tuple(names)
            self.refresh()

    def render(self) -> Text:
        """Return the heading and the concepts that have room below it."""
        theme = self.app.theme_variables
        colors = ConceptColors(theme.get("primary", ""), theme.get("accent", ""))
        utf8 = not self.screen.has_class("-ascii")
        above = Text.assemble((f"{self._heading}\n\n", "dim")) if self._heading else Text()
        rows = self.size.height - 2 * bool(self._heading)
        notes = explain_concepts(self._names, self.size.width, rows, utf8, colors)
        return above.append_text(notes) if notes else Text()

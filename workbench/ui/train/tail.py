"""The end of a list of lines: as many as there is room for, below a header that stays."""

from rich.text import Text
from textual.widget import Widget


class Tail(Widget):
    """Shows the last lines that fit."""

    DEFAULT_CSS = "Tail { width: 1fr; height: 3; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._header = Text("")
        self._lines: tuple[Text, ...] = ()

    def show(self, header: Text, lines: tuple[Text, ...]) -> None:
        """Replaces the lines."""
        if (header, lines) != (self._header, self._lines):
            self._header, self._lines = header, lines
            self.refresh()

    def render(self) -> Text:
        """The header over the end of the lines."""
        room = max(self.size.height - 1, 0)
        first = max(len(self._lines) - room, 0)
        text = Text("\n").join([self._header, *self._lines[first:]])
        text.no_wrap = True
        return text

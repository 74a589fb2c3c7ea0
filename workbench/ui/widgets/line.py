"""A text that is hidden while there is nothing to say, and drawn only where it changed."""

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """One line, or several that whoever makes them fits to the width.

    Args:
        wraps: True for a text that the widget breaks into lines itself.
    """

    def __init__(self, id: str, wraps: bool = False) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, classes="line")
        self._wraps = wraps
        self._shown = Text("")

    def show(self, text: Text) -> None:
        """Replaces the text.

        The screen is laid out anew only where the height may change: that draws it whole.
        """
        self.display = bool(text.plain)
        if text == self._shown:
            return
        grown = text.plain.count("\n") != self._shown.plain.count("\n")
        layout = self._wraps or grown or not self._shown.plain
        self._shown = text
        self.update(text, layout=layout)

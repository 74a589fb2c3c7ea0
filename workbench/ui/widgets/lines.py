"""Lines of text and plots of curves, drawn again only when they change."""

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual import events
from textual.color import Color
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from workbench.render.canvas import Series
from workbench.render.plot import PlotOptions, epoch_at, plot

MIN_ROWS = 5  # title, two rows of canvas, axis, names
# Names of the theme's colors; repeated after the last one.
COLORS = ("primary", "warning", "success", "error", "accent", "foreground", "secondary")


def series_colors(count: int, theme: Mapping[str, str]) -> list[str]:
    """Return a color for each of so many curves, as `#rrggbb`, from the variables of a theme."""
    return [Color.parse(theme[COLORS[at % len(COLORS)]]).hex6 for at in range(count)]


class TextLine(Static):
    """One line, or several that the caller fits to the width; hidden while it is empty.

    Args:
        wraps: True for a text that the widget breaks into lines itself.
    """

    def __init__(self, id: str, wraps: bool = False) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id, classes="line")
        self._wraps = wraps
        self._shown = Text("")

    def show(self, text: Text) -> None:
        """Replace the text.

        The layout, which redraws the whole screen, is updated only if the height may change.
        """
        self.display = bool(text.plain)
        if text == self._shown:
            return
        resized = text.plain.count("\n") != self._shown.plain.count("\n")
        layout = self._wraps or resized or not self._shown.plain
        self._shown = text
        self.update(text, layout=layout)


class Tail(Widget):
    """The last lines that fit, below a header that stays."""

    DEFAULT_CSS = "Tail { width: 1fr; height: 3; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._header = Text("")
        self._lines: tuple[Text, ...] = ()

    def show(self, header: Text, lines: tuple[Text, ...]) -> None:
        """Replace the lines."""
        if (header, lines) != (self._header, self._lines):
            self._header, self._lines = header, lines
            self.refresh()

    def render(self) -> Text:
        """Return the header over the last lines."""
        room = max(self.size.height - 1, 0)
        first = max(len(self._lines) - room, 0)
        text = Text("\n").join([self._header, *self._lines[first:]])
        text.no_wrap = True
        return text


class LinePlot(Widget):
    """Curves under a title; drawn again only when they or the size change."""

    DEFAULT_CSS = "LinePlot { width: 1fr; height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._shown: tuple[tuple[Text, ...], tuple[Series, ...], PlotOptions] | None = None

    def show(
        self,
        title: Text,
        series: Sequence[Series],
        options: PlotOptions,
        shorter: Sequence[Text] = (),
    ) -> None:
        """Replace title and curves; the first of the `shorter` titles that fits stands in."""
        new = ((title, *shorter), tuple(series), options)
        if new != self._shown:
            self._shown = new
            self.refresh()

    class Read(Message):
        """The epoch that was clicked."""

        def __init__(self, epoch: int) -> None:
            super().__init__()
            self.epoch = epoch

    def on_click(self, event: events.Click) -> None:
        """Ask for the values of the epoch under the mouse."""
        if self._shown is not None:
            _, series, options = self._shown
            width, height = self.size
            epoch = epoch_at(event.x, series, width, height - 1, options)
            if epoch is not None:
                self.post_message(self.Read(epoch))

    def render(self) -> Text:
        """Return title, canvas and axis."""
        if self._shown is None or self.size.height < MIN_ROWS:
            return Text("")
        titles, series, options = self._shown
        fitting = (title for title in titles if title.cell_len <= self.size.width)
        text = next(fitting, titles[-1]).copy()
        text.truncate(self.size.width)
        text.append("\n")
        return text.append_text(plot(series, self.size.width, self.size.height - 1, options))

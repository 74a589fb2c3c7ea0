"""A plot of curves that fills its widget."""

from collections.abc import Sequence

from rich.text import Text
from textual.widget import Widget

from workbench.render.plot import PlotOptions, Series, plot

MIN_ROWS = 5  # title, two rows of canvas, axis, names


class LinePlot(Widget):
    """Curves under a title; drawn again only when they or the size change."""

    DEFAULT_CSS = "LinePlot { width: 1fr; height: 1fr; }"

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._shown: tuple[Text, tuple[Series, ...], PlotOptions] | None = None

    def show(self, title: Text, series: Sequence[Series], options: PlotOptions) -> None:
        """Replace title and curves."""
        new = (title, tuple(series), options)
        if new != self._shown:
            self._shown = new
            self.refresh()

    def render(self) -> Text:
        """Return title, canvas and axis."""
        if self._shown is None or self.size.height < MIN_ROWS:
            return Text("")
        title, series, options = self._shown
        text = title.copy()
        text.truncate(self.size.width)
        text.append("\n")
        return text.append_text(plot(series, self.size.width, self.size.height - 1, options))

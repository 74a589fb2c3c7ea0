"""A picture in real pixels where the terminal can, else in half blocks."""

from typing import cast

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip

from workbench.machine.terminal_graphics import Graphics
from workbench.render.graphics import Encoded, encode_picture, kitty_delete, placeholders
from workbench.render.half_blocks import fit_half_blocks
from workbench.ui.base import BaseApp
from workbench.ui.pixels import PixelLayer, PixelWidget


class Picture(PixelWidget):
    """An image as large as fits, at the top left of the room that the styles give it.

    It is encoded when it is drawn, in a few milliseconds for as many pixels as the room has: give
    it arrays that are not much larger, see `decode_for_display`.

    Args:
        picture: uint8, (h, w, 3) RGB or (h, w, 1) grey, or a text instead of an image.
        id: of the widget.

    Attributes:
        picture: what is shown; None for nothing.
    """

    picture: reactive[np.ndarray | Text | None] = reactive(None, always_update=True)

    def __init__(
        self,
        picture: np.ndarray | Text | None = None,
        *,
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self._strips: list[Strip] | None = None
        self._encoded: Encoded | None = None
        self._encoded_for: tuple[Size, Graphics] | None = None
        self._colors: list[Color] = []  # of kitty: the one that is shown, the one before
        self.set_reactive(Picture.picture, picture)

    def on_mount(self) -> None:
        """Be drawn in pixels from now on, if the terminal can."""
        self._layer.add(self)

    def on_unmount(self) -> None:
        """Delete the picture in the terminal."""
        self._layer.remove(self)
        self.forget()

    def forget(self) -> None:
        """Delete the picture in the terminal; it is sent again when it is drawn again."""
        for color in self._colors:
            self._layer.write(kitty_delete(self._layer.image_id(color)))
            self._layer.give_back(color)
        self._colors.clear()
        self._encoded = None

    @property
    def sequence(self) -> str:
        """What draws the picture at the cursor; "" while it is text."""
        encoded = self._encoded if self.in_pixels else None
        return encoded.sequence if encoded and self._layer.graphics.protocol != "kitty" else ""

    def on_resize(self) -> None:
        """Draw at the new size."""
        self._redraw()

    def notify_style_update(self) -> None:
        """Draw in the new colors."""
        super().notify_style_update()
        self._strips = None

    def watch_picture(self) -> None:
        """Draw the new picture."""
        self.draw_again()
        if self.styles.auto_dimensions:
            self.refresh(layout=True)

    def watch_in_pixels(self) -> None:
        """Draw in the other way."""
        self._redraw()

    def draw_again(self) -> None:
        """Encode and draw the picture as if the terminal had never had it."""
        self._encoded = None
        self._redraw()

    def _redraw(self) -> None:
        self._strips = None
        self.refresh()

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Return the cells of a picture as high as its room; of a text, of its longest line."""
        if self.picture is None:
            return 0
        if isinstance(self.picture, Text):
            return max(map(cell_len, self.picture.plain.split("\n")))
        height, width = self.picture.shape[:2]
        return max(1, min(container.width, round(2 * container.height * width / height)))

    def render_line(self, y: int) -> Strip:
        """Return a line of cells."""
        if self._strips is None:
            self._strips = self._draw()
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _draw(self) -> list[Strip]:
        columns, rows = self.content_size
        if self.picture is None or not columns or not rows:
            return []
        if isinstance(self.picture, Text):
            return self._text(self.picture)
        if self.in_pixels and (encoded := self._encode(self.picture)):
            return self._cells(encoded)
        return self._text(fit_half_blocks(self.picture, columns, rows, self._app.utf8))

    def _encode(self, pixels: np.ndarray) -> Encoded | None:
        """Return the picture for the terminal, sent if it is kitty; None if it has no room."""
        graphics, size = self._layer.graphics, self.content_size
        wanted = size, graphics
        if self._encoded is not None and self._encoded_for == wanted:
            return self._encoded
        number = 0
        if graphics.protocol == "kitty":
            color = self._next_color()
            if color is None:
                return None
            number = self._layer.image_id(color)
        self._encoded = encode_picture(graphics, pixels, (size.width, size.height), number)
        self._encoded_for = wanted
        if number:
            self._layer.write(self._encoded.sequence)
        return self._encoded

    def _next_color(self) -> Color | None:
        """Return the color for a new picture; the shown one stays until its cells are redrawn."""
        if len(self._colors) < 2:
            if color := self._layer.take_color():
                self._colors.insert(0, color)
            return color
        self._colors.reverse()
        return self._colors[0]

    def _cells(self, encoded: Encoded) -> list[Strip]:
        """Return the cells that show a picture in kitty; sixel and iTerm2 draw over blanks."""
        if not self._colors:
            return []
        style = self.rich_style + Style(color=self._colors[0])
        return [
            self._padded(Strip([Segment(placeholders(encoded.columns, row), style)]))
            for row in range(encoded.rows)
        ]

    def _text(self, text: Text) -> list[Strip]:
        console = self._app.console
        options = console.options.update(width=self.content_size.width, height=None)
        lines = console.render_lines(text, options, pad=False)
        return [self._padded(Strip(line).apply_style(self.rich_style)) for line in lines]

    def _padded(self, strip: Strip) -> Strip:
        return strip.adjust_cell_length(self.content_size.width, self.rich_style)

    @property
    def _app(self) -> BaseApp:
        return cast("BaseApp", self.app)

    @property
    def _layer(self) -> PixelLayer:
        return self._app.pixels

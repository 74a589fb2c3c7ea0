"""Pictures in pixels over a screen of cells: which may be drawn now, and drawing them again."""

import os
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any

from rich.color import Color, ColorSystem
from rich.console import Console, RenderableType
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.geometry import Region
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from workbench.machine.terminal_graphics import Graphics, pass_through_tmux
from workbench.machine.terminal_probe import read_cell

_MOST_PICTURES = 200  # in the terminal at once
_STEPS = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)  # of the 6 x 6 x 6 colors of a palette of 256


class PixelWidget(Widget):
    """A widget with a picture, as the layer knows it.

    Attributes:
        in_pixels: whether it is drawn in pixels now; set by `PixelLayer`.
    """

    in_pixels: reactive[bool] = reactive(False)

    @property
    def sequence(self) -> str:
        """What draws the picture at the cursor; "" while it is text."""
        raise NotImplementedError

    def draw_again(self) -> None:
        """Encode and draw the picture as if the terminal had never had it."""
        raise NotImplementedError

    def forget(self) -> None:
        """Delete the picture in the terminal; it is sent again when it is drawn again."""
        raise NotImplementedError


class PixelLayer:
    """Draws pictures after Textual has drawn the cells below them.

    A picture of kitty is text (placeholders), so this layer only keeps numbers for it. With sixel
    and iTerm2 any text that is drawn over a picture removes those pixels: the picture is drawn
    again after each update that touches it, and is shown in half blocks while something is in
    front of it, part of it is scrolled away, or it touches the last row, where drawing may scroll.
    With every protocol it is half blocks under a dialog, which dims what is behind it.

    Args:
        app: whose screens have the pictures.
        graphics: of the terminal.
    """

    def __init__(self, app: App[Any], graphics: Graphics) -> None:
        self._app = app
        self.graphics = graphics
        self._pictures: list[PixelWidget] = []
        self._closed = False
        self._free: list[Color] | None = None

    @property
    def active(self) -> bool:
        """Whether pictures are drawn in pixels at all."""
        if self.graphics.protocol == "kitty":  # the color of a placeholder is the picture's number
            return self._app.console.color_system in ("256", "truecolor")
        return self.graphics.protocol != "blocks"

    def resolution(self, columns: int, rows: int) -> tuple[int, int]:
        """Return (height, width) in pixels that so many cells show: more need not be decoded."""
        across, down = self.graphics.cell if self.active else (1, 2)
        return rows * down, columns * across

    def add(self, picture: PixelWidget) -> None:
        """Take a mounted picture."""
        self._pictures.append(picture)
        picture.in_pixels = self.active and self._may_show(picture)

    def remove(self, picture: PixelWidget) -> None:
        """Drop a picture that is unmounted."""
        self._pictures.remove(picture)

    def take_color(self) -> Color | None:
        """Return the color of a picture's placeholders; None if all are in use."""
        if self._free is None:
            self._free = image_colors(self._app.console.color_system == "truecolor", os.getpid())
        return self._free.pop() if self._free else None

    def image_id(self, color: Color) -> int:
        """Return the number of the picture whose placeholders arrive in this color."""
        if self._app.console.color_system == "256":
            return int(color.downgrade(ColorSystem.EIGHT_BIT).number or 0)
        red, green, blue = color.get_truecolor()
        return red << 16 | green << 8 | blue

    def give_back(self, color: Color) -> None:
        """Let a picture's color be used again, last of all."""
        if self._free is not None:
            self._free.insert(0, color)

    def write(self, sequence: str) -> None:
        """Send a sequence to the terminal, in order with what Textual sends."""
        driver = self._app._driver
        if driver is not None and not self._closed:
            driver.write(pass_through_tmux(sequence) if self.graphics.tmux else sequence)

    def close(self) -> None:
        """Delete the pictures in the terminal, before the app leaves its screen there."""
        for picture in self._pictures:
            picture.forget()
        self._closed = True

    def screen_changed(self, _: Screen[Any]) -> None:
        """Show pictures of the screen in front in pixels, others in half blocks."""
        for picture in self._pictures:
            picture.in_pixels = self.active and self._may_show(picture)

    def resized(self, pixels: tuple[int, int] | None) -> None:
        """Measure the cells again: a person may have changed the size of the letters.

        Args:
            pixels: width and height of the whole terminal, None if it did not say.
        """
        columns, rows = self._app.size
        cell = (pixels[0] // columns, pixels[1] // rows) if pixels and columns and rows else None
        cell = cell or read_cell(2)  # Textual draws on stderr
        if cell and cell != self.graphics.cell:
            self.graphics = replace(self.graphics, cell=cell)
            self.draw_again()

    def draw_again(self) -> None:
        """Send all pictures again; the terminal drops them while the app is suspended."""
        for picture in self._pictures:
            picture.draw_again()

    def over(self, screen: Screen[Any], update: RenderableType | None) -> RenderableType | None:
        """Return an update of cells followed by the pictures that it has overwritten."""
        if not self.active or self.graphics.protocol == "kitty":
            return update
        if not isinstance(update, CompositorUpdate):
            return update
        self.screen_changed(screen)
        drawn = []
        for picture in self._pictures:
            region = picture.content_region
            if picture.in_pixels and picture.sequence and _touches(update, region):
                drawn.append(f"\x1b[{region.y + 1};{region.x + 1}H{picture.sequence}")
        return _WithPictures(update, "".join(drawn)) if drawn else update

    def _may_show(self, picture: PixelWidget) -> bool:
        screen = self._app.screen
        if picture.screen is not screen:
            return False
        if self.graphics.protocol == "kitty":
            return True
        for widget, (region, clip) in screen._compositor.visible_widgets.items():
            if widget is picture:  # all that follow are behind it
                return clip.contains_region(region) and region.bottom < self._app.size.height
            if region.intersection(clip).overlaps(picture.region):
                return False
        return True  # not laid out yet


@dataclass(frozen=True)
class _WithPictures(CompositorUpdate):
    """An update of cells, then pictures, as one write: a terminal shows both at once."""

    update: CompositorUpdate
    pictures: str

    def render_segments(self, console: Console) -> str:
        """Return the sequences of both."""
        return f"{self.update.render_segments(console)}\x1b7{self.pictures}\x1b8"


def _touches(update: CompositorUpdate, region: Region) -> bool:
    """Return whether an update draws cells of a region."""
    if isinstance(update, ChopsUpdate):
        return any(
            region.y <= y < region.bottom and first < region.right and end > region.x
            for y, first, end in update.spans
        )
    return not isinstance(update, LayoutUpdate) or update.region.overlaps(region)


def image_colors(true_color: bool, seed: int) -> list[Color]:
    """Return colors that can be the number of a picture of kitty.

    Numbers are shared by all programs in a terminal, two panes of tmux for example, so they are
    drawn by lot.

    Args:
        true_color: whether 16 million colors arrive; else each is one of 256 where Rich finds it.
        seed: other numbers for another process.
    """
    random = Random(seed)
    if true_color:
        return [Color.from_rgb(*random.sample(range(256), 3)) for _ in range(_MOST_PICTURES)]
    found = {}
    for index, (red, green, blue) in enumerate(product(_STEPS, repeat=3), 16):
        color = Color.from_rgb(red, green, blue)
        if color.downgrade(ColorSystem.EIGHT_BIT).number == index > 16:  # black is no number
            found[index] = color
    return random.sample(list(found.values()), len(found))

"""A picture on a screen, as a terminal that draws pixels would show it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixel_terminal import BLANK, PixelTerminal
from rich.color import ColorSystem
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen
from textual.widgets import Static
from ui_pilot import until
from waiting import GUARD

from workbench.machine.terminal_graphics import Graphics, Protocol
from workbench.paths import Workspace
from workbench.render.graphics import MAX_CELLS, placeholders
from workbench.render.half_blocks import fit_half_blocks
from workbench.ui.app import WorkbenchApp
from workbench.ui.pixels import image_colors
from workbench.ui.widgets.picture import Picture

PROTOCOLS: tuple[Protocol, ...] = ("kitty", "sixel", "iterm2")
CELL = (4, 8)
BOX = (10, 5)  # of a picture, in cells
MARKS = placeholders(MAX_CELLS, 0)[2::3]


def photo(color: tuple[int, int, int]) -> np.ndarray:
    """Return as many pixels as the box has, with colors that sixel has exactly."""
    pixels = np.zeros((BOX[1] * CELL[1], BOX[0] * CELL[0], 3), np.uint8)
    pixels[:] = color
    pixels[::3, ::2] = (255, 255, 255)
    pixels[7, 5] = (51, 102, 153)
    return pixels


RED, BLUE = photo((204, 0, 0)), photo((0, 51, 255))


class Recorder(HeadlessDriver):
    """Gives all that the app writes to a terminal."""

    terminal: PixelTerminal

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.terminal.feed(data)


class Gallery(Screen[None]):
    """Two pictures side by side above a text, in what can scroll."""

    CSS = """
    Picture { width: 10; height: 5; }
    #row { height: 5; }
    #long { height: 40; }
    #below { height: 1; dock: bottom; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            with Horizontal(id="row"):
                yield Picture(RED, id="left")
                yield Picture(BLUE, id="right")
            yield Static("long", id="long")
        yield Static("below", id="below")


class Dialog(ModalScreen[None]):
    """Something in front."""

    CSS = "Dialog { align: center middle; background: $background 60%; }"

    def compose(self) -> ComposeResult:
        yield Static("dialog")


class Shown(WorkbenchApp):
    """The app with that screen only."""

    CSS_PATH = []  # noqa: RUF012 - as Textual has it

    def open(self, *_: object, **options: object) -> None:
        self.push_screen(Gallery())

    def _handle_signals(self) -> None:
        """Leave the signals of the tests alone."""

    def _watch_runs(self) -> None:  # type: ignore[override]
        """There are none."""

    def _preload(self) -> None:  # type: ignore[override]
        """Import no other screens."""


Play = Callable[[Shown, Pilot[Any], PixelTerminal], Awaitable[None]]


def play(
    folder: Path,
    protocol: Protocol,
    scene: Play,
    rows: int = 20,
    colors: ColorSystem = ColorSystem.TRUECOLOR,
    **more: Any,
) -> None:
    """Run the app on a terminal of 40 columns."""
    terminal = PixelTerminal(40, rows, CELL, MARKS)

    async def run() -> None:
        app = Shown(Workspace(folder), graphics=Graphics(protocol, cell=CELL, **more))
        app.utf8 = True
        app.console._color_system = colors
        app.driver_class = type("Driver", (Recorder,), {"terminal": terminal})
        async with app.run_test(headless=False, size=(40, rows), notifications=True) as pilot:
            await until(pilot, lambda: app.screen.query("#left"))
            await settle(pilot)
            await scene(app, pilot, terminal)

    asyncio.run(run())


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until nothing is left to draw, also of what a drawing has changed."""
    for _ in range(3):
        await pilot.pause()


def left(terminal: PixelTerminal) -> np.ndarray:
    return terminal.pixels(0, 0, *BOX)


def right(terminal: PixelTerminal) -> np.ndarray:
    return terminal.pixels(BOX[0], 0, *BOX)


def has_pixels_of(terminal: PixelTerminal, pixels: np.ndarray) -> bool:
    """Return whether its ground is anywhere on the screen."""
    return bool((terminal.shown() == pixels[0, 1]).all(axis=-1).any())


def blocks(pixels: np.ndarray) -> str:
    return fit_half_blocks(pixels, *BOX).plain.split("\n")[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_pixel_is_on_the_screen(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        assert np.array_equal(left(terminal), RED)
        assert np.array_equal(right(terminal), BLUE)
        assert terminal.line(19).startswith("below")

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_next_picture_replaces_all_of_the_one_before(
    tmp_path: Path, protocol: Protocol
) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        picture = app.screen.query_one("#left", Picture)
        for pixels in (BLUE, RED, BLUE):
            picture.picture = pixels
            await settle(pilot)
            assert np.array_equal(left(terminal), pixels)
        assert not has_pixels_of(terminal, RED)
        picture.picture = BLUE[: CELL[1] * 2]  # as wide, and two rows high
        await settle(pilot)
        assert np.array_equal(left(terminal)[: CELL[1] * 2], BLUE[: CELL[1] * 2])
        assert (left(terminal)[CELL[1] * 2 :] == app_ground(terminal)).all()
        picture.picture = Text("no picture: gone")
        await settle(pilot)
        assert terminal.line(0).startswith("no")
        picture.picture = None
        await settle(pilot)
        assert (left(terminal) == app_ground(terminal)).all()
        assert len(terminal.stored) <= 4

    play(tmp_path, protocol, scene)


def app_ground(terminal: PixelTerminal) -> np.ndarray:
    """Return the color of an empty cell beside the pictures."""
    found: np.ndarray = terminal.pixels(30, 0, 1, 1)[0, 0]
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_dialog_is_not_drawn_over(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        app.push_screen(Dialog())
        await until(pilot, lambda: isinstance(app.screen, Dialog))
        await settle(pilot)
        assert any("dialog" in terminal.line(y) for y in range(20))
        assert not has_pixels_of(terminal, RED)
        assert terminal.line(0).startswith(blocks(RED) + blocks(BLUE))
        drawn = terminal.drawn
        app.screen.query_one(Static).update("again")
        await settle(pilot)
        assert terminal.drawn == drawn
        app.pop_screen()
        await until(pilot, lambda: isinstance(app.screen, Gallery))
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)
        assert np.array_equal(right(terminal), BLUE)

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_screen_has_none_of_its_pixels(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        app.push_screen(Screen())
        await settle(pilot)
        assert not has_pixels_of(terminal, RED)
        app.pop_screen()
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)
        app.pop_screen()
        await settle(pilot)
        assert not has_pixels_of(terminal, RED)
        assert terminal.stored == {}

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_message_in_front_keeps_its_cells(tmp_path: Path, protocol: Protocol) -> None:
    """Kitty's pictures are text, so only those cells are lost; others turn into half blocks."""

    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        app.notify("in front", timeout=GUARD)
        await until(pilot, lambda: any("in front" in terminal.line(y) for y in range(7)))
        await settle(pilot)
        assert any("in front" in terminal.line(y) for y in range(7))
        assert np.array_equal(left(terminal), RED)
        if protocol == "kitty":
            assert np.array_equal(right(terminal)[: CELL[1]], BLUE[: CELL[1]])
        else:
            assert not np.array_equal(right(terminal)[: CELL[1]], BLUE[: CELL[1]])
            assert terminal.line(0)[BOX[0] :].startswith(blocks(BLUE))
        app.clear_notifications()
        await until(pilot, lambda: not any("in front" in terminal.line(y) for y in range(7)))
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)
        assert np.array_equal(right(terminal), BLUE)

    play(tmp_path, protocol, scene, rows=7)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scrolling_leaves_nothing_behind(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        pane = app.screen.query_one(VerticalScroll)
        pane.scroll_to(y=2, animate=False)
        await settle(pilot)
        part = RED[2 * CELL[1] :]
        if protocol == "kitty":
            assert np.array_equal(left(terminal)[: len(part)], part)
        else:
            assert terminal.line(0).startswith("▀" * 20)
            assert not has_pixels_of(terminal, RED)
        assert (left(terminal)[len(part) :] == app_ground(terminal)).all()
        pane.scroll_to(y=30, animate=False)
        await settle(pilot)
        assert not has_pixels_of(terminal, RED)
        pane.scroll_to(y=0, animate=False)
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_picture_is_drawn_again_after_cells_of_it(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        from textual.geometry import Region

        app.screen.query_one("#left").refresh(Region(2, 1, 3, 1))
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)
        drawn = terminal.drawn
        app.screen.query_one("#below", Static).update("other")
        await settle(pilot)
        assert terminal.drawn == drawn

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_sizes_of_terminal_and_cells(tmp_path: Path, protocol: Protocol) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        terminal.cell = (8, 16)  # of a larger font: half as many cells
        terminal.rows, terminal.columns = 20, 40
        terminal.__post_init__()
        size = Size(40, 20)
        app.post_message(events.Resize(size, size, size, Size(320, 320)))
        await settle(pilot)
        assert app.pixels.graphics.cell == (8, 16)
        large = RED.repeat(2, axis=0).repeat(2, axis=1)
        if protocol != "sixel":  # which is enlarged smoothly
            assert np.array_equal(left(terminal), large)
        assert terminal.shown().shape == (320, 320, 3)
        assert tuple(left(terminal)[8, 70]) != BLANK

    play(tmp_path, protocol, scene)


@pytest.mark.parametrize("protocol", ["sixel", "iterm2"])
def test_the_last_row_is_not_drawn_on(tmp_path: Path, protocol: Protocol) -> None:
    """A picture that ends there makes some terminals scroll; the simulated one fails."""

    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        app.screen.query_one("#below").display = False
        await settle(pilot)
        assert terminal.line(0).startswith(blocks(RED))
        assert not has_pixels_of(terminal, RED)

    play(tmp_path, protocol, scene, rows=5)


def test_half_blocks_where_nothing_else_is_known(tmp_path: Path) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        assert terminal.line(0).startswith(blocks(RED) + blocks(BLUE))
        assert (terminal.drawn, terminal.stored) == (0, {})

    play(tmp_path, "blocks", scene)


def test_all_pictures_are_sent_again_after_the_terminal_was_away(tmp_path: Path) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        terminal.stored.clear()
        app._redraw()
        await settle(pilot)
        assert np.array_equal(left(terminal), RED)

    play(tmp_path, "kitty", scene)


def test_the_end_of_the_app_deletes_its_pictures(tmp_path: Path) -> None:
    seen: list[PixelTerminal] = []

    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        assert len(terminal.stored) == 2
        seen.append(terminal)
        app.exit()
        assert terminal.stored == {}

    play(tmp_path, "kitty", scene)
    assert seen[0].stored == {}


def test_through_tmux_kitty_has_the_same_pixels(tmp_path: Path) -> None:
    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        assert np.array_equal(left(terminal), RED)
        app.pop_screen()
        await settle(pilot)
        assert terminal.stored == {}

    play(tmp_path, "kitty", scene, tmux=True)


def test_with_256_colors_a_picture_has_another_number(tmp_path: Path) -> None:
    Style._add.cache_clear()  # Rich keeps the codes of a style for its first console

    async def scene(app: Shown, pilot: Pilot[Any], terminal: PixelTerminal) -> None:
        assert np.array_equal(left(terminal), RED)
        assert all(16 <= number < 256 for number in terminal.stored)

    play(tmp_path, "kitty", scene, colors=ColorSystem.EIGHT_BIT)


@pytest.mark.parametrize("true_color", [True, False])
def test_numbers_of_pictures_are_enough_for_a_screen(true_color: bool) -> None:
    colors = image_colors(true_color, 1)
    assert len(colors) >= 100
    assert len({color.triplet for color in colors}) == len(colors)
    assert all(color.triplet != (0, 0, 0) for color in colors)  # no picture has number 0
    assert image_colors(true_color, 1) == colors != image_colors(true_color, 2)

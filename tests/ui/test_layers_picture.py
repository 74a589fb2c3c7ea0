"""The table of layers on a wide terminal: a picture of the network, and what a block means."""

from pathlib import Path

import pytest
from rich.cells import cell_len
from screen_text import lines
from test_layers_screen import RecordedRun, open_draft, open_layers, shown, spec_of
from textual.widgets import Static
from ui_pilot import driven, until

from workbench.ui.app import WorkbenchApp
from workbench.ui.layers.columns import fitting_columns
from workbench.ui.layers.table import LayerTable
from workbench.ui.layers.within import LayerLines
from workbench.ui.widgets.concept_notes import ConceptNotes

SOLID, SHADED = "█", "▒"


def picture(app: WorkbenchApp) -> list[str]:
    table = app.screen.query_one(LayerTable)
    return ["".join(cell.plain for cell in table.get_row(key)).rstrip() for key in table.rows]


def sentences(app: WorkbenchApp) -> str:
    return str(app.screen.query_one("#here", Static).render())


async def test_a_network_is_a_picture(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path, spec_of("fine-tuning", base="vgg16"))
    run.start(1)
    run.check(1)
    async with driven(tmp_path, (120, 40)) as (app, pilot):
        app.utf8 = True
        await open_layers(app, pilot)
        assert picture(app) == [
            "[ ] ▸ block1              80x80x64      38,720 ▒              988 M ▒▒▒▒▒"
            "           6 px  frozen    frozen          0",
            "[ ] ▸ block2             40x40x128     221,440 ▒              1.4 G ▒▒▒▒▒▒▒"
            "        16 px  frozen    frozen          0",
            "[ ] ▸ block3             20x20x256   1,475,328 ▒▒             2.4 G ▒▒▒▒▒▒▒▒▒▒▒"
            "    44 px  frozen    frozen          0",
            "[ ] ▸ block4             10x10x512   5,899,776 ▒▒▒▒▒▒▒▒▒      2.4 G ▒▒▒▒▒▒▒▒▒▒▒"
            "   100 px  frozen    frozen          0",
            "[x] ▸ block5               5x5x512   7,079,424 ███████████    708 M ███"
            "           212 px  trains    trains     1.00 %",
            "[x] ▸ head                       1         513 █                512 █"
            "                all  trains    trains     1.00 %",
        ]


async def test_the_picture_follows_cursor_and_toggles(tmp_path: Path) -> None:
    async with driven(tmp_path, (120, 40)) as (app, pilot):
        app.utf8 = True
        await open_draft(app, pilot, "fine-tuning")
        await pilot.press("down", "down", "down")
        assert sentences(app).startswith("block4  4 layers, 3 with weights\n")
        assert "frozen: 5,899,776 parameters stay as they are" in sentences(app)
        assert SOLID not in picture(app)[3]
        await pilot.press("space")
        assert SHADED not in picture(app)[3]
        assert picture(app)[3].startswith("[x] ▸ block4")
        assert "trains: all 5,899,776 parameters" in sentences(app)
        await pilot.press("right", "down", "space")  # its first layer
        assert sentences(app).startswith("block4_conv1  convolution\n")
        assert "frozen: 1,180,160 parameters" in sentences(app)
        assert picture(app)[3].count(SOLID) > picture(app)[3].count(SHADED) > 0


async def test_a_high_terminal_shows_the_layers_within_a_block(tmp_path: Path) -> None:
    async with driven(tmp_path, (200, 50)) as (app, pilot):
        app.utf8 = True
        await open_draft(app, pilot, "fine-tuning")
        within, notes = app.screen.query_one(LayerLines), app.screen.query_one(ConceptNotes)
        table = app.screen.query_one(LayerTable)
        await until(pilot, lambda: "block1_pool" in within.render(), "the layers")
        assert within.render().plain.splitlines() == [
            "within                         output  parameters  multiply-adds  field",
            "block1_conv1  convolution  160x160x64       1,792         44.2 M   3 px",
            "block1_conv2  convolution  160x160x64      36,928          944 M   5 px",
            "block1_pool   max pooling    80x80x64           0              -   6 px",
        ]
        assert notes.render().plain.startswith("Frozen weights do not move")
        await pilot.press("down", "down", "down", "down")
        await until(pilot, lambda: "block5_conv3" in within.render(), "another block")
        await pilot.press("asterisk")
        await until(pilot, lambda: table.size.height > 20, "all layers, in the room of the others")
        assert table.max_scroll_y == 0
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not app.screen.query_one("LayersWithin").display, "no room")


@pytest.mark.parametrize("strategy", ["convnet", "dense", "feature-extraction"])
@pytest.mark.parametrize("size", [(110, 32), (200, 50)])
async def test_nothing_is_cut(tmp_path: Path, strategy: str, size: tuple[int, int]) -> None:
    async with driven(tmp_path, size) as (app, pilot):
        app.utf8 = True
        await open_draft(app, pilot, strategy)
        await pilot.press("end")
        await pilot.pause()
        screen = "\n".join(lines(app.screen))
        assert "…" not in screen
        for line in [*picture(app)[-3:], *sentences(app).split("\n")]:
            assert line in screen
        assert "receptive field: the whole image" in screen
        assert "multiply-adds an image" in sentences(app)


async def test_the_picture_has_marks_of_ascii(tmp_path: Path) -> None:
    async with driven(tmp_path, (160, 40)) as (app, pilot):
        app.utf8 = False
        await open_draft(app, pilot, "fine-tuning")
        block4, block5 = picture(app)[3:5]
        assert block4.startswith("[ ] + block4")
        assert "---|------------   5,899,776 =" in block4
        assert "7,079,424 ####" in block5
        assert "picture    # trains  = frozen  -| side of the map  |- channels" in sentences(app)
        assert "\n".join([*picture(app), sentences(app)]).isascii()


async def test_a_wide_but_low_terminal_has_one_line_about_a_block(tmp_path: Path) -> None:
    async with driven(tmp_path, (110, 24)) as (app, pilot):
        await open_draft(app, pilot, "convnet")
        assert sentences(app).startswith("conv1  convolution, 150x150 becomes 148x148")
        assert "\n" not in sentences(app)
        assert "18.9 M" in shown(app)
        await pilot.resize_terminal(110, 32)
        await until(pilot, lambda: "18.9 M multiply-adds" in sentences(app), "more about it")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "\n" not in sentences(app), "one line again")
        assert "18.9 M" not in shown(app)


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("maps", [False, True])
def test_columns_fill_the_width(checked: bool, maps: bool) -> None:
    for width in range(110, 260):
        for verdicts in (False, True):
            columns = fitting_columns(width, checked, 34, maps, verdicts)
            room = width - 3  # the screen's padding and the scroll bar
            assert room - 5 <= sum(column.width for column in columns) <= room
            bars = [column.bar for column in columns if column.value != "output"]
            assert min(bar for bar in bars if bar) >= 5
            drawn = columns[1].bar
            assert drawn == 0 or (maps and drawn >= 12 and drawn % 2 == 0)


def test_bars_grow_with_the_width() -> None:
    bars = [
        [column.bar for column in fitting_columns(width, False, 22, True, False) if column.bar]
        for width in (110, 120, 200)
    ]
    assert bars == [[15, 15], [12, 14, 14], [40, 40, 40]]
    narrow = fitting_columns(109, False, 22, True, True)
    assert [column.value for column in narrow] == ["name", "output", "parameters", "requested"]


def test_verdicts_have_a_column_where_bars_have_room() -> None:
    values = [
        [column.value for column in fitting_columns(width, True, 22, True, True)][-1]
        for width in (173, 174)
    ]
    assert values == ["moved", "verdict"]


def test_titles_take_the_cells_of_their_columns() -> None:
    for column in fitting_columns(110, True, 34, True, True):
        assert cell_len(column.title) <= column.width

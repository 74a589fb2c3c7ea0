"""The strategy screen: strategies, options, the start."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from event_lines import LogWriter
from PIL import Image
from textual.containers import VerticalScroll
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from ui_pilot import FakeWarmWorker, driven, messages, notices, until

from workbench.app import run_control
from workbench.app.draft import Draft, newest_draft
from workbench.bases.architectures import BASES
from workbench.datasets.prepare import survey
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS
from workbench.experiment.spec_keys import field_at, keys
from workbench.experiment.toml import read_spec
from workbench.files import boot_id
from workbench.paths import Workspace
from workbench.render.strategy import format_key_value, key_schema, parse_typed_value, truncate
from workbench.runs.lock import take_lock
from workbench.ui import guide
from workbench.ui.app import WorkbenchApp
from workbench.ui.data.screen import DataScreen
from workbench.ui.dialogs import TOAST_WIDTH, Confirm, ErrorDialog, fits_toast
from workbench.ui.layers.step import LayersStep
from workbench.ui.machine.screen import MachineScreen, MachineStep
from workbench.ui.option import OptionScreen
from workbench.ui.strategy import screen as strategy
from workbench.ui.strategy import start
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.strategy.start import RunStarter, StartScreen
from workbench.ui.strategy.widgets import OptionTable
from workbench.ui.widgets.path_field import PathField

FEW = replace(BOOK_FACTS, smallest_class=300, images=600)


pytestmark = pytest.mark.usefixtures("measured_machine")


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path / "ws")


@pytest.fixture
def draft(workspace, tmp_path):
    for number in range(4):
        for label in ("cats", "dogs"):
            path = tmp_path / "pets" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.full((20, 20, 3), number * 20 + len(label), np.uint8)
            Image.fromarray(values).save(path)
    made = Draft(workspace)
    made.set_source(tmp_path / "pets", FEW)
    made.set_preset("feature-extraction")
    made.complete_step("data")
    return made


@asynccontextmanager
async def on_screen(
    draft: Draft, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Pilot[Any], StrategyScreen]]:
    """The strategy step of a draft over home."""
    async with driven(draft.workspace.root, size) as (app, pilot):
        app.utf8 = True
        await pilot.pause()
        screen = StrategyScreen(draft)
        await app.push_screen(screen)
        yield pilot, screen


def as_scanned(draft: Draft) -> None:
    """Give the draft the facts that a scan will find."""
    draft.set_source(draft.source, survey(draft.source))
    draft.complete_step("data")


def details(screen: StrategyScreen) -> str:
    return str(screen.query_one("#strategy-details", Static).content)


def option(screen: StrategyScreen, key: str) -> str:
    table = screen.query_one(OptionTable)
    row = table.keys.index(key)
    return " ".join(str(cell) for cell in table.get_row_at(row))


async def open_option(pilot: Pilot, screen: StrategyScreen, key: str) -> OptionScreen:
    table = screen.query_one(OptionTable)
    table.focus()
    table.move_cursor(row=table.keys.index(key))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, OptionScreen))
    return pilot.app.screen


async def test_it_starts_with_the_recommended_strategy_and_its_cost(draft):
    async with on_screen(draft) as (pilot, screen):
        assert "begin with linear-probe" in str(screen.query_one("#advice", Static).content)
        await until(pilot, lambda: "on the CPU" in details(screen))
        text = details(screen)
        assert "513 of 14.7 M train" in text
        assert "0.903 on cats and dogs; its readers 0.97" in text


async def test_an_unmeasured_machine_has_a_hint(draft, monkeypatch):
    monkeypatch.setattr(strategy.BenchmarkStore, "load", lambda self: None)

    async with on_screen(draft) as (pilot, screen):
        await pilot.pause()
        assert "not measured yet" in details(screen)


async def test_the_cursor_shows_a_strategy_without_choosing_it(draft):
    async with on_screen(draft) as (pilot, screen):
        await pilot.press("down", "down")
        await until(pilot, lambda: "2 head and block5" in details(screen))
        assert "training.weight_decay" in screen.query_one(OptionTable).keys
        assert draft.chosen_preset == "feature-extraction"
        await pilot.press("home")
        await until(pilot, lambda: "every unit" in details(screen))
        assert "base.name" not in screen.query_one(OptionTable).keys


async def test_the_books_own_are_behind_a_key(draft):
    async with on_screen(draft) as (pilot, screen):
        await pilot.press("b")
        names = [option.id for option in screen.query_one(OptionList).options]
        assert names[0] == "book-dense"
        await pilot.press("down", "down")
        await until(pilot, lambda: "Section 5.2" in details(screen))
        await pilot.press("b")
        assert screen.query_one(OptionList).options[0].id == "dense"
        await pilot.press("home", "down", "b", "b")
        assert screen.query_one(OptionList).highlighted == 1  # the cursor stays


async def test_an_option_is_checked_as_it_is_typed_and_kept(draft):
    async with on_screen(draft) as (pilot, screen):
        dialog = await open_option(pilot, screen, "training.epochs")
        field = dialog.query_one(Input)
        field.value = "0"
        await until(pilot, lambda: "allowed" in str(dialog.query_one("#error", Static).content))
        await pilot.press("enter")
        assert pilot.app.screen is dialog
        field.value = "7"
        await until(pilot, lambda: not str(dialog.query_one("#error", Static).content))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert option(screen, "training.epochs").startswith("training.epochs 7 yours")
        assert "7 epochs" in details(screen)
        dialog = await open_option(pilot, screen, "training.epochs")
        await pilot.press("ctrl+r")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert "yours" not in option(screen, "training.epochs")
    assert draft.settings == {}


async def test_a_pattern_for_groups_shows_what_it_finds(draft):
    async with on_screen(draft) as (pilot, screen):
        dialog = await open_option(pilot, screen, "data.group")
        field, preview = dialog.query_one(Input), dialog.query_one("#preview", Static)
        field.value = r"(?P<group>\d)\."
        await until(pilot, lambda: "4 groups of 2 images" in str(preview.content))
        assert "0, 2 images: cats/0.png, dogs/0.png" in str(preview.content)
        field.value = "(?P<group>zzz)"
        await until(pilot, lambda: "matches none of 8 images" in str(preview.content))
        field.value = "("
        await until(pilot, lambda: not str(preview.content))
        assert "no regular expression" in str(dialog.query_one("#error", Static).content)
        field.value = r"(?P<group>\d)\."
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
    assert draft.settings == {"data.group": r"(?P<group>\d)\."}
    assert draft.spec().data.group == r"(?P<group>\d)\."


async def test_another_base_is_chosen_from_a_list(draft):
    async with on_screen(draft) as (pilot, screen):
        dialog = await open_option(pilot, screen, "base.name")
        choices = dialog.query_one(OptionList)
        lines = [str(option.prompt) for option in choices.options]
        assert lines[0].split() == ["vgg16", "14.7", "M", "7.83", "G", "59", "MB", "71.3", "%"]
        names = [line.split()[0] for line in lines]
        assert names == list(BASES)
        choices.highlighted = names.index("mobilenetv2-1.0")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert "of 2.3 M train" in details(screen)
    assert draft.settings == {"base.name": "mobilenetv2-1.0"}
    assert newest_draft(draft.workspace).settings == draft.settings


async def test_options_of_every_kind_can_be_opened(draft):
    kinds = ("base.trainable", "model.dense_units", "training.steps_per_epoch", "training.gpu")

    async with on_screen(draft) as (pilot, screen):
        await pilot.press("down", "down")
        await pilot.pause()
        for key in (*kinds, "training.deterministic", "data.image_size", "name"):
            dialog = await open_option(pilot, screen, key)
            await pilot.pause()
            shown = str(dialog.query_one("#error", Static).content)
            assert not shown, f"{key}: {shown}"  # the current value is valid
            await pilot.press("escape")
            await until(pilot, lambda: pilot.app.screen is screen)
    assert draft.settings == {}


async def test_t_starts_the_run_shows_it_and_discards_the_draft(draft, workspace, monkeypatch):
    launched = []
    monkeypatch.setattr(
        run_control,
        "launch",
        lambda folder, warm, **options: launched.append((folder.name, warm)),
    )

    worker = FakeWarmWorker()

    async with on_screen(draft) as (pilot, _screen):
        pilot.app.warm = worker
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("enter")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "TrainScreen")
        assert "then the run starts" not in notices(pilot.app)  # it has
        names = [type(one).__name__ for one in pilot.app.screen_stack[1:]]
        assert names == ["HomeScreen", "TrainScreen"]
    assert launched == [("pets-1", worker)]
    spec = read_spec(workspace.runs / "pets-1" / "spec.toml")
    assert (spec.preset, spec.data.source) == ("feature-extraction", str(draft.source))
    assert newest_draft(workspace) is None


async def test_while_a_run_trains_another_can_be_queued(draft, monkeypatch, tmp_path):
    queued = []
    monkeypatch.setattr(RunStarter, "_start", lambda self, *_, queue: queued.append(queue))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    async with on_screen(draft) as (pilot, _screen):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("w")  # nobody is ahead
        await pilot.press("escape")
        assert queued == []
        slot = tmp_path / "workbench" / "queue" / boot_id() / "slots" / "GPU-0.0"
        slot.parent.mkdir(parents=True)
        held = take_lock(slot)
        try:
            await pilot.press("t")
            await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
            labels = [str(button.label) for button in pilot.app.screen.query("Button")]
            assert labels[:2] == ["Train (enter)", "Queue (w)"]
            await pilot.press("w")
            await until(pilot, lambda: queued == [True])
        finally:
            os.close(held)


async def test_a_refused_start_keeps_the_draft_and_reports_why(draft, monkeypatch):
    def refuse(*arguments, **options):
        raise UserError("There is no GPU 3.", "Allowed: 0")

    monkeypatch.setattr(start, "start_run", refuse)

    async with on_screen(draft) as (pilot, screen):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("enter")
        await until(pilot, lambda: any("no GPU 3" in n.message for n in pilot.app._notifications))
        assert pilot.app.screen is screen
    assert newest_draft(draft.workspace) is not None


async def test_dense_has_no_layers_to_choose_and_asks_to_start(draft, monkeypatch):
    started = []
    monkeypatch.setattr(RunStarter, "_start", lambda self, spec, **_: started.append(spec))

    async with on_screen(draft) as (pilot, _screen):
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("escape")
        assert not started
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("enter")
        await until(pilot, lambda: bool(started))
    assert started[0].model.strategy == "dense"


async def test_the_layers_chosen_come_back_and_are_kept(draft):
    async with on_screen(draft) as (pilot, _screen):
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "LayersStep")
        assert "strategy" in draft.completed
        await pilot.press("down", "down", "down", "space")  # block4
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
    assert draft.settings == {"base.trainable": ["block4", "block5"]}
    assert draft.completed >= {"data", "strategy", "layers"}


async def test_hostile_settings_are_shown_harmless(draft):
    draft.settings = {"base.weights": "/x/[/oops]\x1b[31m\n", "training.gpu": "[bold"}

    async with on_screen(draft) as (pilot, screen):
        await pilot.pause()
        assert "[bold" in details(screen)  # the error names what was received
        strips = screen._compositor.render_strips()
        shown = "".join(segment.text for strip in strips for segment in strip)
        assert not any(ord(c) < 32 for c in shown)


def test_weights_that_are_not_there_are_refused_before_a_run_is_made(draft, workspace):
    draft.update({"base.weights": "/nowhere/w.h5"})
    with pytest.raises(UserError, match="no file of weights"):
        run_control.start_run(workspace, draft.spec(), "pets")
    assert not list(workspace.runs.glob("pets-*"))


async def test_an_earlier_draft_is_offered_and_continued(draft):
    as_scanned(draft)

    async with driven(draft.workspace.root) as (app, pilot):
        await pilot.pause()
        guide.start_experiment(app)
        await until(pilot, lambda: type(app.screen).__name__ == "Choose")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, StrategyScreen))
        assert app.screen.draft.id == draft.id
        await pilot.press("escape")
        await until(pilot, lambda: type(app.screen).__name__ == "DataScreen")


async def test_a_new_one_discards_the_old_draft_and_starts_with_the_machine(draft, monkeypatch):
    draft.update({"base.weights": "/w.h5", "training.epochs": 7})
    monkeypatch.setattr(MachineScreen, "on_mount", lambda self: self.refresh_heading())

    async with driven(draft.workspace.root) as (app, pilot):
        await pilot.pause()
        guide.start_experiment(app)
        await until(pilot, lambda: type(app.screen).__name__ == "Choose")
        await pilot.press("n")
        await until(pilot, lambda: type(app.screen).__name__ == "MachineStep")
        assert newest_draft(draft.workspace) is None
        await pilot.press("n")
        await until(pilot, lambda: type(app.screen).__name__ == "DataScreen")
        assert app.screen.draft.source is None
        assert app.screen.draft.completed == {"machine"}
        assert app.screen.draft.base == {"base.weights": "/w.h5"}
        assert app.screen.draft.settings == {}


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("training.epochs", "7", 7),
        ("training.learning_rate", "1e-4", 1e-4),
        ("training.steps_per_epoch", "", None),
        ("training.time_budget", "1h30m", "1h30m"),
        ("training.time_budget", "", None),
        ("training.gpu", "none", "none"),
        ("training.gpu", "1", 1),
        ("data.image_size", "160, 160", [160, 160]),
        ("data.image_size", "[64, 32]", [64, 32]),
        ("base.trainable", "block4 block5", ["block4", "block5"]),
        ("base.trainable", "block5", ["block5"]),
        ("model.dense_units", "", []),
        ("model.pooling", "true", True),
        ("model.pooling", "true false", [True, False]),
        ("base.weights", "/a b/w.h5", "/a b/w.h5"),
        ("name", "007", "007"),
        ("name", "", None),
    ],
)
def test_typed_values(key, typed, value):
    assert parse_typed_value(key, typed) == value
    assert parse_typed_value(key, format_key_value(value)) == value


def test_the_meaning_of_every_key_is_the_specs_own():
    assert all(key_schema(key) == field_at(tuple(key.split("."))) for key in keys())


async def test_the_demo_starts_two_runs_and_shows_the_first(workspace, monkeypatch):
    launched = []
    monkeypatch.setattr(
        run_control,
        "launch",
        lambda folder, queue, **options: launched.append((folder.name, queue)),
    )

    async with driven(workspace.root) as (app, pilot):
        await pilot.pause()
        guide.launch_demo(app)
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("n")
        assert not launched
        guide.launch_demo(app)
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: type(app.screen).__name__ == "TrainScreen")
        await until(pilot, lambda: app.find_run("demo-dense-1"))
        assert app.find_run("demo-dense-1").summary.data == "digits"
    assert launched == [("demo-dense-1", False), ("demo-convnet-1", True)]
    assert read_spec(workspace.runs / "demo-convnet-1" / "spec.toml").evaluation.shift == 2


async def test_escape_leads_from_the_options_to_the_strategies(draft):
    async with on_screen(draft) as (pilot, screen):
        await pilot.press("s")
        await until(pilot, lambda: screen.query_one("#options").has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one("StrategyList").has_focus)
        assert pilot.app.screen is screen


async def test_options_have_the_room_while_one_is_chosen(draft):
    draft.set_preset("fine-tuning")
    async with on_screen(draft) as (pilot, screen):
        strategies, table = screen.query_one("StrategyList"), screen.query_one(OptionTable)
        await until(pilot, lambda: table.size.height == 7)  # with the line of titles
        await pilot.press("s")
        await until(pilot, lambda: table.size.height == 18)
        await until(pilot, lambda: strategies.size.height == 1)
        await until(pilot, lambda: strategies.scroll_y == strategies.highlighted == 6)
        pilot.app.post_message(AppBlur())  # another window has the focus
        await until(pilot, lambda: not table.has_focus)
        assert table.size.height == 18
        pilot.app.post_message(AppFocus())
        await until(pilot, lambda: table.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: table.size.height == 7)
        assert strategies.size.height == 10


async def test_options_follow_the_width_of_the_terminal(draft):
    async with on_screen(draft) as (pilot, screen):
        table = screen.query_one(OptionTable)
        # From a narrow one to a broad one the values have the same room, and a description beside.
        for width, columns, value in (
            (80, 3, 35), (200, 4, 35), (150, 4, 35), (149, 4, 16), (110, 4, 16), (109, 3, 35),
        ):  # fmt: skip
            await pilot.resize_terminal(width, 24)
            await until(pilot, lambda columns=columns: len(table.columns) == columns)
            await until(pilot, lambda v=value: list(table.columns.values())[1].width == v)
            assert len(table.get_row_at(0)) == columns


async def test_a_cut_description_has_an_ellipsis(draft):
    draft.set_preset("fine-tuning")

    async with on_screen(draft, (120, 40)) as (pilot, screen):
        table = screen.query_one(OptionTable)
        whole = {key: key_schema(key)["description"] for key in table.keys if key != "name"}
        shown = {key: str(table.get_row_at(table.keys.index(key))[-1]) for key in whole}
        cuts = [key for key in whole if shown[key] != whole[key]]
        assert "training.epochs" not in cuts
        assert cuts
        assert all(shown[key].endswith("…") for key in cuts)
        table.focus()
        table.move_cursor(row=table.keys.index(cuts[0]))
        meaning = screen.query_one("#meaning", Static)
        await until(pilot, lambda: str(meaning.content) == whole[cuts[0]])


async def test_a_narrow_terminal_shows_the_selected_description(draft):
    draft.set_preset("fine-tuning")

    async with on_screen(draft) as (pilot, screen):
        table = screen.query_one(OptionTable)
        table.focus()
        meaning = screen.query_one("#meaning", Static)
        for key in ("model.dropout", "training.warmup_epochs"):
            text = key_schema(key)["description"]
            table.move_cursor(row=table.keys.index(key))
            await until(pilot, lambda text=text: str(meaning.content) == text)
        assert len(option(screen, "training.warmup_epochs")) <= 80


async def test_an_option_that_can_be_tuned_names_the_key(draft):
    async with on_screen(draft) as (pilot, screen):
        dialog = await open_option(pilot, screen, "training.learning_rate")
        assert "f on Strategy finds one" in str(dialog.query_one(".about", Static).content)
        await pilot.press("escape")
        dialog = await open_option(pilot, screen, "training.epochs")
        assert "on Strategy" not in str(dialog.query_one(".about", Static).content)


@pytest.mark.parametrize(
    ("room", "utf8", "shown"),
    [
        (9, True, "of images"),
        (8, True, "of imag…"),
        (4, True, "of…"),
        (9, False, "of images"),
        (8, False, "of im..."),
    ],
)
def test_words_are_cut_with_an_ellipsis(room, utf8, shown):
    assert truncate("of images", room, utf8) == shown
    assert len(shown) <= room


async def test_layers_toggled_are_kept_on_the_way_back_and_after_the_app_was_closed(draft):
    draft.set_preset("fine-tuning")

    async with on_screen(draft) as (pilot, screen):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LayersStep))
        await pilot.press("down", "down", "down", "space")  # block4
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await until(pilot, lambda: "yours" in option(screen, "base.trainable"))
        assert "2 head and block4, block5" in details(screen)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LayersStep))
        assert pilot.app.screen.spec.base.trainable == ("block4", "block5")
        await pilot.press("down", "down", "space")  # block3
        await pilot.press("ctrl+q")
    again = newest_draft(draft.workspace)
    assert again.settings == {"base.trainable": ["block3", "block4", "block5"]}
    assert "strategy" in again.completed

    async with on_screen(again) as (pilot, screen):
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, LayersStep))
        assert pilot.app.screen.spec.base.trainable == ("block3", "block4", "block5")


def strategy_in_front(app: WorkbenchApp) -> Callable[[], bool]:
    return lambda: isinstance(app.screen, StrategyScreen) and app.screen.is_mounted


async def test_settings_survive_home_and_data(draft):
    as_scanned(draft)
    settings = {"training.learning_rate": 0.01, "model.dense_units": [64], "base.name": "vgg19"}

    async with driven(draft.workspace.root) as (app, pilot):
        await pilot.pause()
        await app.push_screen(StrategyScreen(newest_draft(app.workspace, app.draft_writer)))
        app.screen.query_one(OptionList).highlighted = 4  # feature-extraction
        await until(pilot, lambda: "base.name" in app.screen.query_one(OptionTable).keys)
        app.screen._apply(settings)
        await pilot.press("escape", "n")
        await until(pilot, lambda: type(app.screen).__name__ == "Choose")
        await pilot.press("enter")
        await until(pilot, strategy_in_front(app))
        await pilot.press("escape")
        await until(pilot, lambda: getattr(app.screen, "phase", "") == "found")
        await pilot.press("enter")
        await until(pilot, strategy_in_front(app))
        assert app.screen.draft.settings == settings
        assert app.screen.draft.chosen_preset == "feature-extraction"


async def test_a_new_experiment_starts_with_the_base_of_the_run_on_these_images(draft, monkeypatch):
    monkeypatch.setattr(run_control, "launch", lambda folder, warm, **options: None)
    as_scanned(draft)
    draft.set_preset("feature-extraction")
    draft.update({"base.name": "mobilenetv2-1.0", "training.learning_rate": 0.01})
    workspace = draft.workspace
    run = run_control.start_run(workspace, draft.spec(), "pets")
    draft.discard()

    async with driven(workspace.root) as (app, pilot):
        await until(pilot, lambda: app.runs)
        fresh = Draft(workspace)
        fresh.set_source(draft.source, None)
        guide.open_draft(app, fresh)
        await until(pilot, lambda: getattr(app.screen, "phase", "") == "found")
        text = f"Base and weights as in {run.name}."
        await until(pilot, lambda: text in messages(app))
        assert fresh.settings == {}  # convnet, which is recommended here, has no base
        fresh.set_preset("fine-tuning")
        assert fresh.settings == {"base.name": "mobilenetv2-1.0"}


async def test_an_option_of_another_strategy_chooses_that_strategy(draft):
    async with on_screen(draft) as (pilot, screen):
        await pilot.press("down", "down")
        await until(pilot, lambda: "2 head and block5" in details(screen))
        strategies = screen.query_one(OptionList)

        def marked() -> list[str | None]:
            return [option.id for option in strategies.options if "●" in str(option.prompt)]

        assert marked() == ["fine-tuning"]  # with the cursor
        dialog = await open_option(pilot, screen, "training.epochs")
        dialog.query_one(Input).value = "7"
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert marked() == ["fine-tuning"]
        assert strategies.highlighted_option.id == "fine-tuning"
    assert draft.preset == "fine-tuning"


async def test_a_file_of_weights_has_to_be_there(draft, tmp_path):
    (tmp_path / "mine.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "mine.txt").write_text("no weights")

    async with on_screen(draft) as (pilot, screen):
        dialog = await open_option(pilot, screen, "base.weights")
        assert "preset's value: imagenet; ctrl+r restores it" in str(
            dialog.query_one(".about", Static).content
        )
        field = dialog.query_one(PathField)
        for wrong, why in (("none.h5", "cannot be read"), ("mine.txt", "not a weights file")):
            field.value = f"{tmp_path}/{wrong}"
            await pilot.press("enter")
            await until(pilot, lambda why=why: why in str(dialog.query_one("#error").content))
            assert pilot.app.screen is dialog
        field.value = f"{tmp_path}/m"
        field.cursor_position = len(field.value)
        await until(pilot, lambda: bool(field._suggestion))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: pilot.app.screen is screen)
    assert draft.settings == {"base.weights": f"{tmp_path}/mine.h5"}


async def test_a_long_reason_stays_until_it_is_closed(draft, monkeypatch):
    text = "\n".join(f"line {number} of [/oops]\x1b[31m" for number in range(30))

    def refuse(*arguments, **options):
        raise UserError("No weights.", text)

    monkeypatch.setattr(start, "start_run", refuse)

    async with on_screen(draft) as (pilot, screen):
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ErrorDialog))
        shown = str(pilot.app.screen.query_one("#words", Static).content)
        assert shown.startswith("No weights.\nline 0 of [/oops]\\e[31m\nline 1")
        box = pilot.app.screen.query_one(VerticalScroll)
        assert box.max_scroll_y == 31 - box.size.height > 0
        assert pilot.app.screen.query_one("#close").region.bottom < 24
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a\nb\nc", True),
        ("a\nb\nc\nd", False),
        ("x" * TOAST_WIDTH * 3, True),
        ("x" * (TOAST_WIDTH * 3 + 1), False),
    ],
)
def test_three_lines_fit_a_toast(text, fits):
    assert fits_toast(text) is fits


async def test_numbers_lead_along_the_rail(draft):
    draft.set_preset("convnet")
    async with on_screen(draft) as (pilot, screen):
        app = pilot.app
        await pilot.press("3")  # where it is
        assert app.screen is screen
        await pilot.press("6")  # results, before there is a run
        await until(pilot, lambda: "Layers comes first: enter." in messages(app))
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, LayersStep))
        assert "strategy" in draft.completed
        await pilot.press("3")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("1")  # over which the experiment did not begin
        await until(pilot, lambda: isinstance(app.screen, MachineStep))
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))


async def test_a_run_that_did_what_is_recommended_is_named(draft, monkeypatch):
    monkeypatch.setattr(run_control, "launch", lambda folder, warm, **options: None)
    draft.set_preset("linear-probe")
    run = run_control.start_run(draft.workspace, draft.spec(), "pets")
    events = LogWriter(run.events_path)
    events.write("evaluated", split="test", accuracy=0.75)
    events.write("finished", seconds=1.0, stage=0, epoch=1, step=0)

    async with driven(draft.workspace.root) as (app, pilot):
        await until(pilot, lambda: app.runs)
        app.open("strategy", draft)
        said = f"a pretrained one needs fewer. {run.name} did that: 0.750."
        await until(pilot, strategy_in_front(app))
        await until(pilot, lambda: said in str(app.screen.query_one("#advice", Static).content))


async def test_n_leads_from_step_to_step(draft):
    draft.set_preset("convnet")
    async with on_screen(draft) as (pilot, _):
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, LayersStep))

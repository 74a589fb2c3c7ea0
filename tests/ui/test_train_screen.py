"""The Train screen in a real app over run folders whose worker is the test."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from event_lines import event
from fake_runs import CONVNET, FINE_TUNING, FakeRun, curve, finished, flowers, training
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from ui_pilot import driven, until

from workbench.paths import Workspace
from workbench.render.canvas import Series
from workbench.render.curves import training_curves
from workbench.render.plot import PlotOptions, epoch_at, plot
from workbench.render.runs import format_time_left, planned_epochs
from workbench.runs.annotations import newest_note
from workbench.runs.events import EpochFinished
from workbench.runs.history import fold
from workbench.runs.launch import stop_requested
from workbench.runs.watch import RunFeed
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Confirm
from workbench.ui.home.screen import HomeScreen
from workbench.ui.keys import KeyLine
from workbench.ui.train import text as train_text
from workbench.ui.train.plots import CurvePlots
from workbench.ui.train.screen import TrainScreen
from workbench.ui.widgets.lines import LinePlot, Tail

NARROW, WIDE = (80, 24), (120, 40)


@pytest.fixture(autouse=True)
def _a_terminal_with_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace: Workspace) -> Iterator[FakeRun]:
    """A run that trains: cats-dogs-12."""
    with training(workspace) as made:
        yield made


@asynccontextmanager
async def watch(
    workspace: Workspace, run: str = "cats-dogs-12", size: tuple[int, int] = NARROW
) -> AsyncIterator[tuple[Pilot[None], TrainScreen]]:
    """The screen of a run, once the run is known."""
    app = WorkbenchApp(workspace)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.find_run(run) is not None)
        screen = TrainScreen(run)
        app.push_screen(screen)
        await until(pilot, lambda: screen._view is not None and bool(shown(screen, "heading")))
        yield pilot, screen


def shown(screen: Screen[None], name: str) -> str:
    """What a part of the screen says; "" where it is hidden."""
    found = screen.query(f"#{name}")
    if not found or not found.first().display:
        return ""
    widget = found.first()
    return str(widget.render()) if isinstance(widget, Static | LinePlot | Tail) else ""


def keys(screen: Screen[None]) -> set[str]:
    """The keys that the footer offers."""
    return {
        binding.binding.key for binding in screen.active_bindings.values() if binding.binding.show
    }


async def test_a_training_run_in_eighty_columns(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        heading = shown(screen, "heading")
        assert "training ▶" in heading
        assert "stage 2/2  epoch 17/30" in heading
        assert heading.rstrip().endswith("at most 12 min left")
        assert "train 0.990" in shown(screen, "accuracy")
        assert "best 12" in shown(screen, "accuracy")
        progress = shown(screen, "progress")
        assert "20/63  44 images/s  loss 0.031  acc 0.991" in progress
        assert "CPU  96 %  memory 3.1/24 GiB  disk 120 GB free" in shown(screen, "host")
        assert "saved" in shown(screen, "host")
        assert "NVIDIA H100 80GB HBM3  use  87 %  memory 12.0/80 GiB  64 °C" in shown(screen, "gpu")
        assert "no gain for 4 epochs (best 0.109 at epoch 12); stops in 1." in shown(
            screen, "coach"
        )
        assert "overfitting since epoch 12" in shown(screen, "coach")
        assert "fewer weights that train" in shown(screen, "coach")
        assert shown(screen, "log").split("\n")[-1].split()[:3] == ["16", "0.036", "0.990"]
        assert shown(screen, "panel-text") == ""
        for name in ("heading", "progress", "host", "gpu", "coach", "log"):
            assert all(len(line) <= 78 for line in shown(screen, name).split("\n")), name
        log = screen.query_one("#log")
        await until(pilot, lambda: log.region.bottom == 23)  # all of it above the footer


async def test_the_footer_fits_in_eighty_columns(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (pilot, screen):
        wanted = {"question_mark", "x", "q", "l", "c", "s", "v", "left", "N"}
        await until(pilot, lambda: keys(screen) == wanted, str(wanted))
        assert screen.query_one(KeyLine).keys.cell_len <= 80


async def test_a_large_terminal_shows_more(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace, size=WIDE) as (pilot, screen):
        await until(pilot, lambda: len(shown(screen, "log").split("\n")) == 11)
        await until(pilot, lambda: screen.query_one("#loss").size.height > 15)
        assert "fine-tuning, vgg16" in shown(screen, "heading")
        coach, log = screen.query_one("#coach"), screen.query_one("#log")
        await until(pilot, lambda: coach.region.right <= log.region.x)
        assert all(len(line) <= log.size.width for line in shown(screen, "log").split("\n"))
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: len(shown(screen, "log").split("\n")) == 3)
        await until(pilot, lambda: screen.query_one("#loss").size.width < 40)
        await until(pilot, lambda: max(map(len, shown(screen, "loss").split("\n"))) < 40)


async def test_epochs_appear_as_they_end(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        run.progress(1, 17, 40)
        await until(pilot, lambda: "40/63" in shown(screen, "progress"))
        run.progress(1, 17, 5, phase="validation")
        await until(pilot, lambda: "5/63  validation" in shown(screen, "progress"))
        run.emit("epoch_finished", stage=1, epoch=17, loss=0.03, accuracy=0.9, val_loss=0.05,
                 val_accuracy=0.987, seconds=50.0, best=True)  # fmt: skip
        await until(pilot, lambda: "17 best" in shown(screen, "log"))
        assert "val 0.987" in shown(screen, "accuracy")
        assert "best 17" in shown(screen, "loss")
        assert "no gain" not in shown(screen, "coach")
        run.emit("notice", message="odd [bold]\x1b[31m thing")
        await until(pilot, lambda: "odd [bold]\\e[31m thing" in shown(screen, "notice"))


async def test_what_did_not_change_is_not_drawn_again(
    workspace: Workspace, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await until(pilot, lambda: screen.query_one("#log").region.bottom == 23)
        await pilot.pause()
        for kind in (Static, LinePlot, Tail):
            original = kind.refresh

            def refresh(self: Static, *args: object, _its=original, **named: object) -> object:
                drawn.append(str(self.id))
                return _its(self, *args, **named)

            monkeypatch.setattr(kind, "refresh", refresh)
        run.progress(1, 17, 41)
        await until(pilot, lambda: "41/63" in shown(screen, "progress"))
        assert "progress" in drawn
        assert not {"loss", "accuracy", "log", "coach"} & set(drawn)


async def test_stop_asks_first(workspace: Workspace, run: FakeRun) -> None:
    def panel(screen: TrainScreen) -> str:
        return shown(screen, "panel-text")

    async with watch(workspace) as (pilot, screen):
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert not stop_requested(run.folder)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "requested" in shown(screen, "progress"))
        assert stop_requested(run.folder)
        run.emit("stopped", stage=1, epoch=17, step=20)
        run.die()
        await until(pilot, lambda: "Stopped on request at " in panel(screen))
        assert "stage 2, epoch 17 of 30. r continues at epoch 17." in panel(screen)
        await until(pilot, lambda: {"r", "q"} <= keys(screen), "the keys of a stopped run")
        assert "x" not in keys(screen)


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_detaching_shows_that_the_run_keeps_running(
    workspace: Workspace, run: FakeRun, key: str
) -> None:
    async with watch(workspace) as (pilot, _screen):
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, HomeScreen))
        await until(pilot, lambda: list(pilot.app._notifications))
        (message,) = (one.message for one in pilot.app._notifications)
        assert "cats-dogs-12 keeps running" in message


async def test_leaving_a_run_that_has_ended_shows_no_notice(workspace: Workspace) -> None:
    finished(workspace)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await until(pilot, lambda: "q" in keys(screen))
        actions = {key: screen.active_bindings[key].binding.action for key in ("q", "escape")}
        assert actions == {"q": "back", "escape": "back"}
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, HomeScreen))
        assert not list(pilot.app._notifications)


async def test_smoothing_scale_and_zoom(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        raw = shown(screen, "loss")
        await pilot.press("s", "s")
        assert "smoothed 0.80" in shown(screen, "loss")
        assert shown(screen, "loss").split("\n")[2:] != raw.split("\n")[2:]
        for _ in range(5):
            await pilot.press("s", "m")
        assert "smoothed 0.95" in shown(screen, "loss")
        await pilot.press("s", "r")
        assert "smoothed 0.90" in shown(screen, "loss")
        await pilot.press("s", "s")
        assert shown(screen, "loss") == raw
        await pilot.press("s", "l")
        assert "log scale" in shown(screen, "accuracy")
        await pilot.press("s", "l")
        await pilot.press("z")
        await until(pilot, lambda: screen.query_one("#loss").size.width == 78)
        assert shown(screen, "accuracy") == ""
        assert "stage 2" in shown(screen, "loss")
        await pilot.press("z")
        assert shown(screen, "loss") == ""
        await pilot.press("z")
        assert shown(screen, "loss")


async def test_a_monitored_score_is_drawn_with_the_accuracy(workspace: Workspace) -> None:
    run = FakeRun(workspace, "rare", CONVNET.format(epochs=30).replace("val_loss", "val_macro_f1"))
    run.live()
    run.data()
    run.stage(0, "train all", 30)
    run.epochs(0, 4, val_macro_f1=0.625)
    async with watch(workspace, "rare") as (_, screen):
        plot = screen.query_one("#accuracy", LinePlot)
        assert "F1 0.625" in str(plot.render())
        assert "F1 0.625" not in str(screen.query_one("#loss", LinePlot).render())
        log = str(screen.query_one("#log", Tail).render()).splitlines()
        assert log[0].split()[1:] == [
            "epoch", "loss", "val", "loss", "val", "acc", "F1", "rate", "time",
        ]  # fmt: skip
        assert log[-1].split()[5 - ("best" not in log[-1])] == "0.625"


async def test_another_run_is_drawn_behind(workspace: Workspace, run: FakeRun) -> None:
    finished(workspace)
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("enter")
        await until(pilot, lambda: "other 0.121" in shown(screen, "loss"))
        assert shown(screen, "other") == "other   cats-dogs-11  convnet, validation"
        assert shown(screen, "loss").startswith("loss\n")
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.screen is not screen)
        await pilot.press("home", "enter")
        await until(pilot, lambda: "other" not in shown(screen, "loss"))
        assert shown(screen, "other") == ""


async def test_runs_on_the_same_data_are_offered_first(workspace: Workspace, run: FakeRun) -> None:
    finished(workspace)
    birds = FakeRun(workspace, "birds-1", CONVNET.format(epochs=50).replace("cats-dogs", "birds"))
    birds.stage(0, "train all", 50)
    birds.epochs(0, 50)
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: len(screen.workbench.runs) == 3)
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await pilot.press("c")
        await until(pilot, lambda: pilot.app.screen is not screen)
        offered = pilot.app.screen.query_one(OptionList).options
        lines = [str(option.prompt).split() for option in offered]
        assert [(line[2], line[-2:]) for line in lines] == [
            ("cats-dogs-11", ["convnet", "0.951"]),
            ("birds-1", ["other", "data"]),
        ]
        await pilot.press("end", "enter")
        line = "other   birds-1  convnet, validation, other data"
        await until(pilot, lambda: shown(screen, "other") == line)
        # Its 50 epochs are more than the 40 that this run is planned for.
        assert shown(screen, "loss").endswith(" 40")


@pytest.mark.parametrize(
    ("width", "start"),
    [
        (80, "cats_dogs_flat-corrected-1  training ▶  epoch 1/120"),
        (53, "cats_dogs_flat-…rected-1  training ▶  epoch 1/120"),
    ],
)
async def test_a_name_gets_the_room_that_is_left(
    workspace: Workspace, width: int, start: str
) -> None:
    run = FakeRun(workspace, "cats_dogs_flat-corrected-1", CONVNET.format(epochs=120))
    run.live()
    run.stage(0, "train all", 120)
    async with watch(workspace, run.folder.name) as (_pilot, screen):
        view = screen.workbench.find_run("cats_dogs_flat-corrected-1")
        assert view is not None
        assert train_text.format_heading(view, width, True, "").plain.startswith(start)
    run.die()


async def test_a_note_stays_with_the_run(workspace: Workspace) -> None:
    run = finished(workspace)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await pilot.press("N")
        await until(pilot, lambda: pilot.app.screen is not screen)
        pilot.app.screen.query_one(Input).value = "tried [red] \x1b[31m light"
        await pilot.press("enter")
        await until(pilot, lambda: "tried [red]" in shown(screen, "note"))
        assert "\x1b" not in shown(screen, "note")
    assert newest_note(run.folder).endswith("tried [red] \\e[31m light")


async def test_a_finished_run_shows_its_accuracy(workspace: Workspace) -> None:
    finished(workspace)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await until(pilot, lambda: "finished ✓  20 epochs" in shown(screen, "heading"))
        panel = shown(screen, "panel-text")
        assert "Accuracy 0.951 (0.936 to 0.963 with 95 % confidence) on 1,000 test images" in panel
        assert "On shifted images 0.921" in panel
        assert "enter" in keys(screen)
        assert not {"x", "r"} & keys(screen)
        assert shown(screen, "host") == shown(screen, "progress") == ""


async def test_a_failure_is_shown_in_full(workspace: Workspace) -> None:
    run = FakeRun(workspace, "early", CONVNET.format(epochs=3))
    run.emit("failed", kind="user", message="No images in [/photos]\x1b[2J.\nSecond line.",
             hint="Look at [the] folder.")  # fmt: skip
    async with watch(workspace, "early") as (pilot, screen):
        await until(pilot, lambda: "failed ✗" in shown(screen, "heading"))
        panel = shown(screen, "panel-text")
        assert "Failed. No images in [/photos]\\e[2J.\nSecond line." in panel
        assert "Look at [the] folder." in panel
        assert "r starts over: no checkpoint." in panel
        assert shown(screen, "loss") == "" or not screen.query_one("#plots").display


async def test_after_the_last_epoch_only_the_test_is_left(workspace: Workspace) -> None:
    def panel(screen: TrainScreen) -> str:
        return shown(screen, "panel-text")

    run = FakeRun(workspace, "nearly", CONVNET.format(epochs=3))
    run.stage(0, "train all", 3)
    run.epochs(0, 3)
    run.checkpoint(0, 4)
    run.emit("stopped", stage=0, epoch=4, step=0)
    async with watch(workspace, "nearly") as (pilot, screen):
        await until(pilot, lambda: "r finishes it: only the test is left." in panel(screen))
        run.emit("failed", kind="error", message="Out of memory.")
        await until(pilot, lambda: "Failed. Out of memory." in panel(screen))
        assert "r finishes it: only the test is left." in panel(screen)


async def test_the_last_output_of_a_dead_worker_is_shown(workspace: Workspace) -> None:
    run = FakeRun(workspace, "dead", CONVNET.format(epochs=30))
    run.live()
    run.stage(0, "train all", 30)
    run.epochs(0, 3)
    run.folder.log_path.write_text("out of memory \x1b[31m\n")
    run.die()
    async with watch(workspace, "dead") as (pilot, screen):
        await until(pilot, lambda: "interrupted !" in shown(screen, "heading"))
        panel = shown(screen, "panel-text")
        assert "Interrupted. Killed or crashed at " in panel
        assert ", after epoch 3 of 30. r starts over: no checkpoint." in panel
        assert "out of memory \\e[31m" in panel
        assert "r" in keys(screen)


async def test_from_the_queue_to_the_first_epoch(workspace: Workspace) -> None:
    run = FakeRun(workspace, "birds", FINE_TUNING.format(head=4, epochs=9))

    run.live()
    run.emit("preparing", phase="wait for cats-7", done=0, total=0)
    async with watch(workspace, "birds") as (pilot, screen):
        await until(pilot, lambda: "Waiting for cats-7" in shown(screen, "panel-text"))
        assert "waiting …" in shown(screen, "heading")
        run.data()
        run.emit("preparing", phase="decode images", done=1200, total=4000)
        await until(pilot, lambda: "1,200 of 4,000" in shown(screen, "panel-text"))
        assert "2,000 train, 1,000 validation, 1,000 test" in shown(screen, "panel-text")
        run.stage(0, "head first", 4)
        run.progress(0, 1, 9)
        await until(pilot, lambda: "no finished epoch yet" in shown(screen, "loss"))
        assert "stage 1/2  epoch 1/4" in shown(screen, "heading")
        assert "left in stage 1" in shown(screen, "heading")
        assert shown(screen, "panel-text") == "" or not screen.query_one("#panel").display
        run.epochs(0, 1)
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        assert "best 1" in shown(screen, "loss")
    run.die()


async def test_a_run_that_vanishes_does_no_harm(workspace: Workspace) -> None:
    run = finished(workspace)

    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        shutil.rmtree(run.folder.path)
        await until(pilot, lambda: "cats-dogs-11 is gone" in shown(screen, "panel-text"))
        assert not screen.query_one("#plots").display
        assert keys(screen) == {"question_mark", "q"}
        await pilot.press("s", "c", "x", "N", "q")
        await until(pilot, lambda: isinstance(pilot.app.screen, HomeScreen))


async def test_time_left_is_that_of_the_epochs_left(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (_pilot, screen):
        view = screen.workbench.find_run("cats-dogs-12")
        assert view is not None
        assert planned_epochs(view) == [10, 30]
        # 14 epochs less 20 of 63 steps, 54 s each: 12 min 19 s.
        assert format_time_left(view) == "at most 12 min left"
        view.spec["training"]["early_stopping"] = 0
        assert format_time_left(view) == "12 min left"
        view.spec["training"] |= {"unfreeze": "gradual", "unfreeze_epochs": 3}
        view.spec["base"]["trainable"] = ["block3", "block4", "block5"]
        view.history.stages.pop(1)
        assert planned_epochs(view) == [10, 3, 3, 30]


@pytest.mark.parametrize(
    ("epochs", "end"),
    [
        (1, "10"),
        (5, "10"),
        (6, "12"),
        (29, "58"),
        (30, "60"),
        (31, "60"),
    ],
)
async def test_an_axis_that_ends_before_the_plan_says_so(
    workspace: Workspace, epochs: int, end: str
) -> None:
    run = FakeRun(workspace, "cats-dogs-12", CONVNET.format(epochs=60))
    run.live()
    run.stage(0, "train all", 60)
    run.epochs(0, epochs)
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        assert shown(screen, "loss").rstrip().split("  ")[-1].strip() == end
    run.die()


async def test_a_resumed_run_has_its_new_plan(workspace: Workspace) -> None:
    """The second stage, which has not begun, became longer between two lives of the first."""
    run = FakeRun(workspace, "cats-dogs-12", FINE_TUNING.format(head=10, epochs=30))
    run.live()
    run.stage(0, "head first", 10)
    run.epochs(0, 8)
    run.checkpoint(0, 8)

    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        assert shown(screen, "loss").endswith(" 16")
        run.die()
        run.folder.spec_path.write_text(FINE_TUNING.format(head=10, epochs=3000))
        run.live()
        run.emit("resumed", stage=0, epoch=8, step=0)
        await until(pilot, lambda: shown(screen, "loss").endswith(" 14"))
    run.die()


async def test_the_start_of_a_solved_head_is_no_epoch_of_the_plan(workspace: Workspace) -> None:
    run = FakeRun(workspace, "one", CONVNET.format(epochs=20))
    run.live()
    run.stage(0, "train all", 20)
    run.emit("epoch_finished", stage=0, epoch=0, best=True, **curve(0, 1))
    run.epochs(0, 8)
    async with watch(workspace, "one") as (pilot, screen):
        await until(pilot, lambda: shown(screen, "loss").endswith(" 17"), "the axis")
        assert "epoch 9/20" in shown(screen, "heading")
    run.die()


async def test_a_terminal_without_utf8_gets_ascii(
    workspace: Workspace, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")

    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        for name in ("heading", "loss", "accuracy", "progress", "host", "gpu", "coach", "log"):
            assert shown(screen, name).isascii(), name


async def test_colours_follow_the_theme(workspace: Workspace, run: FakeRun) -> None:
    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))

        def colours() -> set[str]:
            text = screen.query_one("#loss", LinePlot).render()
            return {str(span.style) for span in text.spans}

        dark = colours()
        screen.workbench.action_theme()
        await until(pilot, lambda: colours() != dark)
        assert any("#005f87" in colour for colour in colours())


async def test_the_bell_rings_once_at_end(
    workspace: Workspace, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    rings: list[str] = []
    monkeypatch.setattr(WorkbenchApp, "bell", lambda app: rings.append("bell"))
    async with watch(workspace) as (pilot, screen):
        run.progress(1, 17, 40)
        await until(pilot, lambda: "40/63" in shown(screen, "progress"))
        assert rings == []
        run.emit("finished", seconds=1)
        run.die()
        await until(pilot, lambda: "Finished." in shown(screen, "panel-text"))
        run.emit("notice", message="later")
        await until(pilot, lambda: "later" in shown(screen, "notice"))
        assert rings == ["bell"]


async def test_a_run_that_had_ended_before_rings_no_bell(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkbenchApp, "bell", lambda app: pytest.fail("it rang"))

    finished(workspace)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await until(pilot, lambda: "Finished." in shown(screen, "panel-text"))


@pytest.mark.parametrize(
    ("changes", "augmented"),
    [("", False), ('[augmentation]\nfill = "black"\nrotation = 0.0\n', False),
     ("[augmentation]\nhorizontal_flip = true\n", True)],
)  # fmt: skip
def test_the_coach_knows_whether_images_are_augmented(
    workspace: Workspace, changes: str, augmented: bool
) -> None:
    FakeRun(workspace, "one", CONVNET.format(epochs=5) + changes)
    feed = RunFeed(workspace, lambda runs: None)
    feed.poll()
    (view,) = feed.views()
    assert training_curves(view).augmented is augmented


async def test_values_are_read_off_the_curves(tmp_path: Path) -> None:
    run = finished(Workspace(tmp_path), epochs=9)
    rows = [curve(0, epoch) for epoch in range(1, 10)]
    async with driven(tmp_path, (120, 40)) as (app, pilot):
        await app.push_screen(TrainScreen(run.folder.name))
        await until(pilot, lambda: app.screen.query_one("#loss", LinePlot)._shown, "the curves")

        def title(metric: str) -> str:
            return app.screen.query_one(f"#{metric}", LinePlot).render().plain.split("\n")[0]

        await pilot.press("left", "left", "left")  # from the last one
        expected = f"epoch 7: train {rows[6]['loss']:.4f}, val {rows[6]['val_loss']:.4f}"
        await until(pilot, lambda: expected in title("loss"), expected)
        assert f"val {rows[6]['val_accuracy']:.4f}" in title("accuracy")
        await pilot.press("right", "right", "right")
        await until(pilot, lambda: "epoch 9: " in title("loss"), "the last one stays")
        await pilot.press("home")
        await until(pilot, lambda: "epoch 1: " in title("loss"), "the first")
        await pilot.press("left", "end")
        await until(pilot, lambda: "epoch 9: " in title("loss"), "the last")
        await pilot.press("7")
        await until(pilot, lambda: expected in title("loss"), "its number")
        screen = app.screen
        await pilot.press("escape")
        await until(pilot, lambda: title("loss") == "loss", "nothing is read")
        assert app.screen is screen
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is not screen, "only then the screen is left")


async def test_an_epoch_is_read_by_its_number_digit_by_digit(workspace: Workspace) -> None:
    """Of 20 epochs: 1, 12, and 3, since there is no 123; an arrow ends the number."""
    finished(workspace)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):

        def title() -> str:
            return shown(screen, "loss").split("\n")[0]

        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        for key, epoch in (("1", 1), ("2", 12), ("3", 3), ("1", 1), ("right", 2), ("5", 5),
                           ("1", 1), ("0", 10)):  # fmt: skip
            await pilot.press(key)
            await until(pilot, lambda: f"loss  epoch {epoch}: " in title(), f"{key}: {epoch}")  # noqa: B023
        await pilot.press("escape", "0")
        await until(pilot, lambda: title() == "loss", "none")


def rows_of(*stages: tuple[int, int, int]) -> list[EpochFinished]:
    """Epochs of stages, given as (stage, first, last)."""
    numbers = [(stage, n) for stage, first, last in stages for n in range(first, last + 1)]
    events = [event("epoch_finished", stage=stage, epoch=n) for stage, n in numbers]
    return fold(events).epochs


@pytest.mark.parametrize(
    ("rows", "keys", "place"),
    [
        (rows_of((1, 0, 20)), "7", 8),  # epoch 0 is a point of the curve: that of a solved head
        (rows_of((1, 0, 20)), "20", 21),
        (rows_of((1, 0, 20)), "21", 2),  # there is no 21
        (rows_of((0, 1, 10), (1, 1, 20)), "7", 17),  # of the newest stage
    ],
)
def test_a_typed_number_is_that_of_the_title(
    rows: list[EpochFinished], keys: str, place: int
) -> None:
    plots = CurvePlots(utf8=True)
    for key in keys:
        assert plots.type_number(key, rows)
    assert plots._cursor == place


def test_a_typed_number_is_of_the_stage_that_is_read() -> None:
    plots, rows = CurvePlots(utf8=True), rows_of((0, 1, 10), (1, 1, 20))
    plots.place_cursor(3, len(rows))
    assert plots.type_number("7", rows)
    assert plots._cursor == 7
    assert not plots.type_number("0", rows)  # there is no 70: it shows all epochs, as elsewhere


async def test_all_values_are_read_in_eighty_columns(workspace: Workspace, run: FakeRun) -> None:
    """Also with remarks on the style of the curves; the stage is named, there are two."""
    async with watch(workspace) as (pilot, screen):

        def titles() -> tuple[str, ...]:
            return tuple(shown(screen, name).split("\n")[0] for name in ("loss", "accuracy"))

        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await pilot.press("s", "l", "left")
        row = curve(1, 16)
        wanted = (
            f"loss  s2 e16: train {row['loss']:.4f}, val {row['val_loss']:.4f}",
            f"acc  s2 e16: train {row['accuracy']:.4f}, val {row['val_accuracy']:.4f}",
        )
        await until(pilot, lambda: titles() == wanted, str(wanted))
        await pilot.press("z")  # one plot has the room for all
        title = f"loss  log scale  stage 2, epoch 16: train {row['loss']:.4f}"
        await until(pilot, lambda: titles()[0].startswith(title), title)
        await pilot.press("z", "z", "home")
        row = curve(0, 1)
        wanted = (
            f"loss  s1 e1: train {row['loss']:.4f}, val {row['val_loss']:.4f}",
            f"acc  s1 e1: train {row['accuracy']:.4f}, val {row['val_accuracy']:.4f}",
        )
        await until(pilot, lambda: titles() == wanted, str(wanted))


async def test_all_values_of_one_stage_are_read_in_eighty_columns(workspace: Workspace) -> None:
    finished(workspace)
    row = curve(0, 20)
    async with watch(workspace, "cats-dogs-11") as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await pilot.press("end")
        title = f"loss  epoch 20: train {row['loss']:.3f}, val {row['val_loss']:.3f}"
        await until(pilot, lambda: shown(screen, "loss").split("\n")[0] == title, title)
        title = f"acc  epoch 20: train {row['accuracy']:.3f}, val {row['val_accuracy']:.3f}"
        assert shown(screen, "accuracy").split("\n")[0] == title


async def test_the_keys_of_the_results_open_the_same_from_the_curves(workspace: Workspace) -> None:
    """Of a finished run alone."""
    finished(workspace)
    flowers(workspace)
    routes = ["export", "analyze", "review", "explain"]
    for name, expected in (("flowers-1", []), ("cats-dogs-11", routes)):  # the first was stopped
        async with watch(workspace, name) as (pilot, screen):
            opened: list[str] = []
            screen.workbench.open = lambda route, *of, then=None: opened.append(route)  # type: ignore[method-assign] # noqa: B023
            await pilot.press("e", "a", "R", "h")
            assert opened == expected


def test_a_column_of_a_plot_is_the_epoch_drawn_in_it() -> None:
    series = [Series("train", (0.5, 0.25, 0.125), "#ffffff", marker=".")]
    options = PlotOptions(epochs=3, cursor=2)
    drawn = plot(series, 60, 10, options).plain.split("\n")
    column = next(line.rindex("│") for line in drawn if line.count("│") == 2)
    assert epoch_at(column, series, 60, 10, options) == 2
    assert epoch_at(0, series, 60, 10, options) is None
    assert epoch_at(59, series, 60, 10, options) is None  # the name of the curve


async def test_one_key_leads_through_three_views(workspace: Workspace) -> None:
    flowers(workspace)
    async with watch(workspace, "flowers-1") as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        assert "░" not in shown(screen, "loss")
        await pilot.press("v")
        title, *rows = shown(screen, "loss").split("\n")
        assert title == "loss  10th to 90th percentile of its steps"
        assert any("░" in row for row in rows)
        assert shown(screen, "accuracy") == ""
        await pilot.press("left", "left")
        values = curve(0, 19)["loss"]
        expected = f"train {values:.4f}, steps {0.6 * values:.4f} to {1.5 * values + 0.05:.4f}, val"
        assert expected in shown(screen, "loss")
        await pilot.press("v")
        table = shown(screen, "classes-text").split("\n")
        assert table[1].split() == [
            "first", "best", "18", "last", "epoch", "19", "0.40", "to", "1.00"
        ]  # fmt: skip
        assert [row.split()[:5] for row in table[2:4]] == [
            ["tulip", "1.000", "0.775", "0.750", "0.775"],
            ["dandelion", "0.675", "0.950", "0.950", "0.950"],
        ]
        (tulips,) = (row for row in table if row.startswith("tulip as"))
        assert tulips.split() == ["tulip", "as", "daisy", "0", "9", "9", "+9"]
        assert not screen.query_one("#lines").display
        await pilot.press("v")
        assert not screen.query_one("#side").display
        assert "░" not in shown(screen, "loss")
        assert shown(screen, "accuracy")


async def test_a_wide_terminal_has_the_classes_beside_the_curves(workspace: Workspace) -> None:
    flowers(workspace)
    async with watch(workspace, "flowers-1", WIDE) as (pilot, screen):
        await until(pilot, lambda: "tulip" in shown(screen, "classes-text"))
        loss, accuracy = screen.query_one("#loss"), screen.query_one("#accuracy")
        await until(pilot, lambda: loss.region.bottom <= accuracy.region.y)
        await until(pilot, lambda: "tulip 0.750" in shown(screen, "below-classes"))
        await pilot.resize_terminal(200, 50)
        await until(pilot, lambda: loss.region.right <= accuracy.region.x)
        await pilot.press("v", "v")
        await until(pilot, lambda: "tulip 0.750" in shown(screen, "by-class"))
        assert shown(screen, "below-classes") == ""
        assert screen.query_one("#by-class").size.height > 20


async def test_what_an_old_run_did_not_record_is_left_out(workspace: Workspace) -> None:
    finished(workspace)
    async with watch(workspace, "cats-dogs-11", WIDE) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        assert shown(screen, "classes-text") == ""
        loss, accuracy = screen.query_one("#loss"), screen.query_one("#accuracy")
        await until(pilot, lambda: loss.region.right <= accuracy.region.x)
        await pilot.press("v")
        title, *rows = shown(screen, "loss").split("\n")
        assert title == "loss  the spread of its steps was not recorded"
        assert not any("░" in row for row in rows)
        await pilot.press("v")
        expected = "How the classes fare was not recorded in this run."
        assert shown(screen, "classes-text") == expected
        assert not screen.query_one("#lines").display


async def test_a_part_of_the_epochs_is_drawn(workspace: Workspace, run: FakeRun) -> None:
    """Of 26 epochs in two stages, ten and sixteen."""

    def axis(screen: TrainScreen) -> list[str]:
        return shown(screen, "loss").split("\n")[-1].split()

    async with watch(workspace) as (pilot, screen):
        await until(pilot, lambda: "val 0." in shown(screen, "loss"))
        await pilot.press("plus")
        assert axis(screen) == ["epoch", "4", "best", "12", "16"]
        run.epochs(1, 17)
        await until(pilot, lambda: axis(screen)[-1] == "17", "the newest epochs")
        await pilot.press("left", "plus")  # around the newest one
        assert axis(screen)[:2] == ["epoch", "11"]
        await pilot.press(*["left"] * 8)
        assert axis(screen)[:2] == ["epoch", "9"]
        assert "s2 e9: " in shown(screen, "loss")
        await pilot.press("minus", "minus")
        assert axis(screen) == ["best", "12", "30"]
        await pilot.press("equals_sign", "0")
        assert axis(screen) == ["best", "12", "30"]

"""Home as text: exact cells and lines, of runs that are not on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_lines import event

from workbench.render.run_table import COLUMNS, OPTIONAL, USUAL, RunLook, column_widths, run_cells
from workbench.render.runs import describe_run, describe_runs, describe_tried
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.state import RunState
from workbench.runs.summary import make_summary
from workbench.runs.watch import RunView
from workbench.ui.train.text import describe_strategy

LOOK = RunLook()
EPOCH = event("epoch_finished", stage=0, epoch=1, val_accuracy=0.6111, best=True)
TEST = event("evaluated", split="test", accuracy=0.951)
CONVNET = {"model": {"strategy": "convnet"}, "data": {"source": "/photos/birds"}}


def view(
    word: str, *events: dict[str, Any], spec: dict[str, Any] = CONVNET, name: str = "birds-1"
) -> RunView:
    folder, history = RunFolder(Path(name)), fold(events)
    return RunView(
        folder, make_summary(folder, spec, history, RunState(word, False, "")), history, spec
    )


@pytest.mark.parametrize(
    ("events", "cell", "line"),
    [
        ((), "-", "birds, convnet"),
        ((EPOCH,), "0.611 v", "birds, convnet, validation (v) 0.6111"),
        ((EPOCH, TEST), "0.951", "birds, convnet, validation (v) 0.6111, test 0.9510"),
        ((TEST,), "0.951", "birds, convnet, test 0.9510"),
    ],
)
def test_an_accuracy_on_validation_images_is_marked(
    events: tuple[Event, ...], cell: str, line: str
) -> None:
    run = view("stopped", *events)
    assert run_cells(run, column_widths(80, [run]), LOOK)[3].plain == cell
    assert describe_run(run).plain == line


def test_while_it_trains_the_accuracy_is_that_of_the_best_epoch_so_far() -> None:
    later = event("epoch_finished", stage=0, epoch=2, val_accuracy=0.75, best=False)
    so_far = "birds, convnet, validation (v) 0.6111 at the best {} so far"
    assert describe_run(view("training", EPOCH, later)).plain == so_far.format("val_loss")
    spec = {**CONVNET, "training": {"monitor": "val_accuracy"}}
    run = describe_run(view("training", EPOCH, later, spec=spec)).plain
    assert run == so_far.format("val_accuracy")


@pytest.mark.parametrize("room", [80, 120])
@pytest.mark.parametrize("name", ["birds-1", "birds-" + "1" * 58])
@pytest.mark.parametrize("preset", ["dense", "feature-extraction-augmented"])
def test_all_columns_fill_the_terminal(room: int, name: str, preset: str) -> None:
    widths = column_widths(room, [view("stopped", spec={**CONVNET, "preset": preset}, name=name)])
    assert list(widths) == ["state", "run", "strategy", "acc", "curve", "when"]
    assert widths["acc"] == len("0.611 v")
    assert sum(widths.values()) + 2 * len(widths) == room - 2


@pytest.mark.parametrize(
    ("room", "curve"), [(80, []), (109, []), (110, ["curve"]), (200, ["curve"])]
)
@pytest.mark.parametrize("name", ["birds-1", "birds-" + "1" * 58])
@pytest.mark.parametrize("preset", ["dense", "feature-extraction-augmented"])
def test_a_column_of_machines_fits_and_takes_the_place_of_the_curve(
    room: int, curve: list[str], name: str, preset: str
) -> None:
    run = view("stopped", spec={**CONVNET, "preset": preset}, name=name)
    widths = column_widths(room, [run], several=True)
    assert list(widths) == ["state", "run", "strategy", "acc", "machine", *curve, "when"]
    assert sum(widths.values()) + 2 * len(widths) == room - 2
    assert widths["machine"] >= len("gpu-07 59 min")
    assert all(cells >= COLUMNS[name].least for name, cells in widths.items())
    cells = run_cells(run, widths, LOOK)
    assert [cell.plain for cell in cells][4] == "here"


def test_what_is_known_of_a_machine_shows_its_age_after_a_minute(frozen_clock: float) -> None:
    def cell(age: float, width: int = 13) -> str:
        run = replace(view("training"), host="gpu-07", seen=frozen_clock - age)
        widths = {**column_widths(80, [run], several=True), "machine": width}
        return run_cells(run, widths, LOOK)[4].plain

    assert cell(60) == "gpu-07"
    assert cell(61) == "gpu-07 1 min"
    assert cell(3600 * 47) == "gpu-07 1 d"
    assert cell(61, width=9) == "gpu 1 min"


def test_in_too_small_a_terminal_all_columns_keep_their_minimum_width() -> None:
    widths = column_widths(8, [view("stopped", name="birds-" + "1" * 58)])
    assert set(widths) == {"run", "acc", *USUAL}
    assert all(cells >= COLUMNS[name].least for name, cells in widths.items())


def test_a_narrow_table_leaves_out_columns_that_were_added_one_after_the_other() -> None:
    run = view("stopped")
    every = {"run", "acc", *OPTIONAL}
    left = [every - set(column_widths(room, [run], columns=OPTIONAL)) for room in (160, 140, 120)]
    assert left == [set(), {"base"}, {"base", "tags"}]
    assert every - set(column_widths(8, [run], columns=OPTIONAL)) == set(OPTIONAL) - set(USUAL)


@pytest.mark.parametrize(
    ("preset", "name", "strategy"),
    [
        ("convnet", 26, 8),  # of the 35 cells that both have
        ("convnet-augmented", 21, 14),
        ("feature-extraction-augmented", 21, 14),
    ],
)
def test_a_long_name_has_what_a_short_strategy_leaves(
    preset: str, name: int, strategy: int
) -> None:
    run = view("stopped", spec={**CONVNET, "preset": preset}, name="cats_dogs_flat-corrected-1")
    widths = column_widths(80, [run])
    assert (widths["run"], widths["strategy"]) == (name, strategy)


def test_a_long_strategy_has_what_a_short_name_leaves() -> None:
    run = view("stopped", spec={**CONVNET, "preset": "convnet-augmented"}, name="birds-1")
    widths = column_widths(80, [run])
    assert (widths["run"], widths["strategy"]) == (17, 17)


def test_a_run_goes_by_its_preset_where_it_has_one() -> None:
    augmented = view("stopped", spec={**CONVNET, "preset": "convnet-augmented"})
    assert describe_run(augmented).plain == "birds, convnet-augmented"
    assert describe_strategy(augmented) == "convnet-augmented"
    assert describe_strategy(view("stopped")) == "convnet"
    longest = {**CONVNET, "preset": "feature-extraction-augmented", "base": {"name": "vgg16"}}
    assert describe_strategy(view("stopped", spec=longest)) == "feature-extraction-augmented, vgg16"


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ((), "0 runs"),
        (("finished",), "1 run"),
        (("training", "finished"), "2 runs, 1 running"),
        (("waiting", "stopped"), "2 runs, 1 waiting"),
        (("starting", "waiting", "waiting"), "3 runs, 1 running, 2 waiting"),
        (("preparing", "evaluating", "failed"), "3 runs, 2 running"),
    ],
)
def test_running_and_waiting_runs_are_counted(states: tuple[str, ...], text: str) -> None:
    assert describe_runs(tuple(view(state) for state in states)) == text


def test_a_suggestion_names_the_newest_run_that_has_tried_it_on_the_same_images() -> None:
    about = view("finished", TEST)
    probe = {**CONVNET, "preset": "linear-probe"}
    elsewhere = {**probe, "data": {"source": "/photos/cats"}}
    runs = (
        view("training", EPOCH, spec=probe, name="birds-5"),
        view("finished", TEST, spec=elsewhere, name="cats-1"),
        view("finished", TEST, spec=probe, name="birds-3"),
        view("finished", TEST, spec=probe, name="birds-2"),
    )
    assert describe_tried("linear-probe", about.source, runs) == "birds-3 did that: 0.951."
    assert describe_tried("linear-probe", about.source, runs[:2]) == ""
    assert describe_tried("fine-tuning", about.source, runs) == ""
    assert describe_tried("", about.source, (about,)) == ""


@pytest.mark.parametrize(
    ("source", "same"),
    [("/photos/birds", True), ("/photos/cats/../birds/", True), ("/photos/cats", False)],
)
def test_the_same_images_are_known_however_their_path_was_typed(source: str, same: bool) -> None:
    other = view("finished", spec={**CONVNET, "data": {"source": source}})
    assert (view("finished").source == other.source) is same

"""The cache of ended runs: the same views as their files give, and no trace where it cannot be."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from event_lines import LogWriter
from fake_runs import CONVNET, FINE_TUNING, FakeRun, finished, training

from workbench.paths import Workspace
from workbench.render.curves import PlotStyle, plot_options
from workbench.runs import watch
from workbench.runs.annotations import add_note, write_tags
from workbench.runs.event_log import read_events
from workbench.runs.events import LayersChecked, StageStarted, newest_by_stage
from workbench.runs.folder import RunFolder
from workbench.runs.lock import this_host
from workbench.runs.watch import FIRST_RUNS, RunFeed, Runs, read_all

PLANNED = [
    {"name": "conv1", "kind": "Conv2D", "output_shape": [8, 8, 4], "parameters": 112},
    {"name": "pool", "kind": "MaxPooling2D", "output_shape": [4, 4, 4]},
]
CHECKED = [{"name": "conv1", "requested": "trains", "compiled": "trains", "moved": 0.25}]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "workbench"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of events that were folded, call by call."""
    found: list[int] = []
    fold = watch.fold

    def counting(events, history):  # type: ignore[no-untyped-def]
        found.append(len(events))
        return fold(events, history)

    monkeypatch.setattr(watch, "fold", counting)
    return found


def full_run(workspace: Workspace, name: str) -> FakeRun:
    """A run whose history has something of everything; it failed after a resume."""
    run = FakeRun(workspace, name, FINE_TUNING.format(head=2, epochs=4))
    run.emit("launched", argv=["workbench", "train"], **this_host())
    run.emit("worker_started", pid=1, **this_host())
    run.emit("gpu_chosen", asked="2", gpu={"index": 1, "uuid": "a"}, others=[{"index": 3}])
    run.emit("preparing", phase="scan", done=3, total=9)
    run.data()
    run.emit("notice", message="a folder was skipped")
    run.stage(0, "head", 2, kind="solve", layers=PLANNED, estimates=[1.5, None])
    run.emit("cross_validated", stage=0, solver="ridge", tried=[{"value": 1.0, "accuracy": 0.5}])
    run.epochs(0, 2)
    run.emit("layers", stage=0, epoch=2, layers=CHECKED)
    run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=2, kept_epoch=2)
    run.stage(1, "head and block5", 4, layers=PLANNED)
    run.epochs(
        1,
        2,
        step_losses={"low": 0.1, "median": 0.2, "high": 0.4},
        val_confusion={"counts": [[3, 1], [0, 4]], "recalls": [0.75, 1.0], "pairs": [[0, 1, 1]]},
    )
    run.emit("layers", stage=1, epoch=1, layers=[])
    run.emit("layers", stage=1, epoch=2, layers=CHECKED)
    run.checkpoint(1, 3)
    run.emit("evaluating", phase="evaluate")
    run.emit("evaluated", split="validation", accuracy=0.5, macro_f1={"value": 0.25})
    run.emit("batch_halved", from_size=32, to_size=16)
    run.emit("failed", kind="memory", message="no room", hint="less", stage=1, epoch=3, step=2)
    return run


def anew(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """The views as they are without any cache."""
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", "/dev/null")
        return read_all(workspace)


def test_ended_runs_are_as_if_they_were_read(
    workspace: Workspace, parsed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_run(workspace, "full")
    finished(workspace)
    FakeRun(workspace, "stopped", CONVNET.format(epochs=3)).emit("stopped", stage=0, epoch=1)
    expected = read_all(workspace)
    assert len(parsed) == 3
    assert read_all(workspace) == expected
    assert len(parsed) == 3  # no log was read again, not even for the layers that were compared
    assert anew(workspace, monkeypatch) == expected
    assert {view.summary.state.phase for view in expected} == {"failed", "finished", "stopped"}


def test_running_and_interrupted_runs_are_not_kept(
    workspace: Workspace, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with training(workspace) as run:
        read_all(workspace)
        assert not list(cache.glob("*"))  # nothing has ended
        ended = finished(workspace)
        read_all(workspace)
        assert kept(cache) == [ended.folder.name]
        run.epochs(1, 17)
        (view,) = (view for view in read_all(workspace) if view.running)
        assert view.history.epochs[-1].epoch == 17
    assert read_all(workspace) == anew(workspace, monkeypatch)
    assert kept(cache) == [ended.folder.name]


def kept(cache: Path) -> list[str]:
    """The names in the one file."""
    (path,) = cache.glob("*")
    return sorted(line.split(b'"')[1].decode() for line in path.read_bytes().split(b"\n")[1:])


def resumed(folder: RunFolder) -> None:
    log = LogWriter(folder.events_path)
    log.write("launched", resume=True)
    log.write("finished", seconds=3.0)


def replaced(folder: RunFolder) -> None:
    """Another log of the same size, as from a copy."""
    other = folder.events_path.read_bytes().replace(b'"val_accuracy": 0.', b'"val_accuracy": 1.')
    folder.events_path.unlink()
    folder.events_path.write_bytes(other)


CHANGES: dict[str, Callable[[RunFolder], object]] = {
    "log": resumed,
    "another log": replaced,
    "spec": lambda folder: folder.spec_path.write_text(CONVNET.format(epochs=99)),
    "tags": lambda folder: write_tags(folder, ["night"]),
    "note": lambda folder: add_note(folder, "a rose"),
    "checkpoint": lambda folder: folder.checkpoints.joinpath("last.npz").unlink(),
    "status": lambda folder: folder.status_path.write_text(
        '{"v": 2, "machine": {"event": "machine", "n": 99, "t": 1.0, "cpu": 50.0}}'
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_read(
    workspace: Workspace, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = full_run(workspace, "full").folder
    finished(workspace)
    before = read_all(workspace)
    CHANGES[change](folder)
    after = read_all(workspace)
    assert after != before
    assert after == anew(workspace, monkeypatch)
    assert read_all(workspace) == after


def test_a_kept_run_that_is_resumed_goes_on(workspace: Workspace, parsed: list[int]) -> None:
    folder = finished(workspace).folder
    read_all(workspace)
    feed = RunFeed(workspace)
    feed.poll()
    parsed.clear()
    resumed(folder)
    assert feed.poll()
    assert parsed == [2]  # what is new, though nothing before it was read by this feed
    assert feed.views() == read_all(workspace)


def test_deleted_runs_drop_out(workspace: Workspace, cache: Path) -> None:
    folders = [full_run(workspace, name).folder for name in ("a", "b", "c")]
    read_all(workspace)
    assert kept(cache) == ["a", "b", "c"]
    folders[1].path.rename(workspace.root / "away")
    read_all(workspace)
    assert kept(cache) == ["a", "c"]
    feed = RunFeed(workspace)
    feed.poll()
    folders[0].path.rename(workspace.root / "away too")  # while the app is open
    feed.poll()
    feed.keep_ended()
    assert kept(cache) == ["c"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:-9],
    "a digit": lambda content: content.replace(b"0.5", b"0.7", 1),
    "no text": lambda content: os.urandom(len(content)),
    "another version": lambda content: content.replace(b'"form"', b'"farm"', 1),
    "lines without content": lambda content: content.split(b"\n")[0] + b"\n" + b"00000000 \n" * 3,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_replaced(
    workspace: Workspace, cache: Path, damage: str, parsed: list[int]
) -> None:
    full_run(workspace, "full")
    expected = read_all(workspace)
    (path,) = cache.glob("*")
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    assert read_all(workspace) == expected
    assert len(parsed) == 2
    assert path.read_bytes() == whole


def test_without_a_cache_folder_every_run_is_read(
    workspace: Workspace, parsed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")  # cannot be written, also by root
    full_run(workspace, "full")
    assert read_all(workspace) == read_all(workspace)
    assert len(parsed) == 2


def test_layers_and_confusions_are_read_when_something_asks_for_them(workspace: Workspace) -> None:
    folder = full_run(workspace, "full").folder
    events = read_events(folder.events_path)
    started = newest_by_stage(events, StageStarted)[1]
    checked = newest_by_stage(events, LayersChecked)[1]
    assert "layers" not in vars(started)
    assert "layers" not in vars(checked)
    assert [layer.as_dict() for layer in checked.layers] == CHECKED
    assert [layer.name for layer in started.layers] == ["conv1", "pool"]
    assert started.layers[0].output_shape == (8, 8, 4)
    assert started.layers is started.layers  # once

    read_all(workspace)
    (view,) = read_all(workspace)  # from the cache
    history = view.history
    assert "layers" not in vars(history.stages[0].started)
    assert [row.started.layers for row in history.stages.values()] == [started.layers] * 2
    assert history.layers[1].layers == checked.layers
    plot_options(view, PlotStyle())  # a curve asks for none of them
    first, second = (epoch for epoch in history.epochs if epoch.stage == 1)
    assert "val_confusion" not in vars(second)
    assert second.val_confusion
    assert second.val_confusion.counts == ((3, 1), (0, 4))
    folder.events_path.unlink()
    assert first.val_confusion == second.val_confusion  # one reading for all epochs
    assert history.layers[0].layers == ()  # nobody had asked before


def test_confusions_of_a_log_that_is_gone_are_unknown(workspace: Workspace) -> None:
    folder = full_run(workspace, "full").folder
    read_all(workspace)
    (view,) = read_all(workspace)
    folder.events_path.unlink()
    assert [epoch.val_confusion for epoch in view.history.epochs] == [None] * 4


def test_layers_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text('{"event": "layers", "stage": 0, "epoch": 7, "layers": [{"name": x}]}\n')
    (event,) = read_events(log)
    assert isinstance(event, LayersChecked)
    assert (event.epoch, event.layers) == (7, ())


def test_the_newest_runs_are_reported_before_the_others_are_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FIRST_RUNS > 60  # rows of a large terminal
    monkeypatch.setattr(watch, "FIRST_RUNS", 2)
    for number in range(3):
        folder = finished(workspace, f"run-{number}").folder
        os.utime(folder.spec_path, (number, number))
    reported: list[tuple[list[str], bool]] = []
    feed = RunFeed(
        workspace,
        lambda runs: reported.append((sorted(view.name for view in runs), feed.complete)),
    )
    feed.poll()
    assert reported == [(["run-1", "run-2"], False)]
    assert (len(feed.views()), feed.complete) == (3, True)
    feed.poll()
    assert len(reported) == 1

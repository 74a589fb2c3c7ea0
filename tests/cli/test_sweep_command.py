"""`workbench sweep`: what it makes of its options, its table, and what it refuses."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from typist import Type

from workbench.analysis.trials import SeedResult, TrialRow
from workbench.experiment.toml import read_spec
from workbench.machine import preflight
from workbench.machine.gpus import GpuChoice
from workbench.paths import Workspace
from workbench.render.sweep import sweep_table
from workbench.runs import sweep_queue
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.sweep import find_sweep

SPEC = """
[data]
source = "photos"
image_size = [16, 16]
[model]
strategy = "convnet"
filters = [4]
"""
RATE = "training.learning_rate"
VARY = ("--vary", f"{RATE}=0.25,0.5", "--seeds", "2")


@pytest.fixture(autouse=True)
def spec(types: Type, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spec.toml with its images; no driver is queried."""
    (tmp_path / "spec.toml").write_text(SPEC)
    monkeypatch.setattr(preflight, "find_gpus", lambda *_: (GpuChoice(),))


@pytest.fixture
def finish(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs end at once, validated at 1 - rate + seed / 100; by name, how one ends instead."""
    ends: dict[str, Any] = {}

    def launch(folder: RunFolder, **_: Any) -> None:
        training = read_spec(folder.spec_path).training
        events = LogWriter(folder.events_path)
        events.write("stage_started", stage=0, epochs=2)
        value = 1 - training.learning_rate + training.seed / 100
        events.write("epoch_finished", stage=0, epoch=1, val_accuracy=value, best=True)
        if how := ends.pop(folder.name, None):
            events.write(how.pop("kind"), **how)
            return
        events.write("evaluated", split="test", accuracy=0.5, interval=[0.4, 0.6], images=9)
        events.write("finished", seconds=1.0)

    monkeypatch.setattr(sweep_queue, "launch", launch)
    return ends


def table(output: str) -> list[list[str]]:
    lines = output.splitlines()
    return [line.split() for line in lines[: lines.index("")]]


@pytest.mark.usefixtures("finish")
def test_every_combination_and_seed_is_a_run(types: Type, tmp_path: Path) -> None:
    result = types("sweep", "spec.toml", *VARY, "--vary", "model.dropout=0,0.5", "--name", "s")
    assert result.exit_code == 0, result.output
    assert "sweep s: 8 runs queued" in result.stderr
    runs = [read_spec(run.spec_path) for run in reversed(list_runs(Workspace(tmp_path)))]
    assert [(r.training.learning_rate, r.model.dropout, r.training.seed) for r in runs] == [
        (rate, dropout, seed) for rate in (0.25, 0.5) for dropout in (0.0, 0.5) for seed in (1, 2)
    ]
    assert all(run.data.source == str(tmp_path / "photos") for run in runs)


@pytest.mark.usefixtures("finish")
def test_the_table_compares_seed_by_seed(types: Type) -> None:
    types("sweep", "spec.toml", *VARY, "--name", "s")
    shown = types("sweep", "s").output
    # Means over seeds 1 and 2: 0.765 and 0.515; s = 0.00707, t(1) = 12.706: +-0.0635.
    assert table(shown)[1:] == [
        ["0.25", "0.7650", "0.701-0.829", "-", "-", "0.5000", "-", "2", "finished"],
        ["0.5", "0.5150", "0.451-0.579", "-0.2500", "-0.250..-0.250", "0.5000", "-", "2",
         "finished"],
    ]  # fmt: skip
    assert "Ranked by accuracy on validation images" in shown
    found = json.loads(types("sweep", "s", "--json").output)
    assert (found["name"], found["kind"], found["metric"]) == ("s", "sweep", "accuracy")
    best, second = found["trials"]
    assert (best["settings"], best["mean"]) == ({RATE: 0.25}, pytest.approx(0.765))
    assert [seed["run"] for seed in second["seeds"]] == ["s-3", "s-4"]


def test_runs_that_did_not_finish_are_shown_as_what_they_are(
    types: Type, finish: dict[str, Any]
) -> None:
    finish["s-2"] = {"kind": "stopped", "stage": 0, "epoch": 2, "pruned": "below the median"}
    finish["s-3"] = {"kind": "failed", "message": "no room\x1b[2J"}
    finish["s-4"] = {"kind": "stopped", "stage": 0, "epoch": 2}
    shown = types("sweep", "spec.toml", *VARY, "--name", "s", "--prune", "median").output
    rows = [row for row in table(shown) if row[0] in ("0.25", "0.5")]
    assert rows[0][-4:] == ["1", "finished,", "1", "pruned"]
    assert rows[1][-4:] == ["1", "failed,", "1", "stopped"]
    assert rows[1][1] == "-"
    words = " ".join(shown.split())
    assert "s-2: pruned: below the median" in words
    assert "s-3: failed: no room\\e[2J" in words
    assert (
        "2 runs not finished, and none is waiting or training: workbench sweep s --resume" in words
    )
    resumed = types("sweep", "s", "--resume").output
    assert "2 runs queued." in resumed  # not the pruned one
    assert "1 finished, 1 pruned" in resumed
    assert "Nothing is left to do." in types("sweep", "s", "--resume", "--detach").output


@pytest.mark.usefixtures("finish")
def test_seeds_and_trials_are_added_and_none_is_done_twice(types: Type, tmp_path: Path) -> None:
    types("sweep", "spec.toml", *VARY, "--name", "s", "--detach")
    added = types("sweep", "s", "--add", "--seeds", "3", "--detach")
    assert "2 runs added; 4 of those exist already." in added.stderr
    added = types("sweep", "s", "--add", "--vary", f"{RATE}=0.5,0.125", "--detach")
    assert "3 runs added; 3 of those exist already." in added.stderr
    rows = table(types("sweep", "s").output)[1:]
    assert [(row[0], row[-2]) for row in rows] == [("0.125", "3"), ("0.25", "3"), ("0.5", "3")]
    assert len(list_runs(Workspace(tmp_path))) == 9
    drawn = types("sweep", "s", "--add", "--vary", f"{RATE}=0.01..0.1", "--random", "2", "--detach")
    assert "6 runs added" in drawn.stderr
    (tmp_path / "spec.toml").write_text(SPEC + "dropout = 0.5\n")
    changed = types("sweep", "s", "--add", "--seeds", "4")
    assert changed.exit_code == 2
    assert "spec.toml has changed since s was started" in changed.stderr


def test_a_narrow_terminal_does_without_some_columns() -> None:
    settings = {RATE: 0.25, "model.dropout": 0.5}
    row = TrialRow(settings, (SeedResult(settings, 1, "s-1", "finished", value=0.5, images=100),))
    whole = sweep_table([row], "accuracy")
    width = max(map(len, whole.splitlines()))
    assert sweep_table([row], "accuracy", width) == whole
    narrow = sweep_table([row], "accuracy", width - 1).splitlines()
    assert "95 % of it" in whole
    assert "95 % of it" not in narrow[0]
    assert narrow[0].split()[-2:] == ["time", "state"]
    assert sweep_table([row], "accuracy", 1).splitlines()[0].split()[-3:] == ["to", "best", "state"]


@pytest.mark.usefixtures("finish")
def test_the_best_spec_can_be_trained(types: Type, tmp_path: Path) -> None:
    types("sweep", "spec.toml", *VARY, "--name", "s", "--detach")
    said = types("sweep", "s", "--best", "best.toml").output
    assert "Train it: workbench train" in said
    best = read_spec(tmp_path / "best.toml")
    assert (best.training.learning_rate, best.training.seed, best.name) == (0.25, 1, None)
    own = (tmp_path / "spec.toml").read_bytes()
    refused = types("sweep", "s", "--best", "spec.toml")
    assert (refused.exit_code, "spec.toml exists already" in refused.stderr) == (2, True)
    assert (tmp_path / "spec.toml").read_bytes() == own
    gone = types("sweep", "s", "--best", "gone/best.toml")
    assert gone.stderr == "error: gone/best.toml cannot be written: No such file or directory.\n"
    printed = tomllib.loads(types("sweep", "s", "--best", "-").output)
    assert printed["training"]["learning_rate"] == 0.25


@pytest.mark.usefixtures("finish")
def test_a_table_and_presets(types: Type, tmp_path: Path) -> None:
    (tmp_path / "trials.csv").write_text(f"{RATE},model.dropout\n0.5,\n0.25,0.1\n")
    result = types(
        "sweep", "--preset", "convnet", "--data", "photos", "--table", "trials.csv", "--detach"
    )
    assert "sweep photos-sweep-1: 2 runs queued" in result.stderr
    rows = table(result.output[result.output.index("learning_rate") :])
    assert [row[:2] for row in rows[1:]] == [["0.25", "0.1"], ["0.5", "-"]]
    assert find_sweep(Workspace(tmp_path), "photos-sweep-1").given["source"] == str(
        tmp_path / "photos"
    )


@pytest.mark.parametrize(
    ("words", "output"),
    [
        ((), "Name a sweep, or an experiment and what to --vary in it."),
        (("--preset", "dense", "--data", "photos"), "Nothing is varied in dense."),
        (("spec.toml", "--set", "a=1"), "Nothing is varied in spec.toml."),
        (("none",), "There is no sweep 'none' in"),
        (("spec.toml",), "Nothing is varied in spec.toml."),
        (("none", "--stop", "--resume"), "Give one of --add, --watch, --stop, --resume and --best"),
        (("none", "--stop", "--seeds", "2"), "belong to a new sweep or --add"),
        (("none", "--resume", "--prune", "median"), "--prune belongs to a new sweep"),
        (("none", "--resume", "--set", "a=1"), "A sweep keeps its own experiment"),
        (("--stop",), "Name a sweep, or"),
        (("gone.toml", "--vary", f"{RATE}=1"), "error: Cannot read the spec "),
        (("spec.toml", "--vary", f"{RATE}=1e-5..1e-2"), "from which values are drawn"),
        (("spec.toml", "--random", "3"), "--random draws from what --vary names"),
        (("spec.toml", "--vary", f"{RATE}=1", "--table", "t.csv"), "Give either --table, or"),
        (("spec.toml", "--vary", f"{RATE}=0.1,-1"), f"{RATE}=-1: "),
        (("spec.toml", "--vary", "training.rate=0.1"), "training.rate: unknown key"),
        (("spec.toml", "--vary", "a\x1b[2J=1,"), "expected KEY=VALUE"),
        (("spec.toml", "--vary", f"{RATE}=0.1", "--name", "a b"), "name: received 'a b'"),
        (("spec.toml", "--table", "gone.csv"), "gone.csv cannot be read"),
        (("spec.toml", "--seeds", "0"), "0 is not in the range"),
    ],
)  # fmt: skip
def test_errors_are_for_people(
    types: Type, tmp_path: Path, words: tuple[str, ...], output: str
) -> None:
    result = types("sweep", *words)
    assert result.exit_code == 2
    assert output in " ".join(result.stderr.split())
    assert "\x1b" not in result.stderr
    assert not (tmp_path / "saved_models").exists()

"""Runs with a deadline and real workers."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from measured import store_speed
from person import REPOSITORY, Person

from workbench.experiment.throughput import ThroughputModel
from workbench.paths import Workspace
from workbench.runs.event_log import read_events
from workbench.runs.events import RunFailed
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import follow, launch
from workbench.runs.summary import summarize

pytestmark = pytest.mark.worker

SPEC = """
[data]
source = "{photos}"
image_size = [16, 16]

[model]
strategy = "dense"
dense_units = [8]

[training]
epochs = 40
batch_size = 42
schedule = "cosine"
gpu = "none"
"""
# A step takes a quarter of an hour, it says; an epoch here is one step.
SLOW = ThroughputModel(
    forward_flops=1e12, training_flops=1e12, forward_bytes=1e12, training_bytes=1e12,
    forward_step=0.0, training_step=0.0, training_fused=900.0, update=0.0,
)  # fmt: skip
HOUR = 3600
OVER = re.compile(r"The deadline of this run, \d{4}-.* \d\d:\d\d, is over\.")


@pytest.fixture
def slow_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store a benchmark of a slow CPU, for the workers as well."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store_speed("CPU", SLOW)


def new_run(person: Person, *lines: str) -> RunFolder:
    text = SPEC.format(photos=person.workspace / "photos") + "\n".join(lines)
    return create_run(Workspace(person.workspace), text, name="night", stem="night")


def training(run: RunFolder) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(run.spec_path.read_text())["training"]
    return table


def last_event(run: RunFolder, **options: Any) -> Any:
    """Run a worker to its end; return its last event."""
    launch(run, **options)
    return [*follow(run)][-1]


@pytest.mark.usefixtures("slow_machine")
def test_epochs_are_fitted_and_written_before_the_first_step(person: Person) -> None:
    run = new_run(person, 'time_budget = "2h"')
    assert last_event(run).event == "finished"
    # 2 h / (1.25 x 15 min) are 6.4 epochs, with some minutes for what comes before and after.
    assert training(run)["epochs"] == 6
    events = person.events("night")
    started = next(e for e in events if e["event"] == "worker_started")["t"]
    assert 0 <= training(run)["deadline"] - started - 2 * HOUR < HOUR
    assert training(run)["time_budget"] == "2h"
    assert len(person.epochs("night")) == 6
    rates = [epoch["learning_rate"] for epoch in person.epochs("night")]
    assert rates[3] == pytest.approx(rates[0] / 2)  # half way along six epochs, not along forty
    kinds = [event["event"] for event in events]
    notice = next(i for i, e in enumerate(events) if "40 -> 6 epochs" in e.get("message", ""))
    assert notice < kinds.index("stage_started")
    assert "Fitted to the deadline, " in events[notice]["message"]
    assert summarize(run).state.detail == ""


@pytest.mark.usefixtures("slow_machine")
def test_without_time_for_one_epoch_it_says_so(person: Person) -> None:
    begun = ("train", "--preset", "dense", "--data", "photos", "--set", "training.gpu=none")
    printed = person.types(*begun, "--set", "training.time_budget=10m", "--name", "night", expect=2)
    assert "there is too little time: " in printed
    assert "Give more time with --by, or train less" in printed
    assert "stage_started" not in [event["event"] for event in person.events("night")]
    spec = (person.workspace / "saved_models" / "night" / "spec.toml").read_text()
    assert "deadline" not in spec  # a resume starts the budget again


def test_a_worker_whose_deadline_is_over_reads_no_image(person: Person) -> None:
    run = new_run(person, "deadline = 5")
    failed = last_event(run)
    assert isinstance(failed, RunFailed)
    assert OVER.fullmatch(failed.message)
    assert "data_ready" not in [event["event"] for event in person.events("night")]
    again = person.types("resume", "night", expect=2)
    assert OVER.search(again)
    assert "--by 07:00, or none with --by never." in again
    new = ("train", "--preset", "dense", "--data", "photos", "--set", "training.deadline=5")
    assert OVER.search(person.types(*new, expect=2))
    assert [event["event"] for event in person.events("night")][-1] == "failed"
    person.types("resume", "night", "--by", "never", "--set", "training.epochs=1")
    assert "deadline" not in training(run)
    assert summarize(run).state.phase == "finished"


def test_time_runs_short(person: Person) -> None:
    """Two epochs are done when the clock jumps."""
    run = new_run(person, 'time_budget = "9d"')
    paths = os.pathsep.join([str(Path(__file__).parent), str(REPOSITORY)])
    environment = {"PYTHONPATH": paths, "LATE_AFTER": "2"}
    assert last_event(run, module="late_worker", environment=environment).event == "finished"
    ended = next(e for e in person.events("night") if e["event"] == "stage_finished")
    assert (ended["reason"], ended["kept_epoch"]) == ("out of time", ended["best_epoch"])
    assert len(person.epochs("night")) == 2
    assert training(run)["epochs"] == 40
    summary = summarize(run)
    assert (summary.state.phase, summary.state.detail) == (
        "finished", "out of time after epoch 2 of 40",
    )  # fmt: skip
    assert summary.test_accuracy is not None
    assert "night: out of time after epoch 2 of 40" in person.types("runs")
    person.types("report", "night", "--out", "night.html")
    page = (person.workspace / "night.html").read_text()
    assert "finished (out of time after epoch 2 of 40)" in page
    assert "40 at most, rmsprop 0.001, out of time, kept the weights of epoch" in page
    kept = [event for event in read_events(run.events_path) if event.event == "checkpoint_saved"]
    assert kept[-1].position is not None
    assert kept[-1].position.epoch == 3  # the next one, should it continue

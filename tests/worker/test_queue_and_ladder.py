"""Queued runs with real workers: a ladder from its start to its table."""

import json
from pathlib import Path

import pytest
from person import Person

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow

pytestmark = pytest.mark.worker

SHORT = ("--set", "training.epochs=2", "--set", "training.early_stopping=0")
ENDLESS = ("--set", "training.epochs=100000", "--set", "training.early_stopping=0")


def wait_for(person: Person, run: str, kind: str) -> None:
    folder = RunFolder(person.workspace / "saved_models" / run)
    assert any(event.event == kind for event in follow(folder))


def test_ladder_trains_one_strategy_after_the_other(person: Person) -> None:
    printed = person.types("ladder", "--data", "photos", "--presets", "dense,convnet", *SHORT)
    assert "ladder photos-ladder-1: 2 runs queued" in printed
    assert "run    photos-convnet-1 (2 of 2)" in printed
    assert "queue  wait for photos-dense-1" in printed
    dense, convnet = person.events("photos-dense-1"), person.events("photos-convnet-1")
    data_ready = next(e["t"] for e in convnet if e["event"] == "data_ready")
    assert dense[-1]["event"] == convnet[-1]["event"] == "finished"
    assert dense[-1]["t"] <= data_ready

    table = person.types("ladder", "photos-ladder-1")
    assert table in printed
    output = json.loads(person.types("ladder", "photos-ladder-1", "--json"))
    assert [(r["run"], r["state"], r["book"]) for r in output["rungs"]] == [
        ("photos-dense-1", "finished", None),
        ("photos-convnet-1", "finished", 0.724),
    ]
    # Without the time that it waited for its turn.
    assert 0 < output["rungs"][1]["seconds"] < convnet[-1]["t"] - convnet[0]["t"]
    assert {run["name"] for run in json.loads(person.types("runs", "--json"))} == {
        "photos-dense-1", "photos-convnet-1",
    }  # fmt: skip

    compared = json.loads(person.types("compare", "photos-dense-1", "photos-convnet-1", "--json"))
    assert (compared["same_test_images"], compared["shared_test_images"]) == (True, 8)
    values = {row["key"]: row["values"] for row in compared["spec"]}
    assert values["model.strategy"] == ["dense", "convnet"]
    assert "training.epochs" not in values
    assert [stage["epochs"] for stage in compared["stages"]] == [2, 2]
    text = person.types("compare", "photos-dense-1", "photos-convnet-1")
    assert "All were measured on the same 8 test images." in text
    assert "Nothing is left to do." in person.types("ladder", "photos-ladder-1", "--resume")


def test_ladder_is_stopped_and_resumed(person: Person) -> None:
    person.types(
        "ladder", "pets", "--data", "photos", "--presets", "dense,convnet", "--detach", *ENDLESS
    )
    first, second = "photos-dense-1", "photos-convnet-1"
    wait_for(person, first, "epoch_finished")
    wait_for(person, second, "preparing")
    states = {r["run"]: r["state"] for r in json.loads(person.types("ladder", "pets", "--json"))[
        "rungs"]}  # fmt: skip
    assert states == {first: "training", second: "waiting"}
    behind = ("train", "--preset", "dense", "--data", "photos", "--queue", "--detach")
    third = person.types(*behind, *SHORT)
    assert "photos-1 is queued." in third

    printed = person.types("ladder", "pets", "--stop")
    assert "2 runs stopped; everything is saved. Resume: workbench ladder pets --resume" in printed
    assert person.events(second)[-1]["event"] == "stopped"
    assert "stage_started" not in [event["event"] for event in person.events(second)]
    wait_for(person, "photos-1", "finished")  # which was behind both

    assert "2 runs queued." in person.types("ladder", "pets", "--resume", "--detach")
    done = len(person.epochs(first))
    wait_for(person, first, "resumed")
    assert "None of its runs" not in person.types("ladder", "pets", "--stop")
    assert len(person.epochs(first)) >= done
    assert Path(person.workspace / "saved_models" / "pets.ladder.json").exists()

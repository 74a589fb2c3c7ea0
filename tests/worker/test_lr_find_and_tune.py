"""Range test and random search by real workers; they create no run."""

import json
import shlex
from typing import Any

import pytest
from person import Person

pytestmark = pytest.mark.worker

HEAD = (
    "--preset", "feature-extraction", "--data", "photos",
    "--base", "mobilenetv2-0.35", "--weights", "random",
    "--set", "data.image_size=[32, 32]", "--set", "training.epochs=2",
    "--set", "training.head_start=random",
)  # fmt: skip
CACHED = "runs once for"


def printed_json(output: str) -> dict[str, Any]:
    """Read the JSON at the beginning; notes on stderr come after."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(output)[0]
    return found


def test_lr_find_creates_no_run(person: Person) -> None:
    convnet = ("--preset", "convnet", "--data", "photos", "--set", "data.image_size=[16, 16]")
    found = printed_json(person.types("lr-find", *convnet, "--steps", "60", "--json"))
    assert found["sureness"] == "plain"  # light and dark are easy to classify
    assert found["rates"][0] == 1e-6
    assert found["low"] <= found["rate"] <= found["high"]
    assert found["set"] == f"training.learning_rate={found['rate']:g}"
    assert len(found["losses"]) == len(found["smoothed"]) == len(found["rates"])
    assert not (person.workspace / "saved_models").exists()


def test_tune_shares_features_and_starts_with_the_spec(person: Person) -> None:
    output = person.types("tune", *HEAD, "--trials", "2", "--json")
    assert output.count(CACHED) == 1
    found = printed_json(output)
    assert found["images"] == 10
    assert sorted(trial["number"] for trial in found["trials"]) == [1, 2]
    kept = [path.name for path in (person.workspace / "saved_models").iterdir()]
    assert [name for name in kept if not name.startswith(".")] == ["photos-tune-1.tune.json"]

    trained = person.types("train", *HEAD, "--name", "same")
    assert CACHED not in trained
    own = next(trial for trial in found["trials"] if trial["number"] == 1)
    best = next(e for e in person.epochs("same") if e["epoch"] == own["epoch"])
    assert best["val_accuracy"] == own["accuracy"]
    assert best["val_loss"] == pytest.approx(own["loss"], rel=1e-4)

    command = shlex.split(found["command"])
    assert command[:4] == ["workbench", "train", "--preset", "feature-extraction"]
    winner = found["trials"][0]["candidate"]
    assert f"model.dense_units={winner['dense_units']}" in command

"""Export a run: its model, a script that trains the same, a page, its scalars."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from person import Person
from schema_checker import check

from workbench.app.run_files import find_model
from workbench.app.schema import json_schema
from workbench.paths import Workspace

pytestmark = pytest.mark.worker

TRAIN = (
    "train", "--preset", "convnet", "--data", "photos", "--name", "home",
    "--set", "model.filters=[8]", "--set", "model.dense_units=[16]", "--set", "training.epochs=14",
    "--set", "training.batch_size=4", "--set", "training.early_stopping=0",
)  # fmt: skip


def run_script(script: Path, images: Path) -> str:
    """Run the script without the workbench; return its output."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(script), str(images)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def loss_printed(output: str) -> float:
    """Return the loss of the test images, which a script prints last: test loss 0.1, accuracy 1."""
    test, loss, value, accuracy, _ = output.splitlines()[-1].split()
    assert (test, loss, accuracy) == ("test", "loss", "accuracy")
    return float(value.rstrip(","))


def test_run_is_exported(person: Person) -> None:
    """A score is monitored and mirror images are averaged: by run, exported model and script."""
    person.types(
        *TRAIN, "--set", "training.monitor=val_macro_f1", "--set", "evaluation.mirror=true"
    )
    results = json.loads((person.workspace / "saved_models/home/results.json").read_text())
    assert results["mirrored"] is True
    assert results["macro_f1"]["value"] == results["accuracy"] == 1.0
    assert {"balanced_accuracy", "auc"} < results.keys()
    assert "top5_accuracy" not in results
    epochs = person.epochs("home")
    assert all(epoch["val_macro_f1"] is not None for epoch in epochs)
    (measured,) = [one for one in person.events("home") if one["event"] == "evaluated"]
    assert (measured["mirrored"], measured["macro_f1"]["value"]) == (True, 1.0)
    assert "macro F1 1.0000" in person.types("evaluate", "home")

    printed = person.types("export", "home", "--json")
    exported = json.loads(printed[printed.index("{") :])
    assert exported["mirrored"] is True
    (keras,) = exported["formats"]
    assert keras["difference"] <= 1e-4
    assert (keras["format"], keras["images"], keras["images_of_the_run"]) == ("keras", 8, True)
    folder = person.workspace / "home-keras"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "labels.txt", "model.keras", "preprocessing.json",
    ]  # fmt: skip
    assert (folder / "labels.txt").read_text() == "dark\nlight\n"
    card = (folder / "README.md").read_text()
    assert "Accuracy 1.0000 on 8 test images" in card
    assert "averages the probabilities of each image and its mirror image" in card
    assert "is there already" in person.types("export", "home", expect=2)
    assert sorted(path.name for path in person.workspace.iterdir()) == [
        "data", "home-keras", "photos", "saved_models",
    ]  # fmt: skip
    image = str(next((person.workspace / "photos").rglob("*.png")))

    def predicted(*words: str) -> list[float]:
        printed = person.types("predict", image, "--json", *words)
        found, _ = json.JSONDecoder().raw_decode(printed[printed.index("{") :])
        values: list[float] = found["predictions"][0]["probabilities"]
        return values

    inside = predicted("--model", "home-keras")
    workspace = Workspace(person.workspace)
    assert find_model(workspace, str(folder)) == find_model(workspace, str(folder / "model.keras"))
    assert inside == pytest.approx(predicted("--model", "home"), abs=1e-6)
    assert inside != predicted("--model", "home", "--no-mirror")

    person.types("export", "home", "--script")
    output = run_script(person.workspace / "train_home.py", person.workspace / "photos")
    # Other order and dropout, but dark and light are classified without errors, too.
    assert loss_printed(output) == pytest.approx(results["loss"], abs=0.2)
    assert output.splitlines()[-1].endswith(" accuracy 1.0000")
    assert output.count("val_macro_f1: ") == output.count("Epoch ") == len(epochs)
    assert (person.workspace / "train_home.keras").exists()

    check(results, json_schema("results"))

    person.types("report", "home")
    assert "1.0000" in (person.workspace / "home.html").read_text()
    person.types("mirror", "home", "--to", "tensorboard", "--at", "logs")
    assert sorted(path.name for path in (person.workspace / "logs/home").iterdir()) == [
        "train", "validation",
    ]  # fmt: skip
    assert "at a time" in person.types("export", "home", "--script", "--format", "onnx", expect=2)
    assert "only have an effect" in person.types("export", "home", "--script", "--mirror", expect=2)


def test_fine_tuning_script_solves_the_head_then_trains_the_blocks(person: Person) -> None:
    """The base has random weights of the run's seed, so both begin with the same ones."""
    person.types(
        "train", "--preset", "fine-tuning", "--data", "photos", "--name", "tuned",
        "--weights", "random", "--base", "mobilenetv2-0.35",
        "--set", "data.image_size=[32, 32]", "--set", "training.epochs=2",
    )  # fmt: skip
    stages = [
        event["name"] for event in person.events("tuned") if event["event"] == "stage_started"
    ]
    person.types("export", "tuned", "--script")
    output = run_script(person.workspace / "train_tuned.py", person.workspace / "photos")
    assert len(stages) == 2
    assert [line for line in output.splitlines() if line.startswith("Epoch ")] == [
        "Epoch 1/2", "Epoch 2/2",
    ]  # fmt: skip
    assert output.count("regularization ") == 1
    results = json.loads((person.workspace / "saved_models/tuned/results.json").read_text())
    assert loss_printed(output) == pytest.approx(results["loss"], abs=0.2)

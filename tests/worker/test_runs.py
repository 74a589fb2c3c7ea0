"""Runs with real workers, driven by the command line."""

import json
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from person import Person
from PIL import Image

from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow

pytestmark = pytest.mark.worker

PRESET = ("train", "--preset", "convnet", "--data", "photos")
# Long enough to be stopped long before its end.
ENDLESS = (
    *PRESET,
    "--set", "training.epochs=100000",
    "--set", "training.early_stopping=0",
    "--name", "endless",
)  # fmt: skip


def folder_of(person: Person, run: str) -> RunFolder:
    return RunFolder(person.workspace / "saved_models" / run)


def wait_for(person: Person, run: str, kind: str, count: int = 1) -> None:
    """Follow the run until an event has occurred `count` times."""
    seen = 0
    for event in follow(folder_of(person, run)):
        seen += event.event == kind
        if seen == count:
            return
    raise AssertionError(f"the run ended without {count} x {kind}")


def worker_pid(person: Person, run: str) -> int:
    return json.loads(folder_of(person, run).worker_path.read_text())["pid"]


def test_from_a_folder_of_images_to_predictions(person: Person) -> None:
    photos = sorted((person.workspace / "photos").rglob("*.png"))
    before = [(path.stat().st_mtime_ns, path.read_bytes()) for path in photos]
    printed = person.types(
        *PRESET,
        "--set",
        "training.epochs=8",
        "--set",
        "training.batch_size=4",
        "--set",
        "evaluation.shift=2",
    )
    assert "data   photos: 42 train, 10 validation, 8 test images, 2 labels" in printed
    assert "test accuracy 1.0000 (" in printed
    assert "accuracy with images shifted by 2 pixels 1.0000" in printed
    folder = folder_of(person, "photos-1")
    results = json.loads(folder.results_path.read_text())
    assert results["confusion"] == [[4, 0], [0, 4]]
    assert len(folder.predictions_path.read_text().splitlines()) == 9
    assert before == [(path.stat().st_mtime_ns, path.read_bytes()) for path in photos]

    (summary,) = json.loads(person.types("runs", "--json"))
    assert (summary["name"], summary["state"], summary["test_accuracy"]) == (
        "photos-1", "finished", 1.0,
    )  # fmt: skip
    assert "is not running here: it is finished" in person.types("stop", "photos-1", expect=2)
    assert "is finished" in person.types("resume", "photos-1", expect=2)

    assert json.loads(person.types("evaluate", "photos-1", "--json")) == results
    figures = json.loads(person.types("evaluate", "photos-1", "--json", "--again"))
    assert figures["loss"] == pytest.approx(results["loss"], rel=1e-5)
    assert figures["confusion"] == results["confusion"]

    odd = person.workspace / "odd"
    odd.mkdir()
    # Larger, grey and in another format: the model's contract converts it.
    Image.fromarray(np.full((90, 50), 210, np.uint8)).save(odd / "bright.jpg")
    (odd / "broken.png").write_bytes(b"no image")
    for name in ("notes.txt", "IMG_1", "IMG_2", "a.jxl"):
        (odd / name).write_text("not read")
    output = person.types("predict", "odd", "--json", expect=1)
    assert "broken.png: " in output
    assert "not read: 2 files without an extension, 1 .jxl file, 1 .txt file (" in output
    output = json.loads(output[output.index("{") : output.rindex("}") + 1])
    bright, broken = output["predictions"]
    assert output["labels"] == ["dark", "light"]
    assert [Path(path).name for path in output["not_read"]["paths"]] == [
        "IMG_1", "IMG_2", "a.jxl", "notes.txt",
    ]  # fmt: skip
    # A newer run without a model does not use the older one's.
    (person.workspace / "saved_models" / "newer").mkdir()
    spec = folder.spec_path.read_text()
    (person.workspace / "saved_models" / "newer" / "spec.toml").write_text(spec)
    assert "newer has no model yet" in person.types("evaluate", "latest", expect=2)
    assert (bright["label"], broken["label"]) == ("light", None)
    assert sum(bright["probabilities"]) == pytest.approx(1)
    gone = person.types("predict", "photos/dark", "gone", "--csv", "--model", "photos-1", expect=1)
    rows = gone.splitlines()
    assert rows[0] == "path,label,probability,dark,light,problem"
    assert all(row.split(",")[1] == "dark" for row in rows[1:31])
    assert rows[31].split(",")[1] == ""

    (odd / "broken.png").unlink()
    printed = person.types(
        "predict", "odd", "photos/light", "--sort-into", "sorted", "--model", "photos-1", expect=1
    )
    assert "not read: 2 files" in printed
    (row,) = [line for line in printed.splitlines() if "bright.jpg" in line]
    assert "light" in row
    assert "31 links in " in printed
    links = sorted((person.workspace / "sorted" / "light").iterdir())
    assert [link.resolve() for link in links[:2]] == [
        (person.workspace / path).resolve()
        for path in ("odd/bright.jpg", "photos/light/light-0.png")
    ]
    assert "sorted is not empty" in person.types(
        "predict", "photos", "--sort-into", "sorted", "--model", "photos-1", expect=2
    )

    folder.results_path.unlink()
    assert "test accuracy 1.0000" in person.types("attach", "photos-1")
    content = bytearray(folder.model_path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    folder.model_path.write_bytes(content)
    damaged = person.types("predict", "photos", "--model", "photos-1", expect=2)
    assert "is damaged" in damaged


def test_run_outlives_the_terminal_and_stops_on_request(person: Person) -> None:
    """The whole session of the shell gets SIGHUP, as when an SSH connection breaks."""
    shell = subprocess.Popen(
        person.command(*ENDLESS),
        cwd=person.workspace,
        env=person.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert shell.stdout is not None
    for line in shell.stdout:
        if b"/100000 " in line:
            break
    os.killpg(shell.pid, signal.SIGHUP)
    assert shell.wait() == -signal.SIGHUP
    shell.stdout.close()
    done = len(person.epochs("endless"))
    wait_for(person, "endless", "epoch_finished", done + 3)
    assert "training" in person.types("runs")
    assert "is being trained" in person.types("resume", "endless", expect=2)

    assert "endless is stopped. Resume: workbench resume endless" in person.types("stop", "endless")
    assert "stopped" in person.types("runs")
    output = person.types("attach", "endless")
    epochs = [line for line in output.splitlines() if "/100000 " in line]
    assert len(epochs) == len(person.epochs("endless")) > done
    assert "stopped; everything is saved. Resume:" in output


def test_killed_run_resumes_exactly(person: Person) -> None:
    finite = ("--set", "training.epochs=150", "--set", "training.early_stopping=0",
              "--set", "training.deterministic=true")  # fmt: skip
    person.types(*PRESET, *finite, "--name", "whole")
    person.types(*PRESET, *finite, "--name", "parts", "--detach")
    wait_for(person, "parts", "checkpoint_saved", 2)
    os.kill(worker_pid(person, "parts"), signal.SIGKILL)
    assert [event.event for event in follow(folder_of(person, "parts"))][-1] == "interrupted"
    assert len(person.epochs("parts")) < 150
    assert "interrupted" in person.types("runs")
    person.types("resume", "parts")
    kept = {epoch["epoch"]: epoch for epoch in person.epochs("parts")}
    assert list(kept.values()) == person.epochs("whole")
    whole, parts = (
        np.load(folder_of(person, run).checkpoints / "last.npz") for run in ("whole", "parts")
    )
    assert sorted(whole.files) == sorted(parts.files)
    for key in whole.files:
        assert np.array_equal(whole[key], parts[key]), key


def test_leak_is_reported_with_the_metrics(person: Person) -> None:
    for label in ("dark", "light"):
        for part in ("train", "validation", "test"):
            folder = person.workspace / "split" / part / label
            folder.mkdir(parents=True)
            for number in range(4):
                name = f"{label}-{number + (8 if part == 'validation' else 0)}.png"
                (folder / name).write_bytes(
                    (person.workspace / "photos" / label / name).read_bytes()
                )
    printed = person.types(*PRESET[:-1], "split", "--set", "training.epochs=1")
    assert "8 of 8 test images are training images too" in printed
    assert "Note: 8 of these images are training images too" in printed


def test_data_errors_are_reported_by_the_run(person: Person) -> None:
    printed = person.types(
        *PRESET, "--set", "data.split.train=100", "--set", "data.split.validation=10",
        "--set", "data.split.test=10", expect=2,
    )  # fmt: skip
    assert "error: photos-1 failed." in printed
    assert "100" in printed
    assert person.events("photos-1")[-1]["event"] == "failed"
    assert Path(person.workspace / "photos" / "dark" / "dark-0.png").exists()

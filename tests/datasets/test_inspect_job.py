"""A scan in a separate process, and its events."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from image_files import class_folders

from workbench.datasets.inspect_job import (
    MODULE,
    SAMPLES,
    Inspection,
    facts_from_dict,
    facts_to_dict,
)
from workbench.experiment.presets import BOOK_FACTS


def run_job(source: str | bytes | Path, workspace: Path) -> list[dict]:
    command = [sys.executable, "-m", MODULE, source, str(workspace), str(workspace / "samples")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.decode("ascii").splitlines()]


def test_it_prints_its_pid_its_progress_and_the_result(tmp_path):
    source = class_folders(tmp_path / "pets", cats=8, dogs=3)
    events = run_job(source, tmp_path)
    assert events[0]["event"] == "started"
    assert events[0]["pid"] > 0
    assert {"event": "progress", "phase": "scan", "done": 11, "total": 11} in events
    found = Inspection.from_event(events[-1])
    assert found is not None
    assert found.folder == tmp_path / "data" / "pets"
    assert (found.folder / "audit.json").exists()
    assert (found.facts.images, found.facts.classes, found.facts.smallest_class) == (11, 2, 3)
    assert len(found.samples["cats"]) == SAMPLES
    assert all(path.is_file() for some in found.samples.values() for path in some)


def test_an_image_that_cannot_be_used_is_no_sample(tmp_path):
    source = class_folders(tmp_path / "pets", cats=2, dogs=2)
    (source / "cats" / "0.png").write_bytes(b"no picture")
    found = Inspection.from_event(run_job(source, tmp_path)[-1])
    assert found is not None
    assert [path.name for path in found.samples["cats"]] == ["1.png"]
    assert found.facts.class_images == (1, 2)  # nor is it shared out
    assert found.facts.smallest_class == 1  # nor counted in the rarest class


def test_samples_of_an_npz_file_are_written_as_files(tmp_path):
    pixels = np.arange(6 * 28 * 28, dtype=np.uint8).reshape(6, 28, 28)
    labels = np.array([0, 1, 0, 1, 0, 1])
    np.savez(tmp_path / "d.npz", x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    found = Inspection.from_event(run_job(tmp_path / "d.npz", tmp_path)[-1])
    assert found is not None
    assert all(path.parent == tmp_path / "samples" for path in found.samples["0"])
    assert all(path.is_file() for path in found.samples["1"])


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    last = run_job(tmp_path / "empty", tmp_path)[-1]
    assert last["event"] == "failed"
    assert "is empty" in last["message"]
    assert "class folders" in last["hint"]


def test_hostile_names_arrive_as_they_are(tmp_path):
    root = tmp_path / "[/oops]\x1b[31m"
    class_folders(root, cats=2)
    class_folders(root / "x", dogs=2)
    (root / "x" / "dogs").rename(root / os.fsdecode(b"d\xff\ngs"))
    (root / "x").rmdir()
    found = Inspection.from_event(run_job(root, tmp_path)[-1])
    assert found is not None
    assert set(found.samples) == {"cats", "d\udcff\ngs"}
    assert all(path.is_file() for some in found.samples.values() for path in some)


def test_an_event_of_another_make_is_no_inspection():
    assert Inspection.from_event({"event": "result"}) is None
    assert Inspection.from_event({"folder": "x", "kind": "y", "facts": 3, "samples": []}) is None


def test_facts_survive_json():
    facts = replace(BOOK_FACTS, class_images=(12_500, 12_500))
    again = facts_from_dict(json.loads(json.dumps(facts_to_dict(facts))))
    assert again == facts

"""`workbench analyze`, `relabel`, `train --corrected`: input and output."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from image_files import class_folders
from PIL import Image
from typist import Type

from workbench.datasets.label_fixes import read_label_fixes
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.experiment.toml import dump_spec, parse_spec, read_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run

HOSTILE = "odd\x1b[31m.png"


def results(images: int, **changes: Any) -> dict[str, Any]:
    output = {
        "split": "test", "images": images, "accuracy": 0.5, "interval": [0.1, 0.9], "loss": 0.7,
        "labels": ["cat", "dog"], "confusion": [[1, 1], [1, 1]], "classes": [], "worst": [],
    }  # fmt: skip
    return {**output, **changes}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A finished run, pets-1, on six cats and six dogs, four of which it was tested on."""
    for number, name in enumerate(("0.png", "1.png", "2.png", "3.png", "4.png", HOSTILE)):
        for at, label in enumerate(("cat", "dog")):
            path = tmp_path / "pets" / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (20 * number, 100 * at, 7)).save(path)
    tree = {
        "data": {"source": str(tmp_path / "pets"), "image_size": [8, 8]},
        "model": {"strategy": "dense", "dense_units": [4]},
    }
    spec = parse_spec(tree, "test")
    folder = create_run(Workspace(tmp_path), dump_spec(spec), "pets-1", "")
    write_manifest(folder.manifest_path, prepare(spec.data, Workspace(tmp_path)).rows)
    folder.results_path.write_text(json.dumps(results(4)))
    folder.predictions_path.write_text(
        "path,label,predicted,cat,dog\n"
        "cat/0.png,cat,cat,0.600000,0.400000\n"
        f"cat/{HOSTILE},cat,dog,0.000000,1.000000\n"
        "dog/1.png,dog,cat,0.800000,0.200000\n"
        "dog/2.png,dog,dog,0.100000,0.900000\n"
    )
    return folder


@pytest.mark.usefixtures("run")
def test_errors_are_described(types: Type) -> None:
    result = types("analyze", "pets-1")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    lines = result.output.splitlines()
    assert lines[0] == "pets-1: 4 test images, accuracy 0.5000"
    rows = [line.split() for line in lines]
    start = lines.index("largest losses")
    assert rows[start + 1 : start + 6] == [
        ["loss", "label", "predicted", "confidence", "file"],
        [">14.51", "cat", "dog", "1.000", "cat/odd\\e[31m.png"],
        ["1.61", "dog", "cat", "0.800", "dog/1.png"],
        ["0.51", "cat", "cat", "0.600", "cat/0.png"],
        ["0.11", "dog", "dog", "0.900", "dog/2.png"],
    ]
    assert ["cat", "dog", "1", "50.0", "%"] in rows
    assert ["0.9", "to", "1.0", "1", "1", "0.500", "#" * 15 + "x" * 15] in rows
    assert "Inconclusive: mean confidence" in result.output
    assert "the positive label is dog; area under the ROC curve 0.2500" in result.output
    assert ["0.3", "0.333", "0.500", "2", "1"] in rows
    assert "At 0.5, of 100 images of dog 50 are missed (1 of 2 here)" in result.output


@pytest.mark.usefixtures("run")
def test_a_threshold_is_shown_and_has_a_line(types: Type) -> None:
    result = types("analyze", "pets-1", "--threshold", "0.15")
    assert "At 0.15, of 100 images of dog 0 are missed (0 of 2 here)" in result.output
    assert ["0.15", "0.500", "1.000", "2", "0"] in map(str.split, result.output.splitlines())
    for outside in ("0", "1"):
        assert types("analyze", "pets-1", "--threshold", outside).exit_code == 2


@pytest.mark.usefixtures("run")
def test_the_same_for_scripts(types: Type) -> None:
    output = json.loads(types("analyze", "pets-1", "--json").stdout)
    assert output["top_losses"][0]["path"] == f"cat/{HOSTILE}"
    assert (output["positive"], output["ranking"]["area"]) == ("dog", 0.25)
    assert len(output["calibration"]["bins"]) == 10
    assert [one["threshold"] for one in output["thresholds"]] == [n / 10 for n in range(1, 10)]
    chosen = json.loads(types("analyze", "pets-1", "--json", "--threshold", "0.7").stdout)
    assert [one["threshold"] for one in chosen["thresholds"]] == [0.7]


def test_three_labels_have_no_threshold(types: Type, run: RunFolder) -> None:
    run.results_path.write_text(json.dumps(results(1)))
    run.predictions_path.write_text("path,label,predicted,a,b,c\nx,a,a,0.5,0.3,0.2\n")
    result = types("analyze", "pets-1")
    assert result.exit_code == 0
    assert "thresholds" not in result.output
    assert "No image was wrong." in result.output
    refused = types("analyze", "pets-1", "--threshold", "0.5")
    assert refused.exit_code == 2
    assert "--threshold needs a run of two labels" in refused.output


def test_files_of_different_runs_are_refused(types: Type, run: RunFolder) -> None:
    run.results_path.write_text(json.dumps(results(5)))
    result = types("analyze", "pets-1")
    assert result.exit_code == 2
    assert "they are not of the same run" in result.output


def test_an_unfinished_run_has_no_errors_yet(types: Type, run: RunFolder) -> None:
    run.results_path.unlink()
    result = types("analyze", "pets-1")
    assert result.exit_code == 2
    assert "There are no results yet." in result.output


def test_images_are_marked_by_pixels_and_stay_as_they_are(
    types: Type, run: RunFolder, tmp_path: Path
) -> None:
    photos = {path: path.read_bytes() for path in (tmp_path / "pets").rglob("*.png")}
    done = types("relabel", "pets-1", f"cat/{HOSTILE}", "pets/cat/0.png", "--label", "dog")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "2 images with another label, 0 excluded." in done.output
    assert types("relabel", "pets-1", "dog/1.png", "--exclude").exit_code == 0
    fixes = {one.path: one for one in read_label_fixes(tmp_path / "data/pets/corrections.csv")}
    assert {path: one.label for path, one in fixes.items()} == {
        f"cat/{HOSTILE}": "dog", "cat/0.png": "dog", "dog/1.png": "",
    }  # fmt: skip
    hashes = dict(line.split(",")[::6] for line in run.manifest_path.read_text().splitlines()[1:])
    assert fixes["cat/0.png"].pixel_hash == hashes["cat/0.png"]
    listed = types("relabel", "pets-1", "--list").output.splitlines()
    assert listed[1:4] == ["dog       cat/odd\\e[31m.png", "dog       cat/0.png",
                           "excluded  dog/1.png"]  # fmt: skip
    rows = [line.split() for line in types("analyze", "pets-1").output.splitlines()]
    assert ["1.61", "dog", "cat", "0.800", "excluded", "dog/1.png"] in rows
    undone = types("relabel", "pets-1", "dog/1.png", "cat/0.png", "dog/2.png", "--undo")
    assert "Removed: 2 fixes." in undone.output
    assert {path: path.read_bytes() for path in (tmp_path / "pets").rglob("*.png")} == photos


@pytest.mark.usefixtures("run")
def test_the_label_that_an_image_has_needs_no_fix(types: Type, tmp_path: Path) -> None:
    result = types("relabel", "pets-1", "cat/0.png", "dog/1.png", "--label", "dog")
    assert "Already labelled dog in the data: 1 image." in result.output
    assert "1 image with another label, 0 excluded." in result.output
    back = types("relabel", "pets-1", "cat/0.png", "--label", "cat")
    assert "0 images with another label, 0 excluded." in back.output
    assert read_label_fixes(tmp_path / "data/pets/corrections.csv") == []


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("cat/0.png",), "Name images and one of"),
        (("cat/0.png", "--label", "dog", "--exclude"), "Name images and one of"),
        (("--exclude",), "Name images and one of"),
        (("cat/0.png", "--list"), "Name images and one of"),
        (("cat/0.png", "--label", ""), "--label is empty."),
        (("cat/0.png", "--label", "dgo"), "Allowed: cat or dog."),
        (("cat/0.pn", "--exclude"), "Did you mean cat/0.png"),
        (("/etc/passwd", "--exclude"), "The run has no image /etc/passwd."),
        (("cat/\x1b", "--undo"), "The run has no image cat/\\e."),
    ],
)
@pytest.mark.usefixtures("run")
def test_invalid_arguments_are_refused(
    types: Type, tmp_path: Path, words: tuple[str, ...], output: str
) -> None:
    result = types("relabel", "pets-1", *words)
    assert result.exit_code == 2
    assert output in result.output
    assert not (tmp_path / "data/pets/corrections.csv").exists()


def test_images_from_elsewhere_cannot_be_fixed(types: Type, run: RunFolder, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data")
    result = types("relabel", run.name, "cat/0.png", "--exclude")
    assert result.exit_code == 2
    assert "never prepared" in result.output
    assert types("analyze", run.name).exit_code == 0  # the errors can still be analyzed


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    """Runs that would have been started."""
    runs: list[RunFolder] = []

    def start(workspace: Workspace, spec: Any, stem: str, *_: Any, **__: Any) -> RunFolder:
        runs.append(create_run(workspace, dump_spec(spec), spec.name, stem))
        return runs[-1]

    monkeypatch.setattr("workbench.app.run_control.launch_new_run", start)
    monkeypatch.setattr("workbench.machine.preflight.check_before_training", lambda *_: None)
    return runs


def test_a_new_run_uses_the_fixes(
    types: Type, run: RunFolder, launched: list[RunFolder], tmp_path: Path
) -> None:
    refused = types("train", "--corrected", "pets-1", "--detach")
    assert refused.exit_code == 2
    assert "There are no label fixes for the images of pets-1 yet." in refused.output
    types("relabel", "pets-1", "cat/0.png", "--label", "dog")
    done = types("train", "--corrected", "pets-1", "--detach", "--set", "training.epochs=3")
    assert done.exit_code == 0, done.output
    assert "its accuracy cannot be compared with that of pets-1." in done.output
    (made,) = launched
    spec, before = read_spec(made.spec_path), read_spec(run.spec_path)
    assert made.name == "pets-2"
    path = str(tmp_path / "data" / "pets" / "corrections.csv")
    assert spec.data == before.data.model_copy(update={"corrections": path})
    assert (spec.model, spec.training.epochs) == (before.model, 3)
    again = types("train", "--corrected", "pets-2", "--detach", "--name", "third")
    assert again.exit_code == 0, again.output
    assert read_spec(launched[1].spec_path).data == spec.data


@pytest.mark.usefixtures("run")
def test_fixes_from_elsewhere_are_kept(types: Type, launched: list[RunFolder]) -> None:
    types("relabel", "pets-1", "cat/0.png", "--label", "dog")
    own = "data.corrections=/elsewhere.csv"
    assert types("train", "--corrected", "pets-1", "--detach", "--set", own).exit_code == 0
    refused = types("train", "--corrected", launched[0].name, "--detach")
    assert refused.exit_code == 2
    assert "other fixes, /elsewhere.csv" in refused.output


@pytest.mark.parametrize(
    "words",
    [("--preset", "dense"), ("spec.toml",), ("--data", "pets"), ("--base", "vgg16"),
     ("--weights", "random"), ("--resume-on-start", "--name", "night")],
)  # fmt: skip
@pytest.mark.usefixtures("run")
def test_corrected_excludes_another_experiment(
    types: Type, launched: list[RunFolder], words: tuple[str, ...]
) -> None:
    types("relabel", "pets-1", "cat/0.png", "--exclude")
    result = types("train", "--corrected", "pets-1", *words)
    assert result.exit_code == 2
    assert "--corrected" in result.output
    assert launched == []


@pytest.mark.usefixtures("run")
def test_a_label_may_be_typed_with_blanks_and_an_image_pasted(types: Type, tmp_path: Path) -> None:
    image = f"file://{tmp_path}/pets/cat/0.png"
    assert types("relabel", "pets-1", image, "--label", " dog ").exit_code == 0
    (fixes,) = read_label_fixes(tmp_path / "data/pets/corrections.csv")
    assert (fixes.path, fixes.label) == ("cat/0.png", "dog")


def test_doubts_are_shown_before_a_run_is_started(
    types: Type, launched: list[RunFolder], tmp_path: Path
) -> None:
    names = ("learn/cat", "learn/dog", "check/cat", "check/dog")
    class_folders(tmp_path / "pets", **dict.fromkeys(names, 1))
    done = types("train", "--preset", "dense", "--data", "pets", "--detach")
    assert done.exit_code == 0, done.output
    assert "warning 2 class folders (check, learn) hold folders of the same names" in done.output
    assert len(launched) == 1

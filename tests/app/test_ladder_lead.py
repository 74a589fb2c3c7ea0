"""Whether a ladder's best rung leads by more than chance: exact words, from files of runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from workbench.app.ladder_lead import lead_in_words, measured
from workbench.app.ladder_rows import RungRow
from workbench.datasets.manifest import Row, write_manifest
from workbench.paths import Workspace
from workbench.runs.folder import create_run


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def rung(
    workspace: Workspace, preset: str, right: int, images: int = 20, first: int = 0
) -> RungRow:
    """A rung that has the first `right` of its test images right."""
    run = create_run(workspace, "", f"p-{preset}", "")
    numbers = range(first, first + images)
    rows = [Row(f"{n}.png", "cat", "test", 8, 8, 100, f"{n:032x}") for n in numbers]
    write_manifest(run.manifest_path, rows)
    labels = ["cat"] * right + ["dog"] * (images - right)
    said = [f"{n}.png,cat,{label},0.5,0.5" for n, label in zip(numbers, labels, strict=True)]
    run.predictions_path.write_text("\n".join(["path,label,predicted,cat,dog", *said, ""]))
    return RungRow(preset, run.name, "finished", split="test", accuracy=right / images)


def test_a_lead_of_six_images_is_beyond_chance_one_of_five_is_not(workspace: Workspace) -> None:
    dense = rung(workspace, "dense", 12)
    lower = rung(workspace, "lower", 3)
    ahead, level = rung(workspace, "convnet", 18), rung(workspace, "level", 17)
    assert lead_in_words(workspace, [lower, dense, ahead]) == (
        "convnet is better than dense, beyond chance. Of 20 images that both answered, convnet "
        "alone has 6 right and dense alone none (McNemar's exact test, p = 0.031)."
    )
    assert lead_in_words(workspace, [level, dense, lower]) == (
        "Too close to call: of 20 images that both answered, level alone has 5 right and dense "
        "alone none (McNemar's exact test, p = 0.062)."
    )


def test_without_two_on_the_same_test_images_nothing_is_said(workspace: Workspace) -> None:
    dense, other = rung(workspace, "dense", 12), rung(workspace, "other", 18, first=1)
    assert lead_in_words(workspace, []) == ""
    assert lead_in_words(workspace, [dense]) == ""
    assert lead_in_words(workspace, [dense, other]) == ""
    gone = RungRow("convnet", "p-convnet", "finished", split="test", accuracy=0.9)
    assert lead_in_words(workspace, [dense, gone]) == ""


def test_only_test_images_measure(workspace: Workspace) -> None:
    dense = RungRow("dense", "d", "finished", split="test", accuracy=0.5)
    best = replace(dense, preset="best", accuracy=0.75)
    validated = replace(dense, split="validation", accuracy=0.9)
    training = RungRow("convnet", "c", "training")
    assert measured([dense, validated, training, best]) == [best, dense]

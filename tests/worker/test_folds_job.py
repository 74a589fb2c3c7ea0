"""`workbench analyze RUN --folds N` by real workers: features once, all images predicted."""

import csv
import json

import numpy as np
import pytest
from person import Person
from PIL import Image
from probe_run import PROBE

from workbench.app.label_suspects import read_suspects
from workbench.datasets.manifest import ImageRecord
from workbench.errors import UserError
from workbench.runs.folder import RunFolder
from workbench.worker.folds import group_numbers


def row(path: str, pixels: str, group: str = "") -> ImageRecord:
    return ImageRecord(path, "a", "train", pixel_hash=pixels, group=group)


def test_copies_and_near_duplicates_are_one_group() -> None:
    rows = [row("a", "1"), row("b", "2"), row("c", "1"), row("d", "3"), row("e", "4")]
    near = [("c", "d"), ("gone", "e")]
    assert group_numbers(rows, near).tolist() == [0, 1, 0, 0, 2]
    assert group_numbers(rows, []).tolist() == [0, 1, 0, 2, 3]


def test_a_declared_group_is_one_group_however_large() -> None:
    rows = [row(f"{n:02}", f"{n}", "anna") for n in range(60)] + [row("x", "7"), row("y", "z")]
    assert np.bincount(group_numbers(rows, [])).tolist() == [61, 1]


def test_look_alikes_do_not_join_without_end() -> None:
    rows = [row(f"{n:02}", f"{n}") for n in range(60)]
    chain = [(f"{n:02}", f"{n + 1:02}") for n in range(59)]
    assert np.bincount(group_numbers(rows, chain)).tolist() == [50, 10]


@pytest.mark.worker
def test_every_image_is_predicted_and_a_wrong_label_is_the_first_suspect(person: Person) -> None:
    wrong = person.workspace / "photos" / "dark" / "wrong.png"
    pixels = np.random.default_rng(2).integers(170, 230, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(wrong)
    person.types(*PROBE)
    output = person.types("analyze", "probe", "--folds", "3", "--repeats", "2")
    assert "probe: all 61 images, each predicted by classifiers fitted without it" in output
    assert "runs once for 61 images" in output
    assert "The base has random weights" in output
    assert output.index("dark/wrong.png") < output.index("their nearest images")
    assert "workbench relabel probe IMAGE... --label L" in output

    run = RunFolder(person.workspace / "saved_models" / "probe")
    with run.folds_path.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "label", "predicted", "dark", "light"]
    assert len(rows) == 62
    report = read_suspects(run)
    assert (report.folds, report.repeats, report.groups) == (3, 2, 61)
    assert report.random_weights
    assert report.suspects[0].path == "dark/wrong.png"
    near = [one.path for one in report.neighbours["dark/wrong.png"]]
    assert len(near) == 5
    assert all(path.startswith("light/") for path in near)

    output = person.types("analyze", "probe", "--folds", "3", "--repeats", "1", "--json")
    assert "runs once for" not in output  # the features are kept
    again = json.JSONDecoder().raw_decode(output)[0]
    assert again["suspects"][0]["path"] == "dark/wrong.png"


def test_before_the_first_time_there_is_nothing(tmp_path: object) -> None:
    run = RunFolder(tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no out-of-fold predictions yet"):
        read_suspects(run)
    run.folds_report_path.write_text("{}")
    with pytest.raises(UserError, match=r"folds\.json is damaged"):
        read_suspects(run)

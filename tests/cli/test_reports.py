"""Reports and tables, from plain values."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from event_lines import LogWriter
from fake_runs import fake_results
from typist import Type

from workbench.app.relabel import Relabeling
from workbench.app.table_settings import TableSettings, read_table_settings, settings_path
from workbench.cli.demo import DemoResult, demo_conclusions, demo_table
from workbench.cli.output import evaluation_report, fit_line
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.text import format_choices, safe_text, table

Evaluate = Callable[..., str]
SHIFT = 2
DENSE = DemoResult("dense", "demo-dense-1", 0.95, (0.92, 0.97), 268, 0.5, 400_000, 9.6)
CONVNET = DemoResult("convnet", "demo-convnet-1", 0.97, (0.94, 0.99), 268, 0.7, 130_000, 12.2)


def metrics(**changes: Any) -> dict[str, Any]:
    output = {
        "split": "test",
        "images": 100,
        "loss": 0.3,
        "accuracy": 0.9,
        "interval": [0.83, 0.94],
        "labels": ["cat", "dog"],
        "confusion": [[45, 5], [5, 45]],
        "classes": [
            {"label": "cat", "images": 50, "precision": 0.9, "recall": 0.9},
            {"label": "dog", "images": 50, "precision": None, "recall": 0.9},
        ],
        "worst": [
            {"path": "cat.\x1b7.jpg", "label": "cat", "predicted": "dog", "probability": 0.9,
             "loss": 2.302585},
        ],
    }  # fmt: skip
    return {**output, **changes}


def test_a_report_has_the_metrics_in_order() -> None:
    report = evaluation_report(metrics())
    assert report.startswith(
        "test accuracy 0.9000 (0.8300 to 0.9400 with 95 % confidence), loss 0.3000, 100 images\n"
    )
    assert "dog        50          -  0.9000" in report
    assert "cat   45    5" in report
    assert "cat    dog           0.100  cat.\\e7.jpg" in report
    assert "guessing" not in report


@pytest.mark.parametrize(("low", "guessing"), [(0.5, True), (0.500001, False)])
def test_guessing_is_named(low: float, guessing: bool) -> None:
    report = evaluation_report(metrics(interval=[low, 0.6]))
    output = "Not beyond guessing: always saying cat would be right for 0.5000." in report
    assert output is guessing


def test_leaks_and_validation_images_are_named() -> None:
    assert "10 of these images are training images too" in evaluation_report(metrics(leaked=10))
    near = evaluation_report(metrics(near_leaked=7))
    assert "7 of these images look nearly the same as a training image" in near
    assert "expect a little less" in evaluation_report(metrics(split="validation"))


def test_tables_align_and_are_safe() -> None:
    assert table(("a", "b"), [("x\ny", 1), ("z", 22)], "lr") == "a      b\nx\\ny   1\nz     22"


@pytest.fixture
def evaluate(types: Type, tmp_path: Path) -> Evaluate:
    """Run `workbench evaluate` on a run of so many labels; return its output."""

    def run_command(labels: int, *words: str) -> str:
        name = f"of-{labels}"
        folder = create_run(Workspace(tmp_path), '[data]\nsource = "/photos"\n', name, "")
        folder.results_path.write_text(json.dumps(fake_results(labels)))
        result = types("evaluate", name, *words)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run_command


def test_a_report_of_few_labels_has_the_matrix_and_all_of_them(evaluate: Evaluate) -> None:
    report = evaluate(60)
    assert "confusion: true label in rows, predicted in columns" in report
    assert report.count("\n") == 1 + 1 + 61 + 1 + 1 + 61
    assert "most confused" not in report


def test_a_report_of_many_labels_has_the_worst_of_them(evaluate: Evaluate) -> None:
    report = evaluate(61)
    lines = report.splitlines()
    assert lines[2] == "the 20 labels of 61 with the lowest recall (--json has all)"
    assert lines[4].split() == ["l5", "3", "1.0000", "0.0000"]
    assert lines[5].split() == ["l0", "3", "1.0000", "0.3333"]
    assert lines[25] == "most confused"
    assert lines[27].split() == ["l5", "l6", "3", "100.0", "%"]
    assert lines[28].split() == ["l0", "l1", "2", "66.7", "%"]
    assert lines[-1] == "the whole matrix: saved_models/of-61/results.json"


def test_a_report_is_as_short_for_any_number_of_labels(evaluate: Evaluate) -> None:
    report = evaluate(1200)
    assert report.count("\n") == 3 + 20 + 1 + 1 + 1 + 20 + 1 + 1
    assert len(report) < 3000
    assert report.splitlines()[-1] == "the whole matrix: saved_models/of-1200/results.json"


def test_json_of_many_labels_has_no_cell_of_the_matrix(evaluate: Evaluate) -> None:
    output = json.loads(evaluate(1200, "--json"))
    assert "confusion" not in output
    assert len(output["classes"]) == 1200
    assert len(output["confused"]) == 100
    assert output["confused"][0] == {"label": "l5", "predicted": "l6", "count": 3, "share": 1.0}
    assert output["matrix"] == "results.json"
    assert json.loads(evaluate(60, "--json")) == fake_results(60)


def test_a_report_names_the_file_that_an_evaluation_wrote() -> None:
    output = {**fake_results(61), "confused": [], "matrix": "confusion-test.csv"}
    pair = {"label": "a", "predicted": "b", "count": 1, "share": 0.5}
    del output["confusion"]
    assert "No image was wrong." in evaluation_report(output, "/runs/x")
    report = evaluation_report({**output, "confused": [pair]}, "/runs/x")
    assert report.endswith("the whole matrix: /runs/x/confusion-test.csv")


def test_an_error_names_twenty_labels_at_most() -> None:
    names = [f"l{number}" for number in range(22)]
    assert format_choices(names[:20]) == ", ".join(names[:19]) + " or l19"
    assert format_choices(names) == ", ".join(names[:20]) + " or 2 more"


def test_a_label_that_is_none_of_many_is_refused_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    relabeling = Relabeling.__new__(Relabeling)
    labels = [f"l{number}" for number in range(1200)]
    monkeypatch.setattr(Relabeling, "labels", property(lambda self: labels))
    with pytest.raises(UserError) as refused:
        relabeling.relabel([], "x")
    assert refused.value.hint == f"Allowed: {', '.join(labels[:20])} or 1,180 more."


class Counted(str):
    """A text that counts how many of its characters are read."""

    read = 0

    def __str__(self) -> str:
        return self

    def __getitem__(self, at: object) -> str:
        part = str.__getitem__(self, at)  # type: ignore[index]
        Counted.read += len(part)
        return part

    def __iter__(self):  # type: ignore[no-untyped-def]
        Counted.read += len(self)
        return super().__iter__()


def test_of_a_long_text_only_what_is_shown_is_read_at() -> None:
    text = Counted("a" * 5_000 + "\n" + "b" * 5_000)
    assert safe_text(text, 10) == "aaaaaa…bbb"
    assert 0 < Counted.read < 100
    assert safe_text("\n" * 23, 10) == "\\n\\n\\n…\\n".replace("…\\n", "…n\\n")


def test_the_table_has_a_row_a_network() -> None:
    lines = demo_table([DENSE, CONVNET], SHIFT).splitlines()
    assert lines[1].split() == [
        "dense",
        "0.9500",
        "0.920",
        "to",
        "0.970",
        "0.5000",
        "400,000",
        "10",
    ]
    assert len(lines) == 3


def test_overlapping_intervals_are_no_victory() -> None:
    assert "too close to call on 268 test images" in demo_conclusions(DENSE, CONVNET, SHIFT)[0]


def test_intervals_apart_are_one() -> None:
    better = replace(CONVNET, accuracy=0.99, interval=(0.98, 1.0))
    assert "the convnet network is better" in demo_conclusions(DENSE, better, SHIFT)[0]
    best = replace(DENSE, accuracy=0.999, interval=(0.998, 1.0))
    assert "the dense network is better" in demo_conclusions(best, CONVNET, SHIFT)[0]


def test_what_was_seen_on_shifted_digits_is_reported() -> None:
    line = demo_conclusions(DENSE, CONVNET, SHIFT)[1]
    assert "the convnet gets 70 % right, the dense network 50 %" in line
    worse = replace(CONVNET, shifted=0.5)
    assert "was not better this time" in demo_conclusions(DENSE, worse, SHIFT)[1]


def test_scores_are_below_the_accuracy_where_they_were_measured() -> None:
    assert evaluation_report(metrics()).splitlines()[1] == ""
    scored = metrics(
        macro_f1={"value": 0.875, "interval": [0.8, 0.925]},
        auc={"value": 0.9612, "interval": [0.93, 0.98]},
        mirrored=True,
    )
    assert evaluation_report(scored).splitlines()[1:5] == [
        "macro F1 0.8750 (0.800 to 0.925)",
        "AUC 0.9612 (0.930 to 0.980)",
        "Probabilities of each image and its mirror image were averaged.",
        "",
    ]


def recorded(workspace: Workspace, name: str, accuracy: float, **scores: float) -> None:
    folder = create_run(workspace, '[model]\nstrategy = "convnet"\n', name, "")
    write = LogWriter(folder.events_path).write
    write("stage_started", stage=0, epochs=2)
    write("epoch_finished", stage=0, epoch=1, val_accuracy=accuracy, val_auc=0.5, best=True)
    measured = {key: {"value": value, "interval": [0, 1]} for key, value in scores.items()}
    write("evaluated", split="test", accuracy=accuracy, **measured)
    write("finished", seconds=1)


def test_runs_by_another_metric(types: Type, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    recorded(workspace, "first", 0.75, macro_f1=0.5)
    recorded(workspace, "second", 0.5, macro_f1=0.625)
    recorded(workspace, "third", 0.25)

    def rows(*words: str) -> list[list[str]]:
        return [line.split() for line in types("runs", *words).output.splitlines()]

    assert {row[1]: row[4:6] for row in rows()[1:]} == {
        "first": ["0.7500", "0.7500"], "second": ["0.5000", "0.5000"],
        "third": ["0.2500", "0.2500"],
    }  # fmt: skip
    header, *found = rows("--figure", "macro-f1", "--best-first")
    assert header == ["state", "run", "preset", "epochs", "best", "val", "F1", "test", "F1",
                      "started", "on"]  # fmt: skip
    assert [(row[1], *row[4:6]) for row in found] == [
        ("second", "-", "0.6250"), ("first", "-", "0.5000"), ("third", "-", "-"),
    ]  # fmt: skip
    assert [row[1] for row in rows("--best-first")[1:]] == ["first", "second", "third"]
    kept = settings_path(workspace)
    kept.write_text(TableSettings("auc").as_text())  # as the app keeps it
    assert rows()[1][4:6] == ["0.5000", "-"]
    assert types("runs", "--figure", "f1").exit_code == 2
    for damaged in ("", "[]", '{"metric": 7, "best_first": "no"}', "{" * 100_000):
        kept.write_text(damaged)
        assert read_table_settings(workspace) == TableSettings()
    status = types("status", "second").output
    assert "macro F1 0.6250" in status
    (values,) = [
        one for one in json.loads(types("runs", "--json").output) if one["name"] == "second"
    ]
    assert (values["test_scores"], values["val_scores"]) == ({"macro_f1": 0.625}, {"auc": 0.5})


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("one two", ["one two"]),  # as wide as the terminal
        ("note   one two three", ["note   one", "       two", "       three"]),
        ("a  b  c  d  e", ["a  b  c  d  e"]),  # columns
        ("See: workbench runs", ["See: workbench runs"]),  # to be pasted
    ],
)
def test_prose_fits_the_terminal_and_no_word_is_cut(line: str, lines: list[str]) -> None:
    assert fit_line(line, 10 if line.startswith("note") else 7) == lines

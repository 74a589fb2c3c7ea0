"""Output for a run with very many labels is no longer than for one with a hundred."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_runs import fake_results
from typist import Type

from workbench.app.relabel import Relabeling
from workbench.cli.output import evaluation_report
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.text import format_choices, safe_text

Evaluate = Callable[..., str]


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
    assert lines[27].split() == ["l5", "l6", "3", "100.0%"]
    assert lines[28].split() == ["l0", "l1", "2", "66.7%"]
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

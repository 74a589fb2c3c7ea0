"""What commands print of a run with very many labels: no more than of one with a hundred."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from many_labels import many

from workbench.app.relabel import Marking
from workbench.cli import workbench
from workbench.cli.show import evaluation_report
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import create_run
from workbench.text import one_of, safe_text

Type = Callable[..., str]


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types a command in a workspace with a run of so many labels; gives what is printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))

    def run_command(labels: int, *words: str) -> str:
        name = f"of-{labels}"
        folder = create_run(Workspace(tmp_path), '[data]\nsource = "/photos"\n', name, "")
        folder.results_path.write_text(json.dumps(many(labels)))
        done = CliRunner().invoke(workbench, ["evaluate", name, *words], prog_name="workbench")
        assert done.exit_code == 0, done.output
        return done.stdout

    return run_command


def test_a_report_of_few_labels_has_the_matrix_and_all_of_them(types: Type) -> None:
    report = types(60)
    assert "confusion: true label in rows, predicted in columns" in report
    assert report.count("\n") == 1 + 1 + 61 + 1 + 1 + 61
    assert "most confused" not in report


def test_a_report_of_many_labels_has_the_worst_of_them(types: Type) -> None:
    report = types(61)
    lines = report.splitlines()
    assert lines[2] == "the 20 labels of 61 with the lowest recall (--json has all)"
    assert lines[4].split() == ["l5", "3", "1.0000", "0.0000"]
    assert lines[5].split() == ["l0", "3", "1.0000", "0.3333"]
    assert lines[25] == "most confused"
    assert lines[27].split() == ["l5", "l6", "3", "100.0%"]
    assert lines[28].split() == ["l0", "l1", "2", "66.7%"]
    assert lines[-1] == "the whole matrix: saved_models/of-61/results.json"


def test_a_report_is_as_short_for_any_number_of_labels(types: Type) -> None:
    report = types(1200)
    assert report.count("\n") == 3 + 20 + 1 + 1 + 1 + 20 + 1 + 1
    assert len(report) < 3000
    assert report.splitlines()[-1] == "the whole matrix: saved_models/of-1200/results.json"


def test_json_of_many_labels_has_no_cell_of_the_matrix(types: Type) -> None:
    told = json.loads(types(1200, "--json"))
    assert "confusion" not in told
    assert len(told["classes"]) == 1200
    assert len(told["confused"]) == 100
    assert told["confused"][0] == {"label": "l5", "predicted": "l6", "count": 3, "share": 1.0}
    assert told["matrix"] == "results.json"
    assert json.loads(types(60, "--json")) == many(60)


def test_a_report_names_the_file_that_an_evaluation_wrote() -> None:
    told = {**many(61), "confused": [], "matrix": "confusion-test.csv"}
    pair = {"label": "a", "predicted": "b", "count": 1, "share": 0.5}
    del told["confusion"]
    assert "Not one image was wrong." in evaluation_report(told, "/runs/x")
    report = evaluation_report({**told, "confused": [pair]}, "/runs/x")
    assert report.endswith("the whole matrix: /runs/x/confusion-test.csv")


def test_an_error_names_twenty_labels_at_most() -> None:
    names = [f"l{number}" for number in range(22)]
    assert one_of(names[:20]) == ", ".join(names[:19]) + " or l19"
    assert one_of(names) == ", ".join(names[:20]) + " or 2 more"


def test_a_label_that_is_none_of_many_is_refused_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    marking = Marking.__new__(Marking)
    labels = [f"l{number}" for number in range(1200)]
    monkeypatch.setattr(Marking, "labels", property(lambda self: labels))
    with pytest.raises(UserError) as refused:
        marking.mark([], "x")
    assert refused.value.hint == f"Allowed: {', '.join(labels[:20])} or 1,180 more."


class Counted(str):
    """A text that counts how many of its characters are looked at."""

    looked = 0

    def __str__(self) -> str:
        return self

    def __getitem__(self, at: object) -> str:
        part = str.__getitem__(self, at)  # type: ignore[index]
        Counted.looked += len(part)
        return part

    def __iter__(self):  # type: ignore[no-untyped-def]
        Counted.looked += len(self)
        return super().__iter__()


def test_of_a_long_text_only_what_is_shown_is_looked_at() -> None:
    text = Counted("a" * 5_000 + "\n" + "b" * 5_000)
    assert safe_text(text, 10) == "aaaaaa…bbb"
    assert 0 < Counted.looked < 100
    assert safe_text("\n" * 23, 10) == "\\n\\n\\n…\\n".replace("…\\n", "…n\\n")

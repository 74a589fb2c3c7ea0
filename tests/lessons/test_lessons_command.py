"""`workbench lessons`: lists, tries, shows again, writes specs, refuses."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fake_lessons import EXAMPLES, results
from PIL import Image

from workbench.app import lessons as learn_job
from workbench.cli.app import workbench
from workbench.errors import UserError
from workbench.experiment.toml import read_spec
from workbench.lessons.catalogue import LESSONS, save_results
from workbench.paths import Workspace

Types = Callable[..., str]


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Types:
    """Types a command in a workspace that has photos/0 and photos/1; returns what it printed."""
    for label in range(2):
        folder = tmp_path / "photos" / str(label)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)

    def types(*words: str, expect: int = 0) -> str:
        done = CliRunner().invoke(workbench, ["lessons", *words, "--workspace", str(tmp_path)])
        assert done.exit_code == expect, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.output

    return types


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The requests that reach the worker, which returns made-up runs at once."""
    requests: list[dict[str, Any]] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def run_job(job: str, request: dict[str, Any], *rest: Any, **more: Any) -> dict[str, Any]:
        assert job == "lessons"
        assert Path(request["scratch"]).is_dir()
        requests.append(request)
        each = len(request["seeds"])
        runs = {name: [run] * each for name, run in EXAMPLES[request["experiment"]].items()}
        return {"images": {"train": 20, "validation": 8, "test": 12}, "runs": runs}

    monkeypatch.setattr(learn_job, "run_job", run_job)
    return requests


def test_the_list_shows_questions_and_times(types: Types, tmp_path: Path) -> None:
    save_results(Workspace(tmp_path), results("pooling", EXAMPLES["pooling"]))
    output = types()
    assert max(map(len, output.splitlines())) <= 79
    rows = {line.split()[0]: line for line in output.splitlines() if line.strip()}
    assert [name for name in rows if name in LESSONS] == list(LESSONS)
    assert "5.1.2          12 s" in rows["pooling"]
    assert "5.3.2       not yet" in rows["depth"]
    words = " ".join(output.split())
    assert all(" ".join(e.question.split()[:3]) in words for e in LESSONS.values())
    listed = json.loads(types("--json"))
    assert [row["name"] for row in listed] == list(LESSONS)
    assert {row["name"]: row["last_seconds"] for row in listed}["pooling"] == 12.0


def test_an_unknown_name_is_refused_with_the_list(types: Types) -> None:
    output = types("transaltion", expect=2)
    assert all(name in output for name in LESSONS)
    assert "Did you mean translation?" in output


def test_one_is_tried_shown_and_kept(
    types: Types, requests: list[dict[str, Any]], tmp_path: Path
) -> None:
    output = types("pooling", "--data", "photos", "--seeds", "4,5")
    assert [request["seeds"] for request in requests] == [[4, 5]]
    assert not Path(requests[0]["scratch"]).exists()
    assert requests[0]["variants"][0]["spec"]["data"]["source"] == str(tmp_path / "photos")
    assert "Seen here." in output
    assert "training minus validation accuracy over epochs" in output
    shown = types("pooling", "--show")
    assert shown == output == types("pooling", "--show", "--data", "photos")
    assert len(requests) == 1
    tree = json.loads(types("pooling", "--show", "--json"))
    assert tree["seen"] is True
    assert tree["seeds"] == [4, 5]
    assert tree["conclusion"][0].startswith("Without pooling the network has")


def test_a_failure_keeps_nothing_and_leaves_nothing(
    types: Types, requests: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(job: str, request: dict[str, Any], *rest: Any, **more: Any) -> dict[str, Any]:
        requests.append(request)
        raise UserError("The weights are not there.", "Bring them.")

    monkeypatch.setattr(learn_job, "run_job", fails)
    output = types("depth", "--data", "photos", expect=2)
    assert "error: The weights are not there.\nBring them." in output
    assert not Path(requests[0]["scratch"]).exists()
    assert "no results of depth yet" in types("depth", "--show", expect=2)


def test_missing_results_are_reported(types: Types) -> None:
    output = types("pooling", "--show", "--data", "photos", expect=2)
    assert "There are no results of pooling yet." in output
    assert "workbench lessons pooling --data photos" in output


def test_specs_can_be_printed_and_trained(types: Types, tmp_path: Path) -> None:
    output = types("borders", "--data", "photos", "--specs", "out")
    files = sorted((tmp_path / "out").iterdir())
    assert sorted(Path(line).name for line in output.split()) == [file.name for file in files]
    specs = {file.name: read_spec(file) for file in files}
    assert specs["borders-same.toml"].model.padding == "same"
    assert specs["borders-valid.toml"].data.source == str(tmp_path / "photos")
    assert "exists already" in types("borders", "--data", "photos", "--specs", "out", expect=2)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("pooling", "--weights", "random"), "--weights has no effect in pooling"),
        (("pooling", "--seeds", "x"), "--seeds takes whole numbers"),
        (("pooling", "--data", "nowhere"), "There is no file or folder nowhere"),
    ],
)
def test_what_cannot_be_is_refused(types: Types, words: tuple[str, ...], reason: str) -> None:
    assert reason in types(*words, expect=2)


def test_weights_of_ones_own_are_found_from_anywhere(
    types: Types, requests: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "mine.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    types("depth", "--data", "photos", "--weights", "mine.h5")
    assert requests[0]["variants"][0]["spec"]["base"]["weights"] == str(tmp_path / "mine.h5")
    output = types("depth", "--data", "photos", "--weights", "random")
    assert "The base had random weights" in output

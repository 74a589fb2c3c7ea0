"""`find-rate` and `search`: what is asked of the worker, and what a person is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from workbench.cli import workbench
from workbench.cli.options import Given
from workbench.cli.tune import train_words
from workbench.errors import UserError

Type = Callable[..., Result]
CONVNET = """
[data]
source = "photos"
image_size = [28, 28]
[model]
strategy = "convnet"
filters = [4]
"""
HEAD = """
[data]
source = "photos"
image_size = [32, 32]
[model]
strategy = "feature-extraction"
[base]
name = "mobilenetv2-0.35"
"""


@pytest.fixture
def types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types a command where there are convnet.toml and head.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_HOME", raising=False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "convnet.toml").write_text(CONVNET)
    (tmp_path / "head.toml").write_text(HEAD)

    def run_command(*words: str) -> Result:
        return CliRunner().invoke(workbench, list(words), prog_name="workbench")

    return run_command


def worker(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., dict[str, Any]]) -> None:
    monkeypatch.setattr("workbench.runs.jobs.run_job", answer)


def trial_event(number: int, accuracy: float | None, units: list[int]) -> dict[str, Any]:
    candidate = {"dense_units": units, "dropout": 0.2, "learning_rate": 0.001}
    return {"event": "trial", "images": 100, "number": number, "candidate": candidate, "epoch": 3,
            "accuracy": accuracy, "loss": accuracy and 0.4, "seconds": 2.0}  # fmt: skip


def test_a_flat_curve_is_told_and_nothing_to_set(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert job == "find-rate"
        assert Path(request["scratch"]).is_dir()
        asked.append(request)
        on_event({"event": "notice", "message": "mind\x1b[2J"})
        return {"losses": [0.7] * 40}

    worker(monkeypatch, answer)
    told = types("find-rate", "convnet.toml", "--steps", "40")
    assert told.exit_code == 0, told.output
    assert "No rate stands out" in told.output
    assert "--set" not in told.output
    assert "now 0.001\n" in told.output
    assert "note   mind" in told.output
    assert "\x1b[2J" not in told.output
    assert (asked[0]["stage"], asked[0]["steps"]) == (1, 40)
    assert asked[0]["spec"]["model"]["strategy"] == "convnet"
    assert not Path(asked[0]["scratch"]).exists()


def test_a_loss_that_is_no_number_at_once_is_told(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, lambda job, request, on_event, **_: {"losses": []})
    told = types("find-rate", "convnet.toml")
    assert told.exit_code == 0, told.output
    assert "No rate stands out: the loss blew up at 1e-06 already." in told.output


def test_a_curve_is_drawn_with_its_rate_marked(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = [2.0] * 40 + [2.0 - 0.05 * i for i in range(30)] + [0.6, 5.0, 900.0]
    worker(monkeypatch, lambda job, request, on_event, **_: {"losses": losses})
    told = types("find-rate", "convnet.toml", "--json")
    found = json.loads(told.output)
    assert found["sureness"] == "plain"
    drawn = types("find-rate", "convnet.toml").output
    assert f"; try: --set {found['set']}" in drawn
    marks = drawn.splitlines()[drawn.splitlines().index(next(
        line for line in drawn.splitlines() if "1e-06" in line))]  # fmt: skip
    assert f"{found['rate']:g}" in marks
    assert "2.6" in drawn  # 1.3 times the loss before the fall: the top, not the 900


def test_steps_too_few_to_judge_are_refused(types: Type) -> None:
    assert types("find-rate", "convnet.toml", "--steps", "29").exit_code == 2


def test_a_search_on_a_convnet_is_refused_before_any_work(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: Any) -> dict[str, Any]:
        raise AssertionError("no worker")

    worker(monkeypatch, answer)
    told = types("search", "convnet.toml")
    assert told.exit_code == 2
    assert "no cached features" in told.output


def test_trials_are_told_as_they_come_and_sorted_at_the_end(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert (job, request["trials"], request["seed"]) == ("search", 3, 7)
        for number, accuracy, units in ((1, 0.7, [64]), (2, None, []), (3, 0.9, [128])):
            on_event(trial_event(number, accuracy, units))
        return {}

    worker(monkeypatch, answer)
    told = types("search", "head.toml", "--trials", "3", "--seed", "7")
    assert told.exit_code == 0, told.output
    assert "trial 2 of 3: diverged, dense_units=[], dropout=0.2, learning_rate=0.001" in told.output
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [row[0] for row in rows[1:4]] == ["3", "1", "2"]
    assert rows[2][:4] == ["1", "as", "given", "0.7000"]
    assert "optimistic" in told.output
    assert (
        "workbench train head.toml --set 'model.dense_units=[128]' --set model.dropout=0.2 "
        "--set training.learning_rate=0.001" in told.output
    )


@pytest.mark.parametrize(
    ("end", "code"), [(KeyboardInterrupt(), 130), (UserError("The worker crashed."), 2)]
)
def test_what_was_done_is_shown_when_it_ends_early(
    types: Type, monkeypatch: pytest.MonkeyPatch, end: BaseException, code: int
) -> None:
    def answer(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        on_event(trial_event(1, 0.7, [64]))
        on_event(trial_event(2, 0.8, [128]))
        raise end

    worker(monkeypatch, answer)
    told = types("search", "head.toml", "--json")
    assert told.exit_code == code
    assert [trial["number"] for trial in json.loads(told.stdout)["trials"]] == [2, 1]


def test_the_train_command_says_all_that_was_given() -> None:
    given = Given(
        None, "feature-extraction", "my photos", ("training.epochs=3",), "vgg16", "random", "n"
    )
    assert train_words(given, ("model.dense_units=[]",)) == [
        "train", "--preset", "feature-extraction", "--data", "my photos", "--base", "vgg16",
        "--weights", "random", "--name", "n", "--set", "training.epochs=3",
        "--set", "model.dense_units=[]",
    ]  # fmt: skip

"""`lr-find` and `tune`: requests to the worker, and output."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typist import Type

from workbench.cli.options import ExperimentOptions
from workbench.cli.tune import train_arguments
from workbench.errors import UserError

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


@pytest.fixture(autouse=True)
def specs(types: Type, tmp_path: Path) -> None:
    """convnet.toml and head.toml, and the folder of their images."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "convnet.toml").write_text(CONVNET)
    (tmp_path / "head.toml").write_text(HEAD)


def worker(monkeypatch: pytest.MonkeyPatch, do_job: Callable[..., dict[str, Any]]) -> None:
    monkeypatch.setattr("workbench.app.jobs.run_job", do_job)


def trial_event(number: int, accuracy: float | None, units: list[int]) -> dict[str, Any]:
    candidate = {"dense_units": units, "dropout": 0.2, "learning_rate": 0.001}
    return {
        "event": "trial",
        "images": 100,
        "fingerprint": "f",
        "number": number,
        "candidate": candidate,
        "epoch": 3,
        "accuracy": accuracy,
        "loss": accuracy and 0.4,
        "seconds": 2.0,
    }


def test_a_flat_curve_is_shown_and_nothing_to_set(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = []

    def do_job(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert job == "lr-find"
        assert Path(request["scratch"]).is_dir()
        requests.append(request)
        on_event({"event": "notice", "message": "mind\x1b[2J"})
        return {"losses": [0.7] * 40}

    worker(monkeypatch, do_job)
    result = types("lr-find", "convnet.toml", "--steps", "40")
    assert result.exit_code == 0, result.output
    assert "No rate stands out" in result.output
    assert "--set" not in result.output
    assert "now 0.001\n" in result.output
    assert "note   mind" in result.output
    assert "\x1b[2J" not in result.output
    assert (requests[0]["stage"], requests[0]["steps"]) == (1, 40)
    assert requests[0]["spec"]["model"]["strategy"] == "convnet"
    assert not Path(requests[0]["scratch"]).exists()


def test_a_loss_that_is_no_number_at_once_is_shown(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(monkeypatch, lambda job, request, on_event, **_: {"losses": []})
    result = types("lr-find", "convnet.toml")
    assert result.exit_code == 0, result.output
    assert "No rate stands out: the loss blew up at 1e-06 already." in result.output


def test_a_curve_is_drawn_with_its_rate_marked(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = [2.0] * 40 + [2.0 - 0.05 * i for i in range(30)] + [0.6, 5.0, 900.0]
    worker(monkeypatch, lambda job, request, on_event, **_: {"losses": losses})
    result = types("lr-find", "convnet.toml", "--json")
    found = json.loads(result.output)
    assert found["sureness"] == "plain"
    drawn = types("lr-find", "convnet.toml").output
    assert f"; try: --set {found['set']}" in drawn
    marks = drawn.splitlines()[drawn.splitlines().index(next(
        line for line in drawn.splitlines() if "1e-06" in line))]  # fmt: skip
    assert f"{found['rate']:g}" in marks
    assert "2.6" in drawn  # 1.3 times the loss before the fall: the top, not the 900


def test_steps_too_few_to_judge_are_refused(types: Type) -> None:
    assert types("lr-find", "convnet.toml", "--steps", "29").exit_code == 2


def test_a_search_on_a_convnet_is_refused_before_any_work(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do_job(*_: Any) -> dict[str, Any]:
        raise AssertionError("no worker")

    worker(monkeypatch, do_job)
    result = types("tune", "convnet.toml")
    assert result.exit_code == 2
    assert "no cached features" in result.output


def test_trials_are_shown_as_they_come_and_sorted_at_the_end(
    types: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    def do_job(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        assert (job, request["trials"], request["seed"]) == ("tune", 3, 7)
        for number, accuracy, units in ((1, 0.7, [64]), (2, None, []), (3, 0.9, [128])):
            on_event(trial_event(number, accuracy, units))
        return {}

    worker(monkeypatch, do_job)
    result = types("tune", "head.toml", "--trials", "3", "--seed", "7")
    assert result.exit_code == 0, result.output
    assert "trial 2 of 3: diverged, dense_units=[], dropout=0.2, learning_rate=" in result.output
    rows = [line.split() for line in result.stdout.splitlines()]
    assert [row[0] for row in rows[1:4]] == ["3", "1", "2"]
    assert rows[2][:4] == ["1", "as", "given", "0.7000"]
    assert "optimistic" in result.output
    assert (
        "workbench train head.toml --set 'model.dense_units=[128]' --set model.dropout=0.2 "
        "--set training.learning_rate=0.001" in result.output
    )


@pytest.mark.parametrize(
    ("end", "code"), [(KeyboardInterrupt(), 130), (UserError("The worker crashed."), 2)]
)
def test_what_was_done_is_shown_when_it_ends_early(
    types: Type, monkeypatch: pytest.MonkeyPatch, end: BaseException, code: int
) -> None:
    def do_job(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
        on_event(trial_event(1, 0.7, [64]))
        on_event(trial_event(2, 0.8, [128]))
        raise end

    worker(monkeypatch, do_job)
    result = types("tune", "head.toml", "--json")
    assert result.exit_code == code
    assert [trial["number"] for trial in json.loads(result.stdout)["trials"]] == [2, 1]


def test_the_train_command_has_all_given_options() -> None:
    given = ExperimentOptions(
        None, "feature-extraction", "my photos", ("training.epochs=3",), "vgg16", "random", "n"
    )
    assert train_arguments(given, ("model.dense_units=[]",)) == [
        "train", "--preset", "feature-extraction", "--data", "my photos", "--base", "vgg16",
        "--weights", "random", "--name", "n", "--set", "training.epochs=3",
        "--set", "model.dense_units=[]",
    ]  # fmt: skip

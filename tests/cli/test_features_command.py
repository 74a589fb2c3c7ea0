"""`workbench features`: which share it computes, and what it refuses."""

from typing import Any

import pytest
from typist import Type

from workbench.cli.features import SLURM, read_shard, task_shard
from workbench.errors import UserError

HEAD = ("features", "--preset", "feature-extraction", "--base", "mobilenetv2-0.35",
        "--weights", "random", "--data", "photos")  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), [("1/1", (1, 1)), ("2/4", (2, 4)), ("4/4", (4, 4))])
def test_a_share(given: str, expected: tuple[int, int]) -> None:
    assert read_shard(given) == expected


@pytest.mark.parametrize("given", ["0/4", "5/4", "2", "2/", "/4", "-1/4", "a/b", "1/0", "2/4\x1b"])
def test_no_share(given: str) -> None:
    with pytest.raises(UserError, match="which is not a share") as refused:
        read_shard(given)
    assert "\x1b" not in refused.value.message


@pytest.mark.parametrize(
    ("task", "first", "step", "count", "expected"),
    [("0", "0", "1", "4", (1, 4)), ("4", "1", "1", "4", (4, 4)), ("6", "2", "2", "3", (3, 3))],
)
def test_the_share_of_a_task(
    task: str, first: str, step: str, count: str, expected: tuple[int, int]
) -> None:
    values = {"ID": task, "MIN": first, "STEP": step, "COUNT": count}
    assert task_shard({SLURM + name: value for name, value in values.items()}) == expected


def test_outside_of_an_array_there_is_none() -> None:
    assert task_shard({"SLURM_JOB_ID": "7"}) is None


@pytest.mark.parametrize(("task", "step"), [("7", "1"), ("4", "2")])
def test_an_array_with_gaps_is_refused(task: str, step: str) -> None:
    values = {"ID": task, "MIN": "1", "STEP": step, "COUNT": "3"}
    with pytest.raises(UserError, match=f"Task {task} of an array of 3 tasks from 1 is no share"):
        task_shard({SLURM + name: value for name, value in values.items()})


@pytest.mark.parametrize("values", [{"ID": "x\x1b"}, {"ID": "1", "STEP": "0"}, {"ID": ""}])
def test_variables_that_are_no_numbers_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(UserError, match="no numbers of a SLURM array: SLURM_ARRAY_TASK_ID") as bad:
        task_shard({SLURM + name: value for name, value in values.items()})
    assert "\x1b" not in bad.value.message


def test_what_keeps_no_features_is_refused_before_anything_starts(types: Type, photos: Any) -> None:
    refused = types("features", "--preset", "convnet", "--data", "photos")
    assert refused.exit_code == 2
    assert "This experiment keeps no features" in refused.output


def test_a_share_is_passed_on_and_what_is_left_is_said(
    types: Type, photos: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = []

    def run_job(job: str, request: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        requests.append({"job": job, **request})
        return {"computed": 1200, "missing": 3600, "name": "photos"}

    monkeypatch.setattr("workbench.app.jobs.run_job", run_job)
    output = types(*HEAD, "--set", "augmentation.horizontal_flip=false",
                   "--set", "augmentation.random_crop=0", "--shard", "2/4").output  # fmt: skip
    assert [(one["job"], one["shard"]) for one in requests] == [("features", (2, 4))]
    assert output.splitlines()[-2:] == [
        "1,200 images passed the base; the features are kept in data/photos.",
        "3,600 images of other shares have not passed it yet. A run computes what is left when "
        "it starts.",
    ]

"""Asking the backend: a step that takes its process along costs that step only."""

import os
from collections.abc import Callable
from pathlib import Path

from patience import GUARD

from workbench.machine.facts import Framework, Outcome
from workbench.machine.framework import ask_framework


def ask(
    limit: float = GUARD, known: tuple[str, ...] = (), **variables: str
) -> tuple[Framework | None, Outcome]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    if "CUDA_VISIBLE_DEVICES" not in variables:
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    return ask_framework(limit, known, environment, module="fake_backend")


def answered(told: tuple[Framework | None, Outcome]) -> tuple[Framework, Outcome]:
    framework, outcome = told
    assert framework is not None
    return framework, outcome


def test_everything_is_told() -> None:
    framework, outcome = answered(ask(FAKE_GPUS="2"))
    assert outcome.status == "ok"
    assert [device.id for device in framework.devices] == ["cpu:0", "gpu:0", "gpu:1"]
    assert [device.id for device in framework.gpus] == ["gpu:0", "gpu:1"]
    assert [(step.device, step.jit) for step in framework.steps] == [
        ("cpu:0", False), ("cpu:0", True),
        ("gpu:0", False), ("gpu:0", True),
        ("gpu:1", False), ("gpu:1", True),
    ]  # fmt: skip
    assert [one.device for one in framework.speeds] == ["cpu:0", "gpu:0"]
    assert framework.current == framework.stopped == ""


def test_what_is_known_is_not_measured() -> None:
    framework, _ = answered(ask(known=("CPU",), FAKE_GPUS="1"))
    assert [one.device for one in framework.speeds] == ["gpu:0"]


def test_a_crash_costs_its_step_only() -> None:
    framework, outcome = answered(ask(FAKE_GPUS="2", FAKE_BACKEND="crash gpu:0"))
    assert (outcome.status, outcome.detail) == ("crashed", "by signal SIGSEGV")
    assert (framework.current, framework.stopped) == ("gpu:0", "by signal SIGSEGV")
    told = {(step.device, step.jit): step.error for step in framework.steps}
    assert told.pop(("gpu:0", False)) == "the process was ended by signal SIGSEGV"
    assert set(told.values()) == {""}
    assert set(told) == {
        ("cpu:0", False), ("cpu:0", True), ("gpu:0", True), ("gpu:1", False), ("gpu:1", True),
    }  # fmt: skip


def test_a_hang_ends_at_the_limit(limit_after: Callable[..., None]) -> None:
    limit_after(b'"begin": "gpu:0 jit"', seconds=2.0)
    framework, outcome = answered(ask(limit=2.0, FAKE_GPUS="1", FAKE_BACKEND="hang gpu:0 jit"))
    assert outcome.status == "hung"
    assert framework.current == "gpu:0 jit"
    (failed,) = [step for step in framework.steps if step.error]
    assert (failed.device, failed.jit) == ("gpu:0", True)
    assert failed.error == "the process gave no answer after 1.2 s"


def test_no_answer_at_all() -> None:
    framework, outcome = ask(FAKE_BACKEND="import")
    assert framework is None
    assert (outcome.status, outcome.detail) == ("failed", "with exit code 1")
    assert "ImportError: libfoo.so" in outcome.stderr


def test_one_gpu_that_blocks_all_is_told_from_the_others() -> None:
    framework, _ = answered(ask(FAKE_GPUS="2", FAKE_BACKEND="block 0"))
    told = {(step.device, step.jit): step.error for step in framework.steps}
    assert set(told) == {
        (device, jit) for device in ("cpu:0", "gpu:0", "gpu:1") for jit in (False, True)
    }
    failed = {place for place, error in told.items() if error}
    assert failed == {("gpu:0", False), ("gpu:0", True)}
    assert "implicit initialization on GPU:0 failed" in told["gpu:0", False]
    assert {speed.device for speed in framework.speeds} >= {"cpu:0", "gpu:1"}


def test_a_hang_leaves_time_for_the_others(limit_after: Callable[..., None]) -> None:
    """One process has six tenths of it, 3 seconds, and the next one what is left."""
    limit_after(b'"begin": "gpu:0"', seconds=3.0)
    framework, outcome = answered(ask(limit=5.0, FAKE_GPUS="2", FAKE_BACKEND="hang gpu:0"))
    assert outcome.status == "hung"
    told = {(step.device, step.jit): step.error for step in framework.steps}
    assert told["gpu:1", False] == ""
    assert told["gpu:0", False] == "the process gave no answer after 3 s"

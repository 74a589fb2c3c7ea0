"""Probing the backend: a step that ends its process costs only that step."""

import os
from collections.abc import Callable
from pathlib import Path

from waiting import GUARD

from workbench.machine.facts import Framework, ProbeOutcome
from workbench.machine.framework import probe_framework


def probe(
    limit: float = GUARD, known: tuple[str, ...] = (), **variables: str
) -> tuple[Framework | None, ProbeOutcome]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parent)])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    if "CUDA_VISIBLE_DEVICES" not in variables:
        environment.pop("CUDA_VISIBLE_DEVICES", None)
    return probe_framework(limit, known, environment, module="fake_backend")


def reported(errors: tuple[Framework | None, ProbeOutcome]) -> tuple[Framework, ProbeOutcome]:
    framework, outcome = errors
    assert framework is not None
    return framework, outcome


def errors_of(framework: Framework) -> dict[tuple[str, bool], str]:
    """Return the errors of the steps in float32 by device and jit."""
    steps = [step for step in framework.steps if step.precision == "float32"]
    return {(step.device, step.jit): step.error for step in steps}


def test_everything_is_reported() -> None:
    framework, outcome = reported(probe(FAKE_GPUS="2"))
    assert outcome.status == "ok"
    assert [device.id for device in framework.devices] == ["cpu:0", "gpu:0", "gpu:1"]
    assert [device.id for device in framework.gpus] == ["gpu:0", "gpu:1"]
    assert [(step.device, step.jit, step.precision) for step in framework.steps] == [
        ("cpu:0", False, "float32"),
        ("gpu:0", False, "float32"), ("gpu:0", False, "mixed_float16"), ("gpu:0", True, "float32"),
        ("gpu:1", False, "float32"), ("gpu:1", False, "mixed_float16"), ("gpu:1", True, "float32"),
    ]  # fmt: skip
    assert [one.device for one in framework.speeds] == ["cpu:0", "gpu:0"]
    assert framework.current == framework.stopped == ""


def test_what_is_known_is_not_measured() -> None:
    framework, _ = reported(probe(known=("CPU, float32, no XLA",), FAKE_GPUS="1"))
    assert [one.device for one in framework.speeds] == ["gpu:0"]


def test_a_crash_costs_its_step_only() -> None:
    framework, outcome = reported(probe(FAKE_GPUS="2", FAKE_BACKEND="crash gpu:0"))
    assert (outcome.status, outcome.detail) == ("crashed", "by signal SIGSEGV")
    assert (framework.current, framework.stopped) == ("gpu:0", "by signal SIGSEGV")
    errors = errors_of(framework)
    assert errors.pop(("gpu:0", False)) == "the process was ended by signal SIGSEGV"
    assert set(errors.values()) == {""}
    assert set(errors) == {
        ("cpu:0", False), ("gpu:0", True), ("gpu:1", False), ("gpu:1", True),
    }  # fmt: skip


def test_a_hang_ends_at_the_limit(limit_after: Callable[..., None]) -> None:
    limit_after(b'"begin": "gpu:0 jit"', seconds=2.0)
    framework, outcome = reported(probe(limit=2.0, FAKE_GPUS="1", FAKE_BACKEND="hang gpu:0 jit"))
    assert outcome.status == "hung"
    assert framework.current == "gpu:0 jit"
    (failed,) = [step for step in framework.steps if step.error]
    assert (failed.device, failed.jit) == ("gpu:0", True)
    assert failed.error == "the process did not respond after 1.2 s"


def test_no_report_at_all() -> None:
    framework, outcome = probe(FAKE_BACKEND="import")
    assert framework is None
    assert (outcome.status, outcome.detail) == ("failed", "with exit code 1")
    assert "ImportError: libfoo.so" in outcome.stderr


def test_one_gpu_that_blocks_all_is_identified() -> None:
    framework, _ = reported(probe(FAKE_GPUS="2", FAKE_BACKEND="block 0"))
    errors = errors_of(framework)
    assert set(errors) == {
        ("cpu:0", False), *((gpu, jit) for gpu in ("gpu:0", "gpu:1") for jit in (False, True)),
    }  # fmt: skip
    failed = {place for place, error in errors.items() if error}
    assert failed == {("gpu:0", False), ("gpu:0", True)}
    assert "implicit initialization on GPU:0 failed" in errors["gpu:0", False]
    assert {speed.device for speed in framework.speeds} >= {"cpu:0", "gpu:1"}


def test_a_hang_leaves_time_for_the_others(limit_after: Callable[..., None]) -> None:
    """One process has six tenths of it, 3 seconds, and the next one what is left."""
    limit_after(b'"begin": "gpu:0"', seconds=3.0)
    framework, outcome = reported(probe(limit=5.0, FAKE_GPUS="2", FAKE_BACKEND="hang gpu:0"))
    assert outcome.status == "hung"
    errors = errors_of(framework)
    assert errors["gpu:1", False] == ""
    assert errors["gpu:0", False] == "the process did not respond after 3 s"

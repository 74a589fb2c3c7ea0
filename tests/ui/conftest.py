"""Tests that drive the app are coroutines; no screen starts a worker that imports keras."""

import asyncio
import inspect

import pytest
from ui_pilot import FIGURES, FakeWarmWorker

from workbench.machine import preflight
from workbench.machine.gpus import GpuChoice
from workbench.ui import base
from workbench.ui.strategy import screen as strategy


@pytest.fixture(autouse=True)
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> list[FakeWarmWorker]:
    """All that the app has started."""
    monkeypatch.setattr(base, "WarmWorker", FakeWarmWorker)
    monkeypatch.setattr(FakeWarmWorker, "made", [], raising=False)
    return FakeWarmWorker.made


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine; the others are called by pytest itself."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def measured_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Query no driver; the machine was measured."""
    monkeypatch.setattr(strategy, "expected_device", lambda gpu: "CPU")
    monkeypatch.setattr(preflight, "find_gpus", lambda *_: (GpuChoice(),))
    monkeypatch.setattr(strategy.BenchmarkStore, "load", lambda self: FIGURES)

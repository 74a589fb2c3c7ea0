"""Shared by all tests: a workspace, a run in it, a frozen clock, a separate cache folder."""

import faulthandler
import gc
import os
import signal
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import HealthCheck, settings
from ssh_server import commands, there
from waiting import GUARD
from web_server import WebServer, web_server

# Processes that tests start inherit all of this.
# Four processes share the cores: a thread that looks for work takes time from the other three.
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
# Hundreds of processes would compile the workbench again, each for a fifth of a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Before anything is translated.
os.environ["WORKBENCH_LANG"] = os.environ.pop("TESTS_LANGUAGE", "en")

from measured import store_speed

from workbench.bases import weights
from workbench.machine.gpus import CPU
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import request_stop
from workbench.settings import settings_path

__all__ = ["commands", "there"]  # fixtures of several folders

SPEC = '[data]\nsource = "/photos/birds"\n[model]\nstrategy = "convnet"\n[training]\nepochs = 7\n'
TEN_O_CLOCK = 1_772_445_600.0  # 2026-03-02 10:00 UTC
# The time it takes to generate and run an example does not decide whether it passes.
settings.register_profile(
    "no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no deadline")


def pytest_collection() -> None:
    """Look for no garbage among modules: they stay to the end."""
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: "worker" not in item.path.parts)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave out what is imported, and look at the rest more seldom."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # a tenth of the time of all tests went into it


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """End the process with tracebacks if a test blocks forever."""
    stderr = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(2 * GUARD, exit=True, file=stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep out of the user's cache and settings; no run has to measure the processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        patch.delenv("XDG_RUNTIME_DIR", raising=False)
        store_speed(CPU)
        yield


@pytest.fixture(autouse=True)
def _own_settings(_own_cache: None) -> Iterator[None]:
    """Begin without what another test kept, such as a theme."""
    path = settings_path()
    yield
    path.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Restore signals that are ignored under nohup or in the background of a script."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_packages_of_weights(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let presets take the base that they take where no weights are installed."""
    with pytest.MonkeyPatch.context() as patch:
        if not request.node.get_closest_marker("packages"):
            patch.setattr(weights, "installed_file", lambda base: None)
        yield


@pytest.fixture
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """Freeze the time of day at 10:00 UTC; return it in unix seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: TEN_O_CLOCK)
        yield TEN_O_CLOCK
    time.tzset()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def run(workspace: Workspace) -> Iterator[RunFolder]:
    folder = create_run(workspace, SPEC, name="birds", stem="birds")
    yield folder
    request_stop(folder)  # in case a failing test left a worker


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A local web server, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "*")
    with web_server() as server:
        yield server

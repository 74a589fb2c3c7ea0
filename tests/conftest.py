"""What all tests share: a cache folder of their own, and one process for all that import keras."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

KERAS_ROOMS = {"bases", "results", "training", "worker"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, keras and the workers' training stay in one."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).parts[0] in KERAS_ROOMS:
            item.add_marker(pytest.mark.xdist_group("keras"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the workbench measures goes to no person's cache, and is measured once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _signals_arrive() -> None:
    """Under nohup, or in the background of a script, a process and all it starts ignore them."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

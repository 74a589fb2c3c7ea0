"""What all tests share: a cache folder of their own, their processes, and no clock."""

import faulthandler
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hypothesis import HealthCheck, settings
from patience import GUARD

pytest_plugins = ["run_fixtures"]

# The packages whose tests stay in one process where they run in several: one for all that import
# keras, since each would import it anew, and one for real workers, which are processes themselves.
GROUPS = {"bases": "keras", "evaluation": "keras", "training": "keras", "worker": "workers"}

# Whether an example is right does not depend on how long it took to make and to try it.
settings.register_profile("whenever", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whenever")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What would wait for ever ends the process, which tells where it waited."""
    stderr = item.config.stash[fault_handler_stderr_fd_key]
    faulthandler.dump_traceback_later(2 * GUARD, exit=True, file=stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps together what belongs together."""
    here = Path(__file__).parent
    for item in items:
        if group := GROUPS.get(item.path.relative_to(here).parts[0]):
            item.add_marker(pytest.mark.xdist_group(group))


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

"""Which machines are read, and reading several at a time, in the background or once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from workbench.errors import UserError
from workbench.hosts.mirror import HostMirror, HostView
from workbench.messages import tr
from workbench.settings import HostSettings, Settings, settings_path
from workbench.text import format_choices, safe_text

POLL_SECONDS = 10.0  # between two polls of a machine
RETRY_SECONDS = 60.0  # after one that did not answer
_AT_ONCE = 16  # machines


def find_host(settings: Settings, given: str) -> tuple[str, HostSettings]:
    """Return the name and settings of a machine.

    Args:
        settings: of the person.
        given: a name of the settings, or an address as ssh takes it, with ":WORKSPACE" if that is
            not the home folder.

    Raises:
        UserError: It is neither.
    """
    if given in settings.hosts:
        return given, settings.hosts[given]
    address, colon, workspace = given.partition(":")
    try:
        return given, HostSettings(address=address, workspace=workspace if colon else ".")
    except ValidationError:
        known = format_choices(tuple(settings.hosts)) if settings.hosts else tr("none")
        raise UserError(
            tr(
                "{given} names no machine: allowed is HOST, USER@HOST or HOST:WORKSPACE as ssh "
                "takes them, or a name of the settings ({known}).",
                given=safe_text(repr(given)),
                known=known,
            ),
            tr("Settings: {path}", path=safe_text(settings_path())),
        ) from None


def poll_hosts(hosts: Mapping[str, HostSettings]) -> tuple[HostView, ...]:
    """Ask machines for their runs, once and at the same time; return them in their order."""
    stop = threading.Event()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            mirrors = [HostMirror(name, settings) for name, settings in hosts.items()]
            return tuple(pool.map(lambda mirror: mirror.poll(stop.is_set), mirrors))
        finally:
            stop.set()  # after Ctrl-C: the threads end their ssh


class HostFeed:
    """Polls machines in the background, a thread each.

    Args:
        hosts: by the names that they are shown under.
        on_change: called in a thread with all machines, after each answer and each failure; at
            first with what is in the cache.
    """

    def __init__(
        self,
        hosts: Mapping[str, HostSettings],
        on_change: Callable[[Sequence[HostView]], None],
    ) -> None:
        self._hosts = hosts
        self._on_change = on_change
        self._views = {name: HostView(name) for name in hosts}
        self._changing = threading.Lock()
        self._stop = threading.Event()

    def start(self) -> None:
        """Start to poll.

        In daemon threads: a machine that does not answer must not keep the app from quitting.
        """
        for name in self._hosts:
            threading.Thread(target=self._follow, args=(name,), daemon=True).start()

    def stop(self) -> None:
        """End soon, with the commands that run."""
        self._stop.set()

    def _follow(self, name: str) -> None:
        mirror = HostMirror(name, self._hosts[name])
        self._show(mirror.view)
        while not self._stop.is_set():
            view = mirror.poll(self._stop.is_set)
            if self._stop.is_set():
                return
            self._show(view)
            self._stop.wait(RETRY_SECONDS if view.problem else POLL_SECONDS)

    def _show(self, view: HostView) -> None:
        with self._changing:
            self._views[view.name] = view
            self._on_change(tuple(self._views.values()))

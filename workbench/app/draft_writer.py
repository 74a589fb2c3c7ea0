"""Small files written behind the screens: a disk that takes its time holds up no key."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.text import safe_text


def keep(path: Path, text: str) -> None:
    """Writes a file whole, its folder too where there is none.

    Raises:
        UserError: the disk cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        reason = safe_text(error.strerror or error)
        raise UserError(f"{safe_text(path)} cannot be written: {reason}.") from None


class Keeper:
    """Writes in a thread of its own; of several texts for one file only the last counts.

    Args:
        on_fault: told in that thread what could not be written.
    """

    def __init__(self, on_fault: Callable[[str], None]) -> None:
        self._on_fault = on_fault
        self._texts: dict[Path, str | None] = {}
        self._changed = threading.Condition()
        self._at_work = False

    def write(self, path: Path, text: str) -> None:
        """Has a file written soon."""
        self._put(path, text)

    def remove(self, path: Path) -> None:
        """Has a file taken away soon, where there is one."""
        self._put(path, None)

    def flush(self) -> None:
        """Returns once all is done that was asked for."""
        with self._changed:
            self._changed.wait_for(lambda: not self._at_work)

    def _put(self, path: Path, text: str | None) -> None:
        with self._changed:
            self._texts[path] = text
            if not self._at_work:
                self._at_work = True
                # No daemon: a process that ends waits for what is still to be written.
                threading.Thread(target=self._work).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._texts:
                    self._at_work = False
                    self._changed.notify_all()
                    return
                path, text = self._texts.popitem()
            try:
                if text is None:
                    with suppress(OSError):
                        path.unlink(missing_ok=True)
                else:
                    keep(path, text)
            except UserError as error:
                self._on_fault(error.message)

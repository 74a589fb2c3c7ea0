"""Small files written in the background: a slow disk delays no key."""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.text import safe_text
from workbench.words import reason_of


def write_file(path: Path, text: str) -> None:
    """Write a file atomically, and make its folder.

    Raises:
        UserError: the disk cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr("{path} cannot be written: {reason}.", path=safe_text(path), reason=reason)
        ) from None


class DraftWriter:
    """Writes in a thread of its own; of several texts for one file only the last is written.

    Args:
        on_error: called in that thread with what could not be written.
    """

    def __init__(self, on_error: Callable[[str], None]) -> None:
        self._on_error = on_error
        self._texts: dict[Path, str | None] = {}
        self._changed = threading.Condition()
        self._running = False

    def write(self, path: Path, text: str) -> None:
        """Write a file soon."""
        self._put(path, text)

    def remove(self, path: Path) -> None:
        """Remove a file soon, if it exists."""
        self._put(path, None)

    def flush(self) -> None:
        """Wait until everything is written."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running)

    def _put(self, path: Path, text: str | None) -> None:
        with self._changed:
            self._texts[path] = text
            if not self._running:
                self._running = True
                # No daemon: a process that ends waits for what is not written yet.
                threading.Thread(target=self._run).start()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._texts:
                    self._running = False
                    self._changed.notify_all()
                    return
                path, text = self._texts.popitem()
            try:
                if text is None:
                    with suppress(OSError):
                        path.unlink(missing_ok=True)
                else:
                    write_file(path, text)
            except UserError as error:
                self._on_error(error.message)

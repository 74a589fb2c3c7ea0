"""Waiting in tests: for a condition, never for a number of seconds.

No result depends on the speed of the machine. The only limit is for conditions that never hold.
"""

import time
from collections.abc import Callable, Iterator

GUARD = 300.0  # seconds: far more than any wait needs, even on a busy machine
_INTERVAL = 0.01  # seconds


def poll() -> Iterator[None]:
    """Yield until GUARD seconds have passed; the caller pauses between two polls."""
    guard = time.monotonic() + GUARD
    while time.monotonic() < guard:
        yield


def wait_until(condition: Callable[[], object], what: str = "condition") -> None:
    """Wait until a condition holds."""
    for _ in poll():
        if condition():
            return
        time.sleep(_INTERVAL)
    raise AssertionError(f"never happened: {what}")

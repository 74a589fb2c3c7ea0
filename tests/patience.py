"""Waiting in tests: for what has to come, never for seconds.

No verdict hangs on how fast the machine is. The one limit is for what would wait for ever.
"""

import time
from collections.abc import Callable, Iterator

GUARD = 900.0  # seconds: far beyond whatever a test waits for, also on a crowded machine
_MOMENT = 0.01  # seconds between two looks


def looks() -> Iterator[None]:
    """Yield again and again; whoever looks sees to it that a moment passes between two of them."""
    guard = time.monotonic() + GUARD
    while time.monotonic() < guard:
        yield


def wait_until(condition: Callable[[], object], what: str = "what was waited for") -> None:
    """Wait until a condition holds."""
    for _ in looks():
        if condition():
            return
        time.sleep(_MOMENT)
    raise AssertionError(f"in vain: {what}")

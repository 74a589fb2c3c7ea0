"""Waiting in tests: for what has to come, never for seconds.

No verdict hangs on how fast the machine is. The one limit is for what would wait for ever.
"""

import time
from collections.abc import Callable

GUARD = 1800.0  # seconds: far beyond whatever a test waits for, also on a crowded machine
_MOMENT = 0.01  # seconds between two looks


def wait_until(condition: Callable[[], object], what: str = "what was waited for") -> None:
    """Wait until a condition holds."""
    guard = time.monotonic() + GUARD
    while not condition():
        assert time.monotonic() < guard, f"in vain: {what}"
        time.sleep(_MOMENT)

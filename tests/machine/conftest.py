"""The clock of a probe's limit, set by a test."""

from collections.abc import Callable

import pytest
from waiting import GUARD

from workbench.machine import probe


@pytest.fixture
def limit_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let no second of a limit pass before a probe has reported certain bytes, then many."""

    def after(message: bytes, seconds: float = GUARD) -> None:
        newest: list[probe._Received] = []

        class Received(probe._Received):
            def __init__(self) -> None:
                super().__init__()
                newest[:] = [self]

        monkeypatch.setattr(probe, "_Received", Received)
        monkeypatch.setattr(
            probe.LoadAdjustedClock,
            "read",
            lambda clock: seconds if newest and message in newest[0].report else 0.0,
        )

    return after

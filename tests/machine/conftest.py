"""A probe's time goes by as a test has it."""

from collections.abc import Callable

import pytest
from patience import GUARD

from workbench.machine import probe


@pytest.fixture
def limit_after(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has no second of a limit pass before a probe has answered certain words, then many."""

    def after(words: bytes, seconds: float = GUARD) -> None:
        newest: list[probe._Heard] = []

        class Heard(probe._Heard):
            def __init__(self) -> None:
                super().__init__()
                newest[:] = [self]

        monkeypatch.setattr(probe, "_Heard", Heard)
        monkeypatch.setattr(
            probe.QuietClock,
            "read",
            lambda clock: seconds if newest and words in newest[0].answer else 0.0,
        )

    return after

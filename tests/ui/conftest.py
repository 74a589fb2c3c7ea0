"""No screen starts a worker that imports keras."""

import pytest
from ui_pilot import FakeWarmWorker

from workbench.ui import base


@pytest.fixture(autouse=True)
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> list[FakeWarmWorker]:
    """All that the app has started."""
    monkeypatch.setattr(base, "WarmWorker", FakeWarmWorker)
    monkeypatch.setattr(FakeWarmWorker, "made", [], raising=False)
    return FakeWarmWorker.made

"""No worker is started, and the digits are a few small images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ui_pilot import FakeWarmWorker

from workbench.app import lessons as learn_job
from workbench.ui import app as app_module


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The digits are a folder of small images, and no worker is started."""
    monkeypatch.setattr(app_module, "WarmWorker", FakeWarmWorker)
    monkeypatch.setattr(FakeWarmWorker, "made", [], raising=False)
    for label in range(2):
        folder = tmp_path / "digits" / str(label)
        folder.mkdir(parents=True)
        for number in range(20):
            Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / f"{number}.png")
    monkeypatch.setattr(learn_job, "fetch", lambda *given: tmp_path / "digits")

"""Gauges from another process, which may fall silent."""

from pathlib import Path

import pytest
from patience import GUARD

from workbench.machine.live import gauges


@pytest.fixture(autouse=True)
def _find_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__)
    monkeypatch.setenv("PYTHONPATH", f"{here.parent}:{here.parents[2]}")


def test_this_box() -> None:
    looks = gauges()
    look = next(look for look in looks if not look.silent)  # its start may be slow
    looks.close()
    assert 0 <= look.box["cpu"] <= 100
    assert 0 < look.box["memory_used"] < look.box["memory_total"]
    assert look.silent == 0


def test_silence_is_told_with_the_last_look() -> None:
    looks = gauges("fake_live", patience=0.2)
    # Its start may be slow: whatever comes before the look is silence too.
    first = next(look for look in looks if not look.silent)
    then = next(looks)
    looks.close()
    assert first.nvml.driver == "550"
    assert then.silent > 0
    assert (then.box, then.nvml) == (first.box, first.nvml)


def test_they_end_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LIVE", "end")
    assert [look.silent for look in gauges("fake_live", patience=GUARD)] == [0.0]

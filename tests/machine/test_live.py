"""Gauges from a child process, which may hang."""

from pathlib import Path

import pytest
from waiting import GUARD

from workbench.machine.live import gauges


@pytest.fixture(autouse=True)
def _find_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Path(__file__)
    monkeypatch.setenv("PYTHONPATH", f"{here.parent}:{here.parents[2]}")


def test_this_host() -> None:
    snapshots = gauges()
    snapshot = next(
        snapshot for snapshot in snapshots if not snapshot.silent
    )  # its start may be slow
    snapshots.close()
    assert 0 <= snapshot.host["cpu"] <= 100
    assert 0 < snapshot.host["memory_used"] < snapshot.host["memory_total"]
    assert snapshot.silent == 0


def test_silence_repeats_the_last_snapshot() -> None:
    snapshots = gauges("fake_live", patience=0.2)
    # Its start may be slow: time before the first snapshot counts as silence, too.
    first = next(snapshot for snapshot in snapshots if not snapshot.silent)
    then = next(snapshots)
    snapshots.close()
    assert first.nvml.driver == "550"
    assert then.silent > 0
    assert (then.host, then.nvml) == (first.host, first.nvml)


def test_they_end_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LIVE", "end")
    assert [snapshot.silent for snapshot in gauges("fake_live", patience=GUARD)] == [0.0]

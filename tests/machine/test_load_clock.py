"""Limits count the seconds of an otherwise idle machine."""

from pathlib import Path

import pytest

from workbench.machine import probe as module
from workbench.machine.probe import MIN_SHARE, LoadAdjustedClock, processor_share


@pytest.mark.parametrize(
    ("runnable", "processors", "share"),
    [
        (0, 2, 1.0),
        (1, 2, 1.0),
        (2, 2, 1.0),
        (3, 2, 2 / 3),
        (8, 2, 0.25),
        (19, 2, 2 / 19),
        (20, 2, MIN_SHARE),
        (21, 2, MIN_SHARE),
        (100_000, 2, MIN_SHARE),
        (8, 64, 1.0),
        (8, None, 0.125),  # how many there are is not known: one
    ],
)
def test_a_crowd_shares_the_processors(
    runnable: int,
    processors: int | None,
    share: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: processors)
    loadavg = tmp_path / "loadavg"
    loadavg.write_text(f"9.50 3.21 1.00 {runnable}/123456 4711\n")
    assert processor_share(loadavg) == share


@pytest.mark.parametrize("text", [None, "", "0.1 0.2 0.3", "0.1 0.2 0.3 many/9 1", "\u00e9"])
def test_where_the_load_is_not_known_it_counts_as_none(text: str | None, tmp_path: Path) -> None:
    loadavg = tmp_path / "loadavg"
    if text is not None:
        loadavg.write_text(text, encoding="utf-8")
    assert processor_share(loadavg) == 1.0


def test_a_crowded_second_counts_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    now, shares = [100.0], iter([1.0, 0.25, 0.5])
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module, "processor_share", lambda: next(shares))
    clock = LoadAdjustedClock()
    now[0] += 2
    assert clock.read() == 2.0
    now[0] += 4
    assert clock.read() == 3.0
    assert clock.read() == 3.0

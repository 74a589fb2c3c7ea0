"""Compiling and work are separated by how long steps take."""

import pytest

from workbench.training.stage_events import StepTimes, compile_seconds


@pytest.mark.parametrize(
    ("steps", "compiling"),
    [
        ([], 0.0),
        ([3.0], 0.0),  # nothing to compare with
        ([5.1, 1.0], pytest.approx(4.1)),
        ([5.0, 1.0], 0.0),
        ([9.0, 1.0, 7.0], pytest.approx(14.0)),
        ([1.0, 1.0, 1.0], 0.0),
        ([9.0, 1.0, 1.0, 1.0], 8.0),
        ([5.0, 1.0, 1.0, 1.0], 0.0),  # five times as much: may be work
        ([5.1, 1.0, 1.0, 1.0], pytest.approx(4.1)),
        ([9.0, 1.0, 1.0, 1.0, 7.0], pytest.approx(14.0)),  # the last batch has another size
    ],
)
def test_compile_seconds(steps: list[float], compiling: float) -> None:
    assert compile_seconds(steps) == compiling


@pytest.mark.parametrize(
    ("training", "validation", "enough"),
    [(2, 0, False), (3, 0, True), (3, 1, False), (3, 2, False), (3, 3, True), (0, 3, False)],
)
def test_enough_steps(training: int, validation: int, enough: bool) -> None:
    times = StepTimes()
    for watch, count in ((times.training, training), (times.validation, validation)):
        for _ in range(count):
            with watch:
                pass
    assert times.has_enough_steps is enough
    assert len(times.training.seconds) == training

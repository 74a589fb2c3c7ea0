"""Compiling told from work by how long steps take."""

import pytest

from workbench.training.timing import StepTimes, compile_seconds


@pytest.mark.parametrize(
    ("steps", "compiling"),
    [
        ([], 0.0),
        ([3.0], 0.0),  # nothing to hold it against
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
    ("training", "validation", "telling"),
    [(2, 0, False), (3, 0, True), (3, 1, False), (3, 2, False), (3, 3, True), (0, 3, False)],
)
def test_too_few_steps_tell_nothing(training: int, validation: int, telling: bool) -> None:
    times = StepTimes()
    for watch, count in ((times.training, training), (times.validation, validation)):
        for _ in range(count):
            with watch:
                pass
    assert times.telling is telling
    assert len(times.training.seconds) == training

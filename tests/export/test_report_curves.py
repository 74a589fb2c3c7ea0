"""Curves as SVG: positions of points, gaps, marks."""

import re

import pytest
from event_lines import event

from workbench.export.curves import HEIGHT, WIDTH, curve_figure
from workbench.runs.history import History, fold


def history(*losses: float | None, stage_of: int = 99, kept: int | None = None) -> History:
    """Epochs with these losses; those from `stage_of` on belong to a second stage."""
    events = []
    for n, loss in enumerate(losses):
        stage = int(n >= stage_of)
        epoch = n + 1 - stage * stage_of
        events += [event("stage_started", stage=stage, name=f"<{stage}>")] * (epoch == 1)
        events.append(event("epoch_finished", stage=stage, epoch=epoch, loss=loss))
    if kept is not None:
        events.append(event("stage_finished", stage=0, kept_epoch=kept))
    return fold(events)


def points(figure: str, name: str = "train") -> list[tuple[float, float]]:
    found = re.findall(rf'<circle class="{name}" cx="([^"]+)" cy="([^"]+)"', figure)
    return [(float(x), float(y)) for x, y in found]


def test_higher_is_further_up_and_later_is_further_right() -> None:
    (first, second, third) = points(curve_figure(history(1.0, 0.5, 0.75), "loss"))
    assert first[0] < second[0] < third[0]
    assert first[1] < third[1] < second[1]
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], abs=0.11)


@pytest.mark.parametrize(
    "losses", [(0.5,), (0.5, 0.5), (0.0,), (1e-30, 2e-30), (1e30, 1.0), (-1.0,)]
)
def test_all_values_are_within_the_picture(losses: tuple[float, ...]) -> None:
    figure = curve_figure(history(*losses), "loss")
    assert len(points(figure)) == len(losses)
    for x, y in points(figure):
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
    assert "nan" not in figure


def test_what_was_not_measured_is_a_gap() -> None:
    figure = curve_figure(history(1.0, 0.9, None, 0.7, 0.6), "loss")
    assert len(points(figure)) == 4
    (path,) = re.findall(r'<path class="train" d="([^"]+)"', figure)
    assert path.count("M") == 2
    assert points(figure, "validation") == []


def test_nothing_measured_draws_nothing() -> None:
    assert curve_figure(history(None, None), "loss") == ""
    assert curve_figure(history(1.0), "accuracy") == ""
    assert curve_figure(History(), "loss") == ""


def test_stages_and_the_kept_epoch_are_marked_and_names_are_escaped() -> None:
    figure = curve_figure(history(1.0, 0.9, 0.8, stage_of=2), "loss")
    assert figure.count('class="border"') == 1
    assert "&lt;1&gt;</text>" in figure
    assert "stage 2, epoch 1: 0.8000" in figure
    assert 'class="kept"' not in figure
    assert ">kept</text>" in curve_figure(history(1.0, 0.9, kept=2), "loss")


def test_long_runs_stay_small() -> None:
    few = curve_figure(history(*[0.5] * 120), "loss")
    assert len(points(few)) == 120
    many = curve_figure(history(*[0.5] * 20_000), "loss")
    assert points(many) == []
    assert len(many) < 40_000

"""Which epochs of a plot are drawn."""

import pytest

from workbench.render.epoch_window import MIN_WINDOW, EpochWindow


def test_all_epochs_are_drawn_at_first() -> None:
    assert EpochWindow().span(26) is None
    assert EpochWindow(10).span(10) is None
    assert EpochWindow(10).span(11) == (2, 11)


def test_without_a_cursor_the_newest_epochs_are_drawn() -> None:
    half = EpochWindow().zoomed(1, 25, None)
    assert half == EpochWindow(13, None)
    assert (half.span(25), half.span(26)) == ((13, 25), (14, 26))


@pytest.mark.parametrize(("cursor", "span"), [(1, (1, 13)), (13, (7, 19)), (26, (14, 26))])
def test_the_cursor_is_in_the_middle_where_there_is_room(
    cursor: int, span: tuple[int, int]
) -> None:
    assert EpochWindow().zoomed(1, 26, cursor).span(26) == span


def test_there_is_a_smallest_window_and_a_largest() -> None:
    window = EpochWindow()
    spans = []
    for step in (1, 1, 1, -1, -1, -1):
        window = window.zoomed(step, 26, 20)
        spans.append(window.span(26))
    assert spans == [(14, 26), (17, 23), (18, 22), (15, 24), (7, 26), None]
    assert EpochWindow().zoomed(1, MIN_WINDOW, None).span(MIN_WINDOW) is None
    assert EpochWindow().zoomed(1, MIN_WINDOW + 1, None).span(MIN_WINDOW + 1) == (2, MIN_WINDOW + 1)


def test_the_window_follows_the_cursor() -> None:
    window = EpochWindow(5, 10)
    assert window.with_cursor(10, 26).span(26) == (10, 14)
    assert window.with_cursor(9, 26).span(26) == (9, 13)
    assert window.with_cursor(15, 26).span(26) == (11, 15)
    assert window.with_cursor(None, 26).span(26) == (22, 26)

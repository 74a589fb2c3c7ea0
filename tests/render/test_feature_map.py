"""The map of images: where they lie, and how the cursor moves among them."""

import numpy as np
import pytest

from workbench.render.feature_map import FeatureMap, letter_of, map_legend


def made(points: list[tuple[float, float]], labels: list[int], size: tuple[int, int]) -> FeatureMap:
    return FeatureMap(np.array(points, float), np.array(labels), *size)


# Four corners of a square, one at its centre.
SQUARE = [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5)]


def test_images_lie_where_their_points_are() -> None:
    drawn = made(SQUARE, [0, 1, 2, 3, 4], (5, 3)).draw().plain
    assert drawn == "c   d\n  e  \na   b"


def test_a_cell_of_several_has_the_letter_of_the_most_frequent_label_in_upper_case() -> None:
    points = [*SQUARE, (0.5, 0.5), (0.5, 0.5)]
    assert made(points, [0, 1, 2, 3, 4, 7, 7], (5, 3)).draw().plain.splitlines()[1] == "  H  "


def test_outliers_lie_on_the_border_and_set_no_scale() -> None:
    points = [(x / 99, 0.0) for x in range(100)] + [(1e6, 0.0)]
    drawn = made(points, [0] * 101, (10, 1)).draw().plain
    assert drawn.strip("aA") == ""


def test_equal_points_share_a_cell() -> None:
    found = made([(3, 3)] * 4, [0] * 4, (7, 7))
    assert list(found.cells.values()) == [[0, 1, 2, 3]]
    assert found.draw().plain.replace("\n", "").strip() == "A"


@pytest.mark.parametrize(
    ("start", "move", "end"),
    [
        ((0, 2), (1, 0), (2, 1)),  # as far as (4, 2), counted so
        ((0, 2), (0, -1), (0, 0)),
        ((2, 1), (1, 0), (4, 0)),  # equally near: the upper one
        ((4, 0), (1, 0), (4, 0)),  # nothing lies there
        ((4, 0), (0, 1), (4, 2)),
        ((4, 0), (-1, 0), (0, 0)),
    ],
)
def test_the_cursor_goes_to_the_nearest_cell_ahead(
    start: tuple[int, int], move: tuple[int, int], end: tuple[int, int]
) -> None:
    assert made(SQUARE, [0, 1, 2, 3, 4], (5, 3)).step(start, *move) == end


def test_the_cursor_is_reversed() -> None:
    drawn = made(SQUARE, [0] * 5, (5, 3)).draw((2, 1))
    (span,) = [span for span in drawn.spans if "reverse" in str(span.style)]
    assert drawn.plain[span.start : span.end] == "a"
    assert made(SQUARE, [0] * 5, (5, 3)).cell_of(4) == (2, 1)


def test_the_legend_ends_where_the_room_does() -> None:
    assert map_legend(["cat", "dog"], 40).plain == "a cat  b dog  "
    assert map_legend(["cat", "dog"], 10).plain == "a cat  ..."
    assert [letter_of(at) for at in (0, 25, 26)] == ["a", "z", "a"]

"""Dark, overexposed, nearly empty, blurred and odd-shaped images: both sides of each limit."""

import numpy as np
import pytest

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.quality import BLURRED, find_odd_images, uneven_class

SPREAD = np.linspace(0, 1, 40)  # values of an image that is not empty


def image(
    path: str = "x",
    label: str = "a",
    low: float = 40,
    high: float = 200,
    sharpness: float = 50.0,
    size: tuple[int, int] = (100, 100),
    values: int = 40,
    colour: tuple[int, int, int] | None = None,
) -> ScanRecord:
    """A record whose values are spread evenly from low to high."""
    roots = np.zeros(256, np.uint8)
    roots[np.rint(np.linspace(low, high, values)).astype(int)] = 40
    return ScanRecord(
        path,
        label,
        None,
        width=size[0],
        height=size[1],
        pixel_hash=path,
        histogram=roots.tobytes(),
        colour=colour or (round((low + high) / 2),) * 3,
        sharpness=sharpness,
    )


def codes(odd: ScanRecord, others: int = 9) -> list[str]:
    records = [odd, *(image(f"o{n}") for n in range(others))]
    found = find_odd_images(records)
    assert all(some == [odd] for some in found.values())
    return list(found)


def test_ordinary_images_are_not_odd() -> None:
    assert codes(image()) == []


@pytest.mark.parametrize(("high", "odd"), [(81, ["dark"]), (82, [])])
def test_dark_is_where_hardly_a_value_reaches_a_third(high: int, odd: list[str]) -> None:
    assert codes(image(low=10, high=high)) == odd


@pytest.mark.parametrize(("low", "odd"), [(243, ["overexposed"]), (242, [])])
def test_overexposed_is_where_hardly_a_value_is_below_white(low: int, odd: list[str]) -> None:
    assert codes(image(low=low, high=255, values=256 - low)) == odd


@pytest.mark.parametrize(("values", "odd"), [(7, ["nearly-empty"]), (9, [])])
def test_nearly_empty_is_less_than_three_bits(values: int, odd: list[str]) -> None:
    assert codes(image(values=values)) == odd


def test_a_red_image_is_not_dark_and_a_yellow_one_not_overexposed() -> None:
    assert codes(image(low=10, high=60, colour=(82, 35, 20))) == []
    assert codes(image(low=10, high=60, colour=(81, 35, 20))) == ["dark"]
    assert codes(image(low=243, high=255, values=13, colour=(250, 250, 242))) == []
    assert codes(image(low=243, high=255, values=13, colour=(250, 250, 243))) == ["overexposed"]


def test_a_black_image_is_nearly_empty_and_not_dark_too() -> None:
    assert codes(image(low=0, high=3, values=4, sharpness=0.0)) == ["nearly-empty"]


@pytest.mark.parametrize(("sharpness", "odd"), [(19.9, ["blurred"]), (20.0, [])])
def test_blurred_is_far_below_the_median(sharpness: float, odd: list[str]) -> None:
    assert codes(image(sharpness=sharpness)) == odd


def test_among_very_sharp_images_a_fixed_limit_holds() -> None:
    records = [image(f"{n}", sharpness=200.0) for n in range(9)]
    odd = image("odd", sharpness=BLURRED - 0.1)
    assert find_odd_images([*records, odd]) == {"blurred": [odd]}
    assert find_odd_images([*records, image("odd", sharpness=BLURRED)]) == {}


@pytest.mark.parametrize(
    ("size", "odd"),
    [((35, 100), []), ((34, 100), ["odd-shape"]), ((100, 34), ["odd-shape"]), ((100, 35), [])],
)
def test_odd_shapes_are_three_times_as_long(size: tuple[int, int], odd: list[str]) -> None:
    assert codes(image(size=size)) == odd


def test_what_most_images_are_is_not_odd() -> None:
    dark = [image(f"d{n}", low=10, high=60) for n in range(6)]
    bright = [image(f"b{n}") for n in range(6)]
    assert find_odd_images([*dark, *bright]) == {"dark": dark}
    assert find_odd_images([*dark, *bright[1:]]) == {}


def test_images_too_small_to_be_measured_have_no_oddity_but_their_shape() -> None:
    digits = [ScanRecord(f"{n}", "a", None, width=28, height=28) for n in range(9)]
    assert find_odd_images(digits) == {}
    assert find_odd_images([]) == {}


@pytest.mark.parametrize(
    ("night", "day", "uneven"), [(11, 1, ("night", 11)), (6, 6, ("", 0)), (4, 0, ("", 0))]
)
def test_an_uneven_distribution_names_its_class(
    night: int, day: int, uneven: tuple[str, int]
) -> None:
    records = [image(f"{label}{n}", label) for label in ("night", "day") for n in range(50)]
    some = [*records[:night], *records[50 : 50 + day]]
    assert uneven_class(some, records) == uneven


def test_of_a_single_class_nothing_is_uneven() -> None:
    records = [image(f"{n}") for n in range(20)]
    assert uneven_class(records[:9], records) == ("", 0)

"""The measures of made-up images have values that one can work out; a scan keeps them."""

from pathlib import Path

import numpy as np
import pytest
from image_files import photo
from PIL import Image

from workbench.datasets.measures import (
    entropy,
    measure,
    percentile,
    reduced,
    roots,
    shares,
)
from workbench.datasets.scan import CACHE_NAME, scan
from workbench.datasets.sources.opening import open_source

Image_ = Image.Image


def measured(image: Image_) -> tuple[bytes, tuple[int, int, int], float]:
    return measure(image, reduced(image.convert("L")))


def two_values(low: int, high: int, share: float, side: int = 100) -> Image_:
    """Grey: the lower part of the image, `share` of it, is high."""
    values = np.full((side, side), low, np.uint8)
    values[side - round(share * side) :] = high
    return Image.fromarray(values)


def test_a_plain_surface_has_one_value_and_no_edges() -> None:
    histogram, colour, sharpness = measured(Image.new("L", (100, 50), 7))
    assert np.flatnonzero(roots([histogram])[0]).tolist() == [7]
    assert roots([histogram])[0, 7] == 255
    assert (colour, sharpness) == ((7, 7, 7), 0.0)


def test_colours_have_a_mean_each_and_green_has_a_histogram() -> None:
    histogram, colour, _ = measured(Image.new("RGB", (40, 40), (200, 100, 0)))
    assert colour == (200, 100, 0)
    assert np.flatnonzero(roots([histogram])[0]).tolist() == [100]


def test_percentiles_and_entropy_come_from_the_histogram() -> None:
    images = [two_values(10, 200, share) for share in (0.0, 0.005, 0.02, 0.5, 0.94, 0.96)]
    values = shares([measured(image)[0] for image in images])
    assert values.sum(axis=1) == pytest.approx(np.ones(6))
    assert percentile(values, 99).tolist() == [10, 10, 200, 200, 200, 200]
    assert percentile(values, 5).tolist() == [10, 10, 10, 10, 10, 200]
    assert entropy(values)[[0, 3]] == pytest.approx([0, 1])


def test_the_entropy_of_all_values_alike_is_eight_bits() -> None:
    ramp = Image.fromarray(np.tile(np.arange(128, dtype=np.uint8), (128, 1)))
    whole = Image.fromarray(np.arange(256, dtype=np.uint8).repeat(64).reshape(128, 128))
    assert entropy(shares([measured(i)[0] for i in (ramp, whole)])) == pytest.approx([7, 8])


def test_sharpness_is_the_deviation_of_edges() -> None:
    board = np.zeros((34, 34), np.uint8)
    board[1:-1:2, 1:-1:2] = 10  # every fourth inner pixel has an edge of 80, the others below 0
    assert measured(Image.fromarray(board))[2] == pytest.approx(80 * (0.25 * 0.75) ** 0.5, abs=0.05)


def test_blurring_takes_sharpness_whatever_the_size() -> None:
    from PIL import ImageFilter

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8))
    soft = noise.filter(ImageFilter.GaussianBlur(12))
    assert measured(soft)[2] < measured(noise)[2] / 4


def test_large_images_are_sampled_not_averaged() -> None:
    board = (np.indices((999, 999)).sum(axis=0) % 2 * 255).astype(np.uint8)
    values = np.flatnonzero(roots([measured(Image.fromarray(board))[0]])[0])
    assert set(values.tolist()) <= {0, 255}


@pytest.mark.parametrize(("size", "kept"), [((32, 32), True), ((31, 32), False), ((32, 31), False)])
def test_images_from_32_pixels_are_measured(
    size: tuple[int, int], kept: bool, tmp_path: Path, folder: Path
) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        photo(1, *size).save(tmp_path / "data" / label / "1.png")
    for _ in range(2):  # read, then kept
        one, _other = scan(open_source(tmp_path / "data"), folder)
        expected = measured(photo(1, *size)) if kept else (b"", None, None)
        assert (one.histogram, one.colour, one.sharpness) == expected


def test_a_record_with_impossible_measures_is_read_again(tmp_path: Path, folder: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        photo(1, 40, 40).save(tmp_path / "data" / label / "1.png")
    first = scan(open_source(tmp_path / "data"), folder)
    cache = folder / CACHE_NAME
    good = cache.read_text()
    red, green, blue = first[0].colour or (0, 0, 0)
    for old, new in (
        (f"[{red},{green},{blue}]", f"[{red},{green}]"),
        (f"[{red},{green},{blue}]", f"[{red},{green},999]"),
        (f"[{red},{green},{blue}]", f'[{red},{green},"x"]'),
        (first[0].histogram.hex(), first[0].histogram.hex()[:-2]),
        (f'"sharpness":{first[0].sharpness}', '"sharpness":NaN'),
        (f'"sharpness":{first[0].sharpness}', '"sharpness":-1.0'),
    ):
        assert old in good
        cache.write_text(good.replace(old, new))
        assert scan(open_source(tmp_path / "data"), folder) == first


def test_compression_is_the_sum_of_a_jpegs_first_table(tmp_path: Path, folder: Path) -> None:
    for label, quality in (("a", 75), ("b", 95)):
        (tmp_path / "data" / label).mkdir(parents=True)
        photo(1, 40, 40).save(tmp_path / "data" / label / "1.jpg", quality=quality)
        photo(1, 40, 40).save(tmp_path / "data" / label / "2.png")
    records = scan(open_source(tmp_path / "data"), folder)
    with Image.open(tmp_path / "data/a/1.jpg") as image:
        table = sum(image.quantization[0])  # type: ignore[attr-defined]
    assert [record.compression for record in records] == [table, 0, records[2].compression, 0]
    assert 0 < records[2].compression < table

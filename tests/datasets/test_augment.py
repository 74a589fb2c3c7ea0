"""Drawing, composing and applying changes to training images."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from workbench.datasets.augment import Draw, augment, draw, matrix
from workbench.experiment.augmentation import IMAGE_CHANGES, AugmentationSpec

NEAREST = AugmentationSpec(fill="nearest")
BLACK = AugmentationSpec(fill="black")
BOOK = AugmentationSpec(
    rotation=40, width_shift=0.2, height_shift=0.2, shear=11.46, zoom=0.2, horizontal_flip=True
)
EVERYTHING = BOOK.model_copy(update={"vertical_flip": True, "brightness": 0.3, "contrast": 0.4})


def noise(height: int = 6, width: int = 8, channels: int = 3) -> np.ndarray:
    """An image in which no two pixels are likely to agree."""
    return np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)


def smooth(height: int, width: int, channels: int) -> np.ndarray:
    """An image of soft blobs from black to white."""
    blobs = ndimage.gaussian_filter(
        np.random.default_rng(2).normal(size=(height, width, channels)), (4, 4, 0)
    )
    return ((blobs - blobs.min()) / np.ptp(blobs) * 255).astype(np.uint8)


# Drawing


def test_a_draw_is_a_function_of_its_arguments() -> None:
    assert draw(EVERYTHING, 1, 0, 3, 2**64 - 1) == draw(EVERYTHING, 1, 0, 3, 2**64 - 1)


@pytest.mark.parametrize("other", [(2, 0, 3, 9), (1, 1, 3, 9), (1, 0, 4, 9), (1, 0, 3, 8)])
def test_another_seed_stage_view_or_content_draws_again(other: tuple[int, int, int, int]) -> None:
    assert draw(BOOK, *other) != draw(BOOK, 1, 0, 3, 9)


def test_draws_are_the_same_in_every_version() -> None:
    assert draw(BOOK, 1, 0, 3, 9).rotation == -12.994020402660897


def test_nothing_is_drawn_where_nothing_is_switched_on() -> None:
    assert draw(NEAREST, 1, 0, 3, 9) == Draw()


@pytest.mark.parametrize("name", [n for n in IMAGE_CHANGES if n != "random_crop"])
def test_switching_a_change_off_leaves_the_others_as_they_were(name: str) -> None:
    off = EVERYTHING.model_copy(update={name: type(getattr(EVERYTHING, name))()})
    with_it = asdict(draw(EVERYTHING, 1, 0, 3, 9))
    without = asdict(draw(off, 1, 0, 3, 9))
    own = {"zoom_y", "zoom_x"} if name == "zoom" else {name}
    assert {key for key in with_it if with_it[key] != without[key]} <= own


def test_draws_fill_their_ranges_evenly() -> None:
    draws = [asdict(draw(EVERYTHING, 1, 0, 3, content)) for content in range(2000)]
    ranges = {
        "rotation": (-40, 40),
        "height_shift": (-0.2, 0.2),
        "width_shift": (-0.2, 0.2),
        "shear": (-11.46, 11.46),
        "zoom_y": (0.8, 1.2),
        "zoom_x": (0.8, 1.2),
        "brightness": (0.7, 1.3),
        "contrast": (0.6, 1.4),
    }
    for name, (low, high) in ranges.items():
        values = np.array([values[name] for values in draws])
        span = high - low
        assert low <= values.min() < low + 0.01 * span, name
        assert high - 0.01 * span < values.max() <= high, name
        assert abs(values.mean() - (low + high) / 2) < 0.03 * span, name
    for name in ("horizontal_flip", "vertical_flip"):
        assert 900 < sum(values[name] for values in draws) < 1100


def test_changes_are_drawn_independently() -> None:
    numeric = np.array(
        [list(asdict(draw(EVERYTHING, 1, 0, 3, c)).values())[:-4] for c in range(2000)], np.float64
    )  # without a crop, whose sides depend on one another
    correlations = np.corrcoef(numeric.T) - np.eye(numeric.shape[1])
    assert np.abs(correlations).max() < 0.1


def test_a_crop_is_a_part_of_the_area_inside_the_image() -> None:
    spec = AugmentationSpec(random_crop=0.35)
    found = [draw(spec, 1, 0, 3, content) for content in range(2000)]
    top, left, height, width = (
        np.array([getattr(one, name) for one in found])
        for name in ("top", "left", "height", "width")
    )
    area, ratio = height * width, height / width
    for values, low, high in ((area, 0.35, 1.0), (ratio, 3 / 4, 4 / 3)):
        assert low - 1e-9 <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high + 1e-9
    assert abs(area.mean() - 0.675) < 0.02
    assert abs(np.log(ratio).mean()) < 0.02
    for first, side in ((top, height), (left, width)):
        assert first.min() >= 0
        assert (first + side).max() <= 1 + 1e-9
        assert abs((first / (1 - side + 1e-12)).mean() - 0.5) < 0.05
    assert replace(found[0], top=0, left=0, height=1, width=1) == Draw()


def test_a_crop_leaves_the_other_draws_as_they_were() -> None:
    crop = EVERYTHING.model_copy(update={"random_crop": 0.5})
    with_it, without = draw(crop, 1, 0, 3, 9), draw(EVERYTHING, 1, 0, 3, 9)
    assert replace(with_it, top=0.0, left=0.0, height=1.0, width=1.0) == without


# Composing


def test_changes_compose_as_rotation_shift_shear_zoom_about_the_centre() -> None:
    turn, slant = np.deg2rad(30), np.deg2rad(10)
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    shift = [[1, 0, 0.1 * 40], [0, 1, -0.2 * 60], [0, 0, 1]]
    shear = [[1, -np.sin(slant), 0], [0, np.cos(slant), 0], [0, 0, 1]]
    zoom = [[0.8, 0, 0], [0, 1.2, 0], [0, 0, 1]]
    to_centre = np.array([[1, 0, 40 / 2 - 0.5], [0, 1, 60 / 2 - 0.5], [0, 0, 1]])
    expected = np.linalg.multi_dot(
        [to_centre, rotation, shift, shear, zoom, np.linalg.inv(to_centre)]
    )
    composed = matrix(Draw(30, 0.1, -0.2, 10, 0.8, 1.2), 40, 60)
    np.testing.assert_allclose(composed, expected, atol=1e-8)


def test_a_crop_fills_the_image_with_a_part() -> None:
    """Twice as large: each pixel of the part becomes four, as Pillow resizes a box."""
    image = smooth(40, 60, 3)
    found = augment(image, NEAREST, Draw(top=0.25, left=0.5, height=0.5, width=0.5))
    box = (30, 10, 60, 30)
    expected = np.asarray(Image.fromarray(image).resize((60, 40), Image.Resampling.BILINEAR, box))
    inner = found[2:-2, 2:-2].astype(int) - expected[2:-2, 2:-2]
    assert np.abs(inner).max() <= 1


def test_other_changes_come_after_the_crop() -> None:
    part = {"top": 0.1, "left": 0.3, "height": 0.6, "width": 0.5}
    cropped, turned = matrix(Draw(**part), 40, 60), matrix(Draw(rotation=30), 40, 60)
    np.testing.assert_allclose(
        matrix(Draw(rotation=30, **part), 40, 60), cropped @ turned, atol=1e-7
    )


def test_flips_come_after_all_other_moves() -> None:
    moves = {"rotation": 25.0, "height_shift": 0.1, "width_shift": 0.2, "shear": 5.0}
    image = smooth(40, 30, 3)
    unflipped = augment(image, NEAREST, Draw(**moves))
    across = augment(image, NEAREST, Draw(**moves, horizontal_flip=True))
    down = augment(image, NEAREST, Draw(**moves, vertical_flip=True))
    assert np.abs(across.astype(int) - unflipped[:, ::-1]).max() <= 1
    assert np.abs(down.astype(int) - unflipped[::-1]).max() <= 1


# Applying


def test_no_change_returns_the_image_itself() -> None:
    image = noise()
    assert augment(image, NEAREST, Draw()) is image


@pytest.mark.parametrize("spec", [NEAREST, BLACK])
@pytest.mark.parametrize("channels", [1, 3])
def test_flips_mirror_exactly(spec: AugmentationSpec, channels: int) -> None:
    image = noise(5, 8, channels)
    assert (augment(image, spec, Draw(horizontal_flip=True)) == image[:, ::-1]).all()
    assert (augment(image, spec, Draw(vertical_flip=True)) == image[::-1]).all()
    both = augment(image, spec, Draw(horizontal_flip=True, vertical_flip=True))
    assert (both == image[::-1, ::-1]).all()


@pytest.mark.parametrize("spec", [NEAREST, BLACK])
def test_a_quarter_turn_is_clockwise_and_exact(spec: AugmentationSpec) -> None:
    image = noise(7, 7)
    assert (augment(image, spec, Draw(rotation=90)) == np.rot90(image, -1)).all()
    assert (augment(image, spec, Draw(rotation=-90)) == np.rot90(image)).all()


@pytest.mark.parametrize(("rows", "columns"), [(2, 0), (-2, 0), (0, 3), (0, -3), (1, -4), (9, 20)])
def test_a_shift_by_whole_pixels_repeats_the_edge(rows: int, columns: int) -> None:
    image = noise(10, 20)
    shifted = augment(image, NEAREST, Draw(height_shift=rows / 10, width_shift=columns / 20))
    from_rows = np.clip(np.arange(10) + rows, 0, 9)
    from_columns = np.clip(np.arange(20) + columns, 0, 19)
    assert (shifted == image[from_rows][:, from_columns]).all()


def test_a_positive_shift_moves_up_and_left_over_black() -> None:
    image = noise(10, 20) | 1  # nowhere black
    shifted = augment(image, BLACK, Draw(height_shift=0.2, width_shift=0.15))
    assert (shifted[:8, :17] == image[2:, 3:]).all()
    assert not shifted[8:].any()
    assert not shifted[:, 17:].any()


def test_zoom_above_one_shows_more_than_the_image() -> None:
    image = np.full((9, 9, 1), 200, np.uint8)
    seen = augment(image, BLACK, Draw(zoom_y=3.0, zoom_x=3.0))
    assert (seen[3:6, 3:6] == 200).all()
    assert not seen[:3].any()
    assert not seen[:, 6:].any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("content", range(12))
def test_nearest_fill_agrees_with_scipy(content: int, channels: int) -> None:
    image = smooth(60, 45, channels)
    drawn = draw(BOOK, 1, 0, 1, content)
    moved = matrix(drawn, 60, 45)
    expected = np.stack(
        [
            ndimage.affine_transform(
                image[:, :, c].astype(np.float64), moved[:2, :2], moved[:2, 2], order=1,
                mode="nearest",
            )
            for c in range(channels)
        ],
        axis=-1,
    )  # fmt: skip
    found = augment(image, BOOK, drawn)
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    difference = expected - found  # Pillow rounds down
    assert difference.min() > -1e-3
    assert difference.max() < 1 + 1e-3


def test_the_largest_moves_stay_within_the_repeated_edges() -> None:
    image = np.full((24, 16, 3), 7, np.uint8)  # anything black was not filled
    largest = AugmentationSpec(
        rotation=180, width_shift=0.9, height_shift=0.9, shear=60, zoom=0.9, vertical_flip=True
    )
    for content in range(200):
        assert (augment(image, largest, draw(largest, 1, 0, 1, content)) == 7).all()


# Grey levels


def test_brightness_multiplies_and_clips() -> None:
    image = np.array([[[0], [100], [200], [255]]], np.uint8)
    assert augment(image, NEAREST, Draw(brightness=1.5)).ravel().tolist() == [0, 150, 255, 255]
    assert augment(image, NEAREST, Draw(brightness=0.5)).ravel().tolist() == [0, 50, 100, 128]


def test_contrast_scales_around_the_mean() -> None:
    image = np.array([[[100], [110], [90], [20], [180]]], np.uint8)  # mean 100
    assert augment(image, NEAREST, Draw(contrast=1.5)).ravel().tolist() == [100, 115, 85, 0, 220]
    assert augment(image, NEAREST, Draw(contrast=0.5)).ravel().tolist() == [100, 105, 95, 60, 140]


def test_contrast_scales_around_the_mean_of_the_brightened_image() -> None:
    image = np.array([[[50], [150]]], np.uint8)
    both = augment(image, NEAREST, Draw(brightness=1.2, contrast=0.5))
    assert both.ravel().tolist() == [90, 150]  # 60 and 180 around 120


def test_a_black_background_stays_black_when_contrast_falls() -> None:
    image = np.array([[[50], [150], [100], [100]]], np.uint8)
    changed = augment(image, BLACK, Draw(width_shift=0.5, contrast=0.5))
    assert changed.ravel().tolist() == [100, 100, 0, 0]


def test_the_given_image_is_not_modified() -> None:
    image = noise(30, 30)
    before = image.copy()
    image.flags.writeable = False
    for content in range(20):
        augment(image, EVERYTHING, draw(EVERYTHING, 1, 0, 1, content))
    assert (image == before).all()

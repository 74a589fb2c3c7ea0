"""Planted shortcuts are named by property, class and accuracy; without one there is silence."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workbench.datasets.manifest import ScanRecord
from workbench.datasets.measures import measure, reduced
from workbench.datasets.shortcuts import BRIGHTNESS, MIN_IMAGES, find_shortcuts

LABELS = ("cat", "dog", "eel")


def records(count: int = 40, labels: tuple[str, ...] = LABELS, seed: int = 0) -> list[ScanRecord]:
    """Images whose every property is chance."""
    rng = np.random.default_rng(seed)

    def one(label: str, number: int) -> ScanRecord:
        width, height = rng.integers(200, 400, 2).tolist()
        return ScanRecord(
            f"{label}/{number}",
            label,
            None,
            width,
            height,
            int(rng.integers(5000, 50000)),
            f"{label}{number}",
            format=str(rng.choice(["JPEG", "PNG"])),
            mode="RGB",
            camera=str(rng.choice(["", "Canon", "Nikon"])),
            taken=f"2021-0{rng.integers(1, 10)}-11 10:00:00",
            compression=int(rng.choice([1000, 2000])),
            colour=tuple(rng.integers(50, 200, 3).tolist()),
            sharpness=float(rng.integers(20, 60)),
        )

    return [one(label, number) for label in labels for number in range(count)]


def planted(label: str, change: Callable[[int], dict[str, Any]], **given: Any) -> list[ScanRecord]:
    found = records(**given)
    return [replace(r, **change(n)) if r.label == label else r for n, r in enumerate(found)]


@pytest.mark.parametrize("seed", range(20))
def test_chance_is_no_shortcut(seed: int) -> None:
    assert find_shortcuts(records(seed=seed)) == []


@pytest.mark.parametrize(
    ("name", "change", "value"),
    [
        ("file format", {"format": "WEBP"}, "WEBP"),
        ("camera", {"camera": "Leica M"}, "Leica M"),
        ("colour mode", {"mode": "L"}, "L"),
        ("JPEG compression", {"compression": 400}, "below 700"),
        ("width", {"width": 900, "height": 850}, None),
        ("date", {"taken": "2023-05-05 10:00:00"}, None),
        ("date", {"taken": ""}, "none"),
        ("sharpness", {"sharpness": 90.0}, None),
        ("mean red", {"colour": (250, 100, 100)}, None),
    ],
)
def test_a_planted_property_is_named(name: str, change: dict[str, Any], value: str | None) -> None:
    found = {one.name: one for one in find_shortcuts(planted("dog", lambda _: change))}
    one = found[name]
    assert (one.label, one.accuracy, one.share, one.found) == ("dog", 1.0, 1.0, 1.0)
    assert value in (None, one.value)


def test_part_of_a_class_gives_its_accuracy() -> None:
    changed = planted("dog", lambda n: {"camera": "Leica" if n % 5 else "Canon"})
    (one,) = find_shortcuts(changed)
    assert (one.name, one.label, one.value) == ("camera", "dog", "Leica")
    assert (one.share, one.found) == (1.0, 0.8)
    assert one.accuracy == pytest.approx(0.9, abs=0.05)


def test_one_class_of_very_many_is_found() -> None:
    labels = tuple(f"c{n}" for n in range(50))
    (one,) = find_shortcuts(planted("c7", lambda _: {"mode": "L"}, count=25, labels=labels))
    assert (one.name, one.label, one.accuracy) == ("colour mode", "c7", 1.0)


@pytest.mark.parametrize(("least", "found"), [(0, 1), (-1, 0)])
def test_a_few_images_prove_nothing(least: int, found: int) -> None:
    given = planted("dog", lambda _: {"mode": "L"}, count=MIN_IMAGES + least)
    assert len(find_shortcuts(given)) == found


def test_copies_of_an_image_count_once() -> None:
    given = planted("dog", lambda _: {"mode": "L"}, count=25)
    copies = [replace(r, pixel_hash=r.pixel_hash[:4]) if r.label == "dog" else r for r in given]
    assert len({r.pixel_hash for r in copies if r.label == "dog"}) < MIN_IMAGES
    assert find_shortcuts(copies) == []


def test_a_single_class_or_none_has_no_shortcut() -> None:
    assert find_shortcuts([]) == []
    assert find_shortcuts(records(labels=("cat",))) == []


def test_the_order_of_the_records_does_not_matter() -> None:
    given = planted("dog", lambda n: {"camera": "Leica" if n % 3 else "Canon"})
    assert find_shortcuts(given[::-1]) == find_shortcuts(given)


# Brightness, from real pixels.


def picture(seed: int) -> np.ndarray:
    """Smooth shapes with grain: uint8, (96, 96, 3)."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(20, 210, (6, 6, 3), np.uint8))
    smooth = np.asarray(rough.resize((96, 96), Image.Resampling.BICUBIC), np.float64)
    return (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


def pictured(factors: dict[str, float], count: int = 30) -> list[ScanRecord]:
    found = []
    for seed, plain in enumerate(records(count, tuple(factors))):
        scaled = (picture(seed) * factors[plain.label]).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(scaled)
        measures = measure(image, reduced(image.convert("L")))
        found.append(replace(plain, **measures._asdict()))
    return found


def test_scaled_brightness_is_found_by_its_traces_with_its_factor() -> None:
    found = find_shortcuts(pictured({"cat": 1.0, "dog": 1.1, "eel": 1.0}))
    (one,) = [one for one in found if one.name == BRIGHTNESS]
    assert one.label == "dog"
    assert one.accuracy > 0.95
    assert one.factor == pytest.approx(1.1, abs=0.01)


@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_brightness_that_all_classes_share_is_no_shortcut(factor: float) -> None:
    assert find_shortcuts(pictured(dict.fromkeys(LABELS, factor))) == []


def test_two_scaled_classes_are_both_named_and_no_other() -> None:
    found = find_shortcuts(pictured({"ant": 1.0, "bee": 1.0, "cat": 1.0, "dog": 1.1, "eel": 1.2}))
    scaled = {one.label: one.factor for one in found if one.name == BRIGHTNESS}
    assert scaled == {"dog": pytest.approx(1.1, abs=0.01), "eel": pytest.approx(1.2, abs=0.01)}

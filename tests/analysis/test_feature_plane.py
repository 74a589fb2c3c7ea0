"""The plane of a map: the directions in which images differ most."""

import numpy as np
import pytest

from workbench.analysis import feature_plane as module
from workbench.analysis.feature_plane import feature_plane


def clouds(images: int = 60) -> np.ndarray:
    """Three clouds of points in 20 dimensions."""
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(3, 20))
    return (np.repeat(centres, images // 3, axis=0) + rng.normal(size=(images, 20))).astype("f4")


def test_images_of_a_cloud_lie_together() -> None:
    points = feature_plane(clouds(), seed=1)
    assert points.shape == (60, 2)
    centres = points.reshape(3, 20, 2).mean(axis=1)
    nearest = np.square(points[:, None] - centres).sum(axis=2).argmin(axis=1)
    assert nearest.tolist() == [0] * 20 + [1] * 20 + [2] * 20


def test_the_scale_of_a_feature_does_not_matter_and_constant_ones_do_no_harm() -> None:
    features = clouds()
    scaled = np.hstack([features * np.geomspace(0.1, 10, 20, dtype="f4"), np.ones((60, 3), "f4")])
    np.testing.assert_allclose(feature_plane(scaled, 1), feature_plane(features, 1), atol=1e-2)


def test_it_is_fitted_to_a_part_and_holds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = feature_plane(clouds(300), 1)
    monkeypatch.setattr(module, "FITTED", 150)
    monkeypatch.setattr(module, "CHUNK", 7)
    part = feature_plane(clouds(300), 1)
    assert part.shape == (300, 2)
    assert abs(np.corrcoef(whole[:, 0], part[:, 0])[0, 1]) > 0.98
    assert np.array_equal(part, feature_plane(clouds(300), 1))


def test_two_images_are_enough() -> None:
    points = feature_plane(clouds(60)[[0, 59]], 1)
    assert points.shape == (2, 2)
    assert points[0, 0] == pytest.approx(-points[1, 0])

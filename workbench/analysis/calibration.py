"""Calibration: whether the confidence of a run agrees with its accuracy."""

from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import PredictionTable
from workbench.messages import tr

BINS = 10
DRAWS = 2000  # simulated runs that are perfectly calibrated
MIN_IMAGES = 20  # for a conclusion
MAX_CHANCE_GAP = 0.05  # of accuracy; beyond it, "calibrated" means nothing
_ALPHA = 0.05


@dataclass(frozen=True)
class Bin:
    """Images whose confidence lies from `low` to below `high`; 1 belongs to the last bin.

    Attributes:
        confidence: the mean; None without images.
        accuracy: the fraction of right predictions; None without images.
    """

    low: float
    high: float
    right: int
    wrong: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How confidence and accuracy agree.

    Attributes:
        bins: ten, of equal width.
        confidence: the mean over all images.
        accuracy: the fraction of right predictions.
        error: expected calibration error, the sum over the bins of
            images in the bin / all images * |accuracy - confidence| (Guo et al. 2017).
        chance_error: the 95 % quantile of `error` in runs that are perfectly calibrated.
        chance_gap: half the width of the central 95 % of their accuracy.
        verdict: over-confident, under-confident, uneven, calibrated or inconclusive.
    """

    bins: tuple[Bin, ...]
    confidence: float
    accuracy: float
    error: float
    chance_error: float
    chance_gap: float
    verdict: str


def calibration(predictions: PredictionTable, seed: int = 1) -> Calibration:
    """Bin the confidences and test whether deviations are larger than chance.

    In a perfectly calibrated run each image is right with the probability of its confidence.
    `DRAWS` such runs with the same confidences are drawn (a parametric bootstrap). The verdict is
    over- or under-confident only if at most 2.5 % of them deviate as far on that side, and uneven
    if the calibration error is larger than in 95 % of them.
    """
    confidence, right = predictions.confidence, predictions.right
    places = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    error = _error(confidence, right, places)
    hits, errors = _draw(confidence, places, seed)
    low, high = np.quantile(hits, [_ALPHA / 2, 1 - _ALPHA / 2])
    chance_error = float(np.quantile(errors, 1 - _ALPHA))
    chance_gap = float(high - low) / 2
    return Calibration(
        tuple(_bin(at, confidence[places == at], right[places == at]) for at in range(BINS)),
        float(confidence.mean()),
        float(right.mean()),
        error,
        chance_error,
        chance_gap,
        _verdict(len(right), float(right.mean()), hits, error > chance_error, chance_gap),
    )


def describe_calibration(found: Calibration, images: int) -> str:
    """Describe the verdict with the numbers that it rests on."""
    figures = tr(
        "mean confidence {confidence:.3f}, accuracy {accuracy:.3f}",
        confidence=found.confidence,
        accuracy=found.accuracy,
    )
    chance = tr(
        "chance alone moves the accuracy of {images:,} images by up to {chance_gap:.3f} either way",
        images=images,
        chance_gap=found.chance_gap,
    )
    if found.verdict == "over-confident":
        return tr(
            "Over-confident: more confident than accurate ({figures}), beyond chance.",
            figures=figures,
        )
    if found.verdict == "under-confident":
        return tr(
            "Under-confident: more accurate than confident ({figures}), beyond chance.",
            figures=figures,
        )
    if found.verdict == "uneven":
        return tr(
            "Calibrated on average ({figures}), but over-confident in some bins "
            "and under-confident in others, beyond chance.",
            figures=figures,
        )
    if found.verdict == "calibrated":
        return tr("As confident as accurate ({figures}); {chance}.", figures=figures, chance=chance)
    return tr("Inconclusive: {figures}, and {chance}.", figures=figures, chance=chance)


def describe_bins(found: Calibration, images: int) -> str:
    """Describe what the single bins add to the verdict on the mean."""
    error = tr("expected calibration error {error:.3f}", error=found.error)
    if images < MIN_IMAGES:
        return tr("Bin by bin ({error}): too few images for a conclusion.", error=error)
    if found.error > found.chance_error:
        return tr(
            "Bin by bin ({error}) the deviation is larger than chance alone "
            "makes (up to {chance_error:.3f}).",
            error=error,
            chance_error=found.chance_error,
        )
    return tr(
        "Bin by bin ({error}) nothing more is certain: chance alone makes "
        "up to {chance_error:.3f}.",
        error=error,
        chance_error=found.chance_error,
    )


def _error(confidence: np.ndarray, right: np.ndarray, places: np.ndarray) -> float:
    """Return the sum over bins of |right - confidence| over all images: the counts cancel."""
    gaps = np.bincount(places, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _draw(confidence: np.ndarray, places: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and calibration error of `DRAWS` perfectly calibrated runs."""
    random = np.random.default_rng(seed)
    hits, errors = np.empty(DRAWS), np.empty(DRAWS)
    for draw in range(DRAWS):
        right = random.random(len(confidence)) < confidence
        hits[draw], errors[draw] = right.mean(), _error(confidence, right, places)
    return hits, errors


def _verdict(images: int, accuracy: float, hits: np.ndarray, uneven: bool, gap: float) -> str:
    if images < MIN_IMAGES:
        return "inconclusive"
    if (hits <= accuracy).mean() <= _ALPHA / 2:
        return "over-confident"
    if (hits >= accuracy).mean() <= _ALPHA / 2:
        return "under-confident"
    if uneven:
        return "uneven"
    return "calibrated" if gap <= MAX_CHANCE_GAP else "inconclusive"


def _bin(at: int, confidence: np.ndarray, right: np.ndarray) -> Bin:
    some = len(right) > 0
    return Bin(
        at / BINS,
        (at + 1) / BINS,
        int(right.sum()),
        int((~right).sum()),
        float(confidence.mean()) if some else None,
        float(right.mean()) if some else None,
    )

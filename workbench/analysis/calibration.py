"""Whether a run is as often right as it is sure: a histogram, and what may be concluded from it."""

from dataclasses import dataclass

import numpy as np

from workbench.analysis.errors import Answers

BINS = 10
DRAWS = 2000  # made-up runs that are exactly as often right as they are sure
FEWEST = 20  # images below which nothing is concluded
WIDEST = 0.05  # of accuracy; where chance alone moves it further, "well calibrated" says nothing
_ALPHA = 0.05


@dataclass(frozen=True)
class Bin:
    """Images whose confidence lies from `low` to below `high`; 1 belongs to the last bin.

    Attributes:
        confidence: the mean; None without images. So is `accuracy`, the share of right ones.
    """

    low: float
    high: float
    right: int
    wrong: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """How confidence and accuracy go together.

    Attributes:
        bins: ten, of equal width.
        confidence: the mean over all images.
        accuracy: the share of right ones.
        error: expected calibration error, the sum over the bins of
            images in the bin / all images * |accuracy - confidence| (Guo et al. 2017).
        chance_error: what `error` stays below in 95 of 100 runs that are perfectly calibrated.
        chance_gap: half the width of the band in which their accuracy lies in 95 of 100.
        verdict: over-confident, under-confident, uneven, calibrated, or "cannot be told".
    """

    bins: tuple[Bin, ...]
    confidence: float
    accuracy: float
    error: float
    chance_error: float
    chance_gap: float
    verdict: str


def calibration(answers: Answers, seed: int = 1) -> Calibration:
    """Bins confidences and asks whether what they show is more than chance.

    Were a run perfectly calibrated, each image would be right with the probability of its
    confidence. `DRAWS` such runs with the same confidences are drawn (a parametric bootstrap);
    over- or under-confident is said only where at most 2.5 of 100 of them are as far off on that
    side, and uneven where the calibration error is larger than in 95 of 100.
    """
    confidence, right = answers.confidence, answers.right
    places = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    error = _error(confidence, right, places)
    hits, errors = _drawn(confidence, places, seed)
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


def calibration_words(found: Calibration, images: int) -> str:
    """The verdict as a sentence, with the figures that it rests on."""
    figures = f"mean confidence {found.confidence:.3f}, accuracy {found.accuracy:.3f}"
    chance = (
        f"chance alone moves the accuracy of {images:,} images by up to {found.chance_gap:.3f} "
        "either way"
    )
    if found.verdict == "over-confident":
        return f"Over-confident: surer than it is right ({figures}), beyond chance."
    if found.verdict == "under-confident":
        return f"Under-confident: more often right than it is sure ({figures}), beyond chance."
    if found.verdict == "uneven":
        return (
            f"Right on the whole ({figures}), but in some bins too sure and in others not sure "
            "enough, beyond chance."
        )
    if found.verdict == "calibrated":
        return f"About as sure as it is right ({figures}); {chance}."
    return f"Over- or under-confident cannot be told: {figures}, and {chance}."


def bin_words(found: Calibration, images: int) -> str:
    """What the bins, one by one, add to the verdict on the mean."""
    error = f"expected calibration error {found.error:.3f}"
    if images < FEWEST:
        return f"Bin by bin ({error}) so few images tell nothing."
    if found.error > found.chance_error:
        return (
            f"Bin by bin ({error}) it is off by more than chance alone makes (up to "
            f"{found.chance_error:.3f})."
        )
    return (
        f"Bin by bin ({error}) no more can be told: chance alone makes up to "
        f"{found.chance_error:.3f}."
    )


def _error(confidence: np.ndarray, right: np.ndarray, places: np.ndarray) -> float:
    """The sum over bins of |right - confidence| over all images: the counts cancel."""
    gaps = np.bincount(places, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _drawn(confidence: np.ndarray, places: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and calibration error of `DRAWS` perfectly calibrated runs."""
    random = np.random.default_rng(seed)
    hits, errors = np.empty(DRAWS), np.empty(DRAWS)
    for draw in range(DRAWS):
        right = random.random(len(confidence)) < confidence
        hits[draw], errors[draw] = right.mean(), _error(confidence, right, places)
    return hits, errors


def _verdict(images: int, accuracy: float, hits: np.ndarray, uneven: bool, gap: float) -> str:
    if images < FEWEST:
        return "cannot be told"
    if (hits <= accuracy).mean() <= _ALPHA / 2:
        return "over-confident"
    if (hits >= accuracy).mean() <= _ALPHA / 2:
        return "under-confident"
    if uneven:
        return "uneven"
    return "calibrated" if gap <= WIDEST else "cannot be told"


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

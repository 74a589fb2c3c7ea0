"""What chance alone makes: the interval of an accuracy, and whether one run is better than another.

Two accuracies on the same images are not independent: most images are easy, or hard, for both. Only
images that one run has right and the other wrong count (McNemar 1947): if the runs were equally
good, each such image would be equally likely on either side, so their number is binomial.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

# By image (hash of its pixels, label): whether the prediction is right.
CorrectByImage = Mapping[tuple[str, str], bool]

BEYOND_CHANCE = 0.05
_Z_95 = NormalDist().inv_cdf(0.975)  # 1.96


def accuracy_interval(accuracy: float, images: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy (Wilson's score interval).

    For another metric, `images` is the number that would make an accuracy as certain.
    """
    scale = 1 + _Z_95**2 / images
    middle = (accuracy + _Z_95**2 / (2 * images)) / scale
    spread = accuracy * (1 - accuracy) / images + _Z_95**2 / (4 * images**2)
    half = _Z_95 * math.sqrt(max(spread, 0.0)) / scale
    return max(middle - half, 0.0) if accuracy else 0.0, middle + half if accuracy < 1 else 1.0


@dataclass(frozen=True)
class PairedTest:
    """Two runs on the same images.

    Attributes:
        images: different images that both have predicted.
        only_first: of these, right only in the first run; `only_second` likewise.
        p_value: the probability of a difference at least as large if the runs were equally good;
            exact, two-sided.
    """

    first: str
    second: str
    images: int
    only_first: int
    only_second: int
    p_value: float

    @property
    def differ(self) -> bool:
        """True where the difference is beyond chance."""
        return self.p_value < BEYOND_CHANCE


def mcnemar(
    first: str, second: str, one: CorrectByImage, two: CorrectByImage, tests: int = 1
) -> PairedTest | None:
    """Run McNemar's exact test on the images that both runs have predicted; None without any.

    `tests` is the number of such tests made together. It multiplies the p value (Bonferroni): of
    many pairs one seems to differ by chance.
    """
    from scipy.stats import binomtest  # the import takes most of a second

    common = one.keys() & two.keys()
    if not common:
        return None
    only_first = sum(one[image] and not two[image] for image in common)
    only_second = sum(two[image] and not one[image] for image in common)
    disagree = only_first + only_second
    p_value = binomtest(only_first, disagree).pvalue if disagree else 1.0
    return PairedTest(
        first, second, len(common), only_first, only_second, min(float(p_value) * tests, 1.0)
    )

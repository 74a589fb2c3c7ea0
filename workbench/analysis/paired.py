"""Whether one run is better than another, from the test images that both have answered.

Two accuracies of the same images are not independent: most images are easy, or hard, for both. Only
those count that one run has right and the other wrong (McNemar 1947): if the runs were equally
good, each such image would be as likely on either side, and how many fall there is binomial.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# By image (hash of its pixels, label): whether the answer was right.
Answers = Mapping[tuple[str, str], bool]

BEYOND_CHANCE = 0.05


@dataclass(frozen=True)
class Paired:
    """Two runs on the same images.

    Attributes:
        images: different ones that both have answered.
        only_first: of these, right in the first run and wrong in the second; and so on.
        p_value: how often chance alone would part them as much, were the runs equally good;
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


def mcnemar(first: str, second: str, one: Answers, two: Answers, tests: int = 1) -> Paired | None:
    """McNemar's exact test on the images that both runs have answered; None where there are none.

    Args:
        first, second: the runs' names.
        tests: how many such tests are made at once; the p value is multiplied by it (Bonferroni),
            since of many pairs one would seem to differ by chance.
    """
    from scipy.stats import binomtest  # takes most of a second to import

    common = one.keys() & two.keys()
    if not common:
        return None
    only_first = sum(one[image] and not two[image] for image in common)
    only_second = sum(two[image] and not one[image] for image in common)
    disagree = only_first + only_second
    p_value = binomtest(only_first, disagree).pvalue if disagree else 1.0
    return Paired(
        first, second, len(common), only_first, only_second, min(float(p_value) * tests, 1.0)
    )

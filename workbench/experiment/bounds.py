"""How much of something may be asked for: the command line and the app allow the same."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """From the fewest to the most, both allowed; `usual` where nothing is said."""

    fewest: int
    usual: int
    most: int

    def problem(self, typed: str) -> str:
        """What is wrong with a typed number; "" where nothing is."""
        try:
            number = int(typed.replace(",", ""))
        except ValueError:
            number = self.fewest - 1
        if self.fewest <= number <= self.most:
            return ""
        return f"{typed!r}: give a whole number from {self.fewest:,} to {self.most:,}."


RANGE_TEST_STEPS = Bounds(30, 100, 10_000)
SEARCH_TRIALS = Bounds(2, 20, 500)

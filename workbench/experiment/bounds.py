"""How much of something may be asked for: the command line and the app allow the same."""

from dataclasses import dataclass

from workbench.errors import UserError


@dataclass(frozen=True)
class Bounds:
    """From the fewest to the most, both allowed; `usual` where nothing is said."""

    fewest: int
    usual: int
    most: int

    def read(self, typed: str) -> int:
        """The number that was typed.

        Raises:
            UserError: it is none, or beyond the bounds.
        """
        try:
            number = int(typed.replace(",", ""))
        except ValueError:
            number = self.fewest - 1
        if self.fewest <= number <= self.most:
            return number
        raise UserError(f"{typed!r}: give a whole number from {self.fewest:,} to {self.most:,}.")


RANGE_TEST_STEPS = Bounds(30, 100, 10_000)
SEARCH_TRIALS = Bounds(2, 20, 500)

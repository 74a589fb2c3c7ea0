"""Where a run stands in its plan."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """A place in the plan: stage from 0, epoch from 1, steps of that epoch already done."""

    stage: int
    epoch: int
    step: int


START = Place(0, 1, 0)


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """A stop was asked for; whatever had to be saved has been saved."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"stopped at {place}")
        self.place = place

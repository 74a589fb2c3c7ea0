"""Where a run stands in its plan."""

from workbench.runs.rows import Place

START = Place(0, 1, 0)


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """A stop was asked for; whatever had to be saved has been saved."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"stopped at {place}")
        self.place = place


__all__ = ["START", "Place", "Stopped"]

"""Where a run stands in its plan."""

from workbench.runs.fields import Position

START = Position(0, 1, 0)


class Stopped(Exception):  # noqa: N818 - an outcome, not an error
    """A requested stop, after everything that had to be saved was saved."""

    def __init__(self, position: Position) -> None:
        super().__init__(f"stopped at {position}")
        self.position = position


__all__ = ["START", "Position", "Stopped"]

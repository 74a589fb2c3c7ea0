"""What all events have."""

from dataclasses import dataclass

from workbench.runs.fields import Count, Fields, Number, Position

SCHEMA = 2


@dataclass(frozen=True, kw_only=True)
class Event(Fields):
    """What all events have; itself an event of an unknown kind, or without what its kind requires.

    Attributes:
        v: version of the schema.
        n: running number over all sessions of the run.
        t: unix seconds.
        event: the kind.
    """

    v: Count = SCHEMA
    n: Count = 0
    t: Number = None
    event: str

    @property
    def position(self) -> Position | None:
        """Its position in the plan; None if it has none."""
        stage, epoch = getattr(self, "stage", None), getattr(self, "epoch", None)
        if stage is None or epoch is None:
            return None
        return Position(stage, epoch, getattr(self, "step", None) or 0)

"""TensorBoard: event files in DIR/RUN, as Keras's callback writes them, and its spec as text.

The lengths of the files are kept with what was sent: what a mirror that was killed had written and
not noted is cut off by the next one.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.experiment.metrics import VALIDATION
from workbench.trackers.event_file import (
    Scalar,
    head_record,
    restart_record,
    scalar_record,
    text_record,
)
from workbench.trackers.tracker import Destination
from workbench.trackers.update import Point, Update, Value, value_text

# Two folders, so that both curves share a plot; losses within epochs count other steps.
TRAIN, VALID, STEPS = "train", "validation", "steps"


class TensorBoardTracker:
    """Writes the event files of a run; see `tracker.Tracker`."""

    def __init__(self, run: str, destination: Destination) -> None:
        self.folder = Path(destination.place) / run
        self.own: dict[str, Any] = {"lengths": {}, "epoch": 0}

    @property
    def place(self) -> str:
        """The folder."""
        return str(self.folder)

    def open(self, own: Mapping[str, Any]) -> bool:
        """Cut off what was not noted as sent; False if a file is gone."""
        lengths = own.get("lengths") or {}
        paths = {self.folder / name: length for name, length in lengths.items()}
        if not paths or any(not p.is_file() or p.stat().st_size < n for p, n in paths.items()):
            return False
        for path, length in paths.items():
            os.truncate(path, length)
        self.own = {"lengths": dict(lengths), "epoch": own.get("epoch", 0)}
        return True

    def send(self, update: Update, artifacts: Mapping[str, Path]) -> None:
        """Append to the files; TensorBoard takes no other files."""
        records: dict[str, list[bytes]] = defaultdict(list)
        points = (*update.epochs, *filter(None, (update.step, update.test)))
        times = [point.time for point in points]
        time = max(times, default=0.0)
        if update.epochs and (first := update.epochs[0].step) <= self.own["epoch"]:
            for folder in (TRAIN, VALID):
                records[folder].append(restart_record(first, update.epochs[0].time))
        for tag, values in (("spec", update.params), ("run", update.tags)):
            if values:
                records[TRAIN].append(text_record(tag, _table(values), self.own["epoch"], time))
        for point in update.epochs:
            for folder, scalar in _split(point):
                records[folder].append(scalar_record(scalar))
        if update.step:
            records[STEPS] += map(scalar_record, _scalars(update.step))
        if update.test:
            records[TRAIN] += map(scalar_record, _scalars(update.test))
        began = min(times, default=0.0)
        lengths = dict(self.own["lengths"])
        for folder, found in records.items():
            self._append(lengths, folder, found, began)
        epoch = update.epochs[-1].step if update.epochs else self.own["epoch"]
        self.own = {"lengths": lengths, "epoch": epoch}

    def close(self) -> None:
        """Nothing is open."""

    def _append(
        self, lengths: dict[str, int], part: str, records: list[bytes], began: float
    ) -> None:
        """Write after what was sent to a file, and note its new length."""
        name = next((known for known in lengths if known.startswith(f"{part}/")), None)
        if name is None:
            name = f"{part}/events.out.tfevents.{int(began)}.workbench"
            (self.folder / part).mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(b"")
            records = [head_record(began), *records]
        with (self.folder / name).open("r+b") as file:
            file.seek(lengths.get(name, 0))
            file.truncate()  # what a failed try left
            file.write(b"".join(records))
            lengths[name] = file.tell()


def _split(point: Point) -> list[tuple[str, Scalar]]:
    """Return folder and value of each metric of an epoch; `val_` is a folder of its own."""
    return [
        (
            VALID if scalar.tag.startswith(VALIDATION) else TRAIN,
            Scalar(scalar.tag.removeprefix(VALIDATION), scalar.step, scalar.value, scalar.time),
        )
        for scalar in _scalars(point)
    ]


def _scalars(point: Point) -> list[Scalar]:
    return [Scalar(name, point.step, value, point.time) for name, value in point.values.items()]


def _table(values: Mapping[str, Value]) -> str:
    rows = [
        f"| {name} | {value_text(value).replace('|', chr(92) + '|')} |"
        for name, value in values.items()
    ]
    return "\n".join(["| | |", "|---|---|", *rows])

"""The event log of a run: one JSON object a line, appended by the worker, tailed by readers.

Every event has `v` (the schema's version), `n` (a running number), `t` (unix seconds) and `event`
(its kind). Stages count from 0, epochs from 1; a place is (stage, epoch, steps of that epoch
done). A figure that is no finite number is null. Readers pass over kinds and fields they do not
know; a change that would mislead such a reader raises SCHEMA.

    kind              fields
    launched          job, resume, queued, argv, host, boot_id, log_start (the byte of worker.log
                      where this life's output begins); told by the launcher before the worker
                      starts
    worker_started    pid, host, boot_id, python, backend, keras and versions of other packages;
                      warm: whether keras had been imported before there was a run
    gpu_chosen        asked (auto, none or a number), gpu {index, uuid, name, memory_free,
                      memory_total} or null for the CPU
    preparing         phase (a word or two; "wait for RUN" in the queue), done, total (0:
                      unknown); at most twice a second
    data_ready        name, folder, pack, images {train, validation, test}, labels, notes
    notice            message: something that people should know
    stage_started     stage, name, epochs, steps, batch_size, optimizer, learning_rate, parameters,
                      trainable_parameters, layers [{name, kind, output_shape, parameters}],
                      precision, jit, device, prefix, cached, weights, estimated_seconds (of an
                      epoch; null where the machine was not measured), estimates (seconds of an
                      epoch of each stage of the plan; [] likewise)
    progress          stage, phase (train or validation), epoch, step, steps, loss, accuracy,
                      images_per_second (null in validation); at most twice a second
    epoch_finished    stage, epoch, loss, accuracy, val_loss, val_accuracy (null without validation
                      images), learning_rate, seconds, best
    layers            stage, epoch, layers [{name, requested, compiled, moved}]
    estimate_checked  stage, epoch, estimated_seconds, seconds (of that epoch without its
                      compile_seconds), ratio (seconds / estimated_seconds); for the first two
                      whole epochs of a stage
    machine           cpu, process_cpu (percent; of one core for the latter), memory_used,
                      memory_total, process_memory, disk_free (bytes), gpu {utilization,
                      temperature, memory_used, memory_total} or null; every few seconds
    checkpoint_saved  stage, epoch, step
    resumed           stage, epoch, step: the place that goes on; all that was told of that epoch
                      and of later ones is superseded
    stage_finished    stage, reason (all epochs or early stopping), best_epoch (null without
                      validation images), kept_epoch, seconds
    evaluating        phase, done, total
    evaluated         split (test or validation), loss, accuracy, interval [low, high], images,
                      shifted {pixels, accuracy} or null
  and one that ends a life:
    stopped           stage, epoch, step: a stop was asked for, and resume goes on here
    failed            kind (user: a person can mend it; error), message, hint
    finished          seconds
"""

import json
import math
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
LIFE_BEGINS = frozenset({"launched", "worker_started"})
LIFE_ENDS = frozenset({"stopped", "failed", "finished"})

CHUNK_BYTES = 1 << 20  # read at most in one call
LONGEST_LINE = 16 << 20  # bytes; what is longer is no event
_HEAD_BYTES = 64  # enough to tell two logs apart: the first event's time is in them

Event = dict[str, Any]


class EventWriter:
    """Appends events. Only the holder of the run's lock writes.

    A line goes out in one write, so that a reader sees it whole or as a torn end. The number goes
    on where an earlier life ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        numbers = [event.get("n") for event in EventReader(path).drain()]
        self._number = max((n for n in numbers if isinstance(n, int)), default=0)
        self._ending = b"\n" if _is_torn(path) else b""

    def write(self, kind: str, /, **fields: Any) -> None:
        """Appends one event; safe to call from several threads.

        Raises:
            OSError: disk full, folder gone. A line cut off by it does not harm later ones.
        """
        with self._mutex:
            head = {
                "v": SCHEMA,
                "n": self._number + 1,
                "t": round(time.time(), 3),
                "event": kind,
            }
            event = {**head, **_strict(fields), **head}  # head comes first, and wins
            line = json.dumps(event, allow_nan=False).encode() + b"\n"
            data = self._ending + line
            self._ending = b"\n"  # should this write be cut off
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
            self._ending = b""
            self._number += 1


class EventReader:
    """Reads what has been appended since the last call.

    Whatever a file holds, reading it does not fail: an unfinished last line waits for its end, a
    line that is no event is passed over, and a file that has been replaced or cut is read anew.

    Attributes:
        skipped: lines passed over so far.
        restarts: how often the file turned out to be another one; its events then come again
            from the beginning.
        more: True where the last call left bytes unread because of its bound.
    """

    def __init__(self, path: Path, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.path = path
        self.skipped = 0
        self.restarts = 0
        self.more = False
        self._chunk_bytes = chunk_bytes
        self._offset = 0
        self._head = b""  # the file's first bytes, by which it is known again
        self._rest = b""  # of a line whose end has not been read yet
        self._oversized = False  # the line being read is too long to keep

    def read(self) -> list[Event]:
        """The events in the next bytes, at most `chunk_bytes` of them; [] without a file.

        Raises:
            OSError: the file is there but cannot be read.
        """
        data = self._next_bytes()
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if self._oversized and lines:
            del lines[0]
            self._oversized = False
        if len(self._rest) > LONGEST_LINE:
            self.skipped += not self._oversized
            self._oversized = True
            self._rest = b""
        events = []
        for line in filter(bytes.strip, lines):
            event = parse_event(line)
            if event is None:
                self.skipped += 1
            else:
                events.append(event)
        return events

    def drain(self) -> Iterator[Event]:
        """All that is there now."""
        yield from self.read()
        while self.more:
            yield from self.read()

    def _next_bytes(self) -> bytes:
        try:
            file = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            self.more = False
            return b""
        with file:
            size = os.fstat(file.fileno()).st_size
            if size < self._offset or file.read(len(self._head)) != self._head:
                self._start_over()
            file.seek(self._offset)
            data = file.read(self._chunk_bytes)
        self._offset += len(data)
        self._head = (self._head + data)[:_HEAD_BYTES]
        self.more = bool(data) and self._offset < size
        return data

    def _start_over(self) -> None:
        self.restarts += 1
        self._offset = 0
        self._head = self._rest = b""
        self._oversized = False


def read_all(path: Path) -> list[Event]:
    """Every event of a log; [] where there is none.

    Raises:
        OSError: the file is there but cannot be read.
    """
    return list(EventReader(path).drain())


def parse_event(line: bytes) -> Event | None:
    """The event in a line, None where there is none."""
    try:
        value = json.loads(line.decode("utf-8"), parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _is_torn(path: Path) -> bool:
    """True where the last line has no end: its writer was cut off."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _strict(value: Any) -> Any:
    """The value in what strict JSON has; numpy's numbers and arrays become plain ones."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return _strict(value.tolist()) if hasattr(value, "tolist") else str(value)


def newest_by_stage(events: Iterable[Event], kind: str) -> dict[int, Event]:
    """The last event of a kind for each stage, in the order of the stages.

    Whatever lives a run had: what a later one did not do again stands as it was told before.
    """
    found = {
        e["stage"]: e for e in events if e["event"] == kind and isinstance(e.get("stage"), int)
    }
    return dict(sorted(found.items()))

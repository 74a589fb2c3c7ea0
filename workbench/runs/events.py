"""The event log of a run: one JSON object a line, appended by the worker, tailed by readers.

Every event has `v` (the schema's version), `n` (a running number), `t` (unix seconds) and `event`
(its kind). Stages count from 0, epochs from 1; a place is (stage, epoch, steps of that epoch
done). A figure that is no finite number is null. Readers pass over kinds and fields they do not
know; a change that would mislead such a reader raises SCHEMA. How they are read: `reader`.

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
                      precision, jit, device, prefix, cached, views, weights, estimated_seconds
                      (of an epoch; null where the machine was not measured), estimates (seconds
                      of an epoch of each stage of the plan; [] likewise)
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
    batch_halved      from_size, to_size (images a step): memory was not enough, and a fresh process
                      goes on with less
    stage_finished    stage, reason (all epochs or early stopping), best_epoch (null without
                      validation images), kept_epoch, seconds
    evaluating        phase, done, total
    evaluated         split (test or validation), loss, accuracy, interval [low, high], images,
                      shifted {pixels, accuracy} or null
  and one that ends a life:
    stopped           stage, epoch, step: a stop was asked for, and resume goes on here
    failed            kind (user: a person can mend it; memory: out of it; disk: full, or not to be
                      written; diverged: NaN or an exploding loss; error: nobody foresaw it),
                      message, hint
    finished          seconds
"""

import json
import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
LIFE_BEGINS = frozenset({"launched", "worker_started"})
LIFE_ENDS = frozenset({"stopped", "failed", "finished"})
# On the disk before the checkpoint that goes beyond them: no power cut makes a hole in a history.
SYNCED = LIFE_ENDS | {"resumed", "epoch_finished", "stage_finished", "evaluated"}
REPLACED = frozenset({"progress", "machine"})  # by the next of their kind, with all they tell

_DECODER = json.JSONDecoder(parse_constant=lambda name: None)
_TAIL_BYTES = 1 << 16  # looked at first for the newest number: many events

Event = dict[str, Any]


class EventWriter:
    """Appends events. Only the holder of the run's lock writes.

    A line goes out in one write, so that a reader sees it whole or as a torn end. The number goes
    on where an earlier life ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._number = _newest_number(path)
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
                if kind in SYNCED:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._ending = b""
            self._number += 1


def parse_event(line: bytes) -> Event | None:
    """The event in a line, None where there is none."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _newest_number(path: Path) -> int:
    """The number of the newest event that has one; 0 where none has.

    Read from the end, more and more of it: of a long log the end tells it.
    """
    if not path.exists():
        return 0
    size, looked = path.stat().st_size, _TAIL_BYTES
    while True:
        start = max(size - looked, 0)
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().split(b"\n")
        for line in reversed(lines[1:] if start else lines):  # the first may have lost its head
            number = (parse_event(line) or {}).get("n")
            if isinstance(number, int):
                return number
        if start == 0:
            return 0
        looked *= 4


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

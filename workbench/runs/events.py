"""The event log of a run: one JSON object a line, appended by the worker, tailed by readers.

Every event has `v` (schema version), `n` (running number), `t` (unix seconds) and `event` (its
kind). Stages count from 0, epochs from 1; a position is (stage, epoch, finished steps of that
epoch). A number that is not finite is null. Readers ignore kinds and fields that they do not know;
a change that would mislead such a reader raises SCHEMA. `reader` reads the log.

    kind              fields
    launched          job, resume, queued, argv, host, boot_id, log_start (byte of worker.log at
                      which this session's output begins); written by the launcher before the
                      worker starts
    worker_started    pid, host, boot_id, python, backend, versions of keras and other packages;
                      warm: whether keras was imported before there was a run
    gpu_chosen        asked (auto, none or a number), gpu {index, uuid, name, memory_free,
                      memory_total} or null for the CPU
    preparing         phase (a word or two; "wait for RUN" in the queue), done, total (0:
                      unknown); at most twice a second
    data_ready        name, folder, pack, images {train, validation, test}, labels, notes
    notice            message for the user
    stage_started     stage, name, epochs, steps, batch_size, optimizer, learning_rate, parameters,
                      trainable_parameters, layers [{name, kind, output_shape, parameters}],
                      precision, jit, device, prefix, cached, views, weights, estimated_seconds
                      (of an epoch; null if the machine was not measured), estimates (seconds of
                      an epoch of each stage of the plan; [] likewise)
    progress          stage, phase (train or validation), epoch, step, steps, loss, accuracy,
                      images_per_second (null in validation); at most twice a second
    epoch_finished    stage, epoch, loss, accuracy, val_loss, val_accuracy (null without validation
                      images), learning_rate, seconds, best
    layers            stage, epoch, layers [{name, requested, compiled, moved}]
    estimate_checked  stage, epoch, estimated_seconds, seconds (of that epoch without its
                      compile_seconds), ratio (seconds / estimated_seconds); for the first two
                      complete epochs of a stage
    machine           cpu, process_cpu (percent; of one core for the latter), memory_used,
                      memory_total, process_memory, disk_free (bytes), gpu {utilization,
                      temperature, memory_used, memory_total} or null; every few seconds
    checkpoint_saved  stage, epoch, step
    resumed           stage, epoch, step at which training continues; everything written about
                      that epoch and later ones is superseded
    batch_halved      from_size, to_size (images a step): out of memory; a new process continues
                      with less
    stage_finished    stage, reason (all epochs or early stopping), best_epoch (null without
                      validation images), kept_epoch, seconds
    evaluating        phase, done, total
    evaluated         split (test or validation), loss, accuracy, interval [low, high], images,
                      shifted {pixels, accuracy} or null
  and one that ends a session, which is one worker's work on the run:
    stopped           stage, epoch, step: stopped on request; a resume continues here
    failed            kind (user: a person can fix it; memory: out of memory; disk: full or not
                      writable; diverged: NaN or an exploding loss; error: unexpected),
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
SESSION_STARTS = frozenset({"launched", "worker_started"})
SESSION_ENDS = frozenset({"stopped", "failed", "finished"})
# Synced to the disk before the next checkpoint: no power cut makes a hole in a history.
SYNCED = SESSION_ENDS | {"resumed", "epoch_finished", "stage_finished", "evaluated"}
LATEST_ONLY = frozenset({"progress", "machine"})  # each supersedes the one before it

_DECODER = json.JSONDecoder(parse_constant=lambda name: None)
_TAIL_BYTES = 1 << 16  # read first to find the newest number: many events

Event = dict[str, Any]


class EventWriter:
    """Appends events. Only the holder of the run's lock writes.

    A line is one write, so that a reader sees it complete or as an unfinished end. Numbers
    continue those of earlier sessions.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._number = _newest_number(path)
        self._ending = b"\n" if _is_torn(path) else b""

    def write(self, kind: str, /, **fields: Any) -> None:
        """Append one event; safe to call from several threads.

        Raises:
            OSError: The disk is full or the folder is gone. Later lines are not affected.
        """
        with self._mutex:
            head = {
                "v": SCHEMA,
                "n": self._number + 1,
                "t": round(time.time(), 3),
                "event": kind,
            }
            event = {**head, **_strict(fields), **head}  # head comes first and overrides
            line = json.dumps(event, allow_nan=False).encode() + b"\n"
            data = self._ending + line
            self._ending = b"\n"  # for the next event if this write is cut off
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
    """Return the event in a line, None for a line that is no event."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _newest_number(path: Path) -> int:
    """Return the number of the newest event that has one, else 0; reads from the end."""
    if not path.exists():
        return 0
    size, tail = path.stat().st_size, _TAIL_BYTES
    while True:
        start = max(size - tail, 0)
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().split(b"\n")
        for line in reversed(lines[1:] if start else lines):  # the first may lack its beginning
            number = (parse_event(line) or {}).get("n")
            if isinstance(number, int):
                return number
        if start == 0:
            return 0
        tail *= 4


def _is_torn(path: Path) -> bool:
    """Return True if the last line has no end: its writer was cut off."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _strict(value: Any) -> Any:
    """Convert a value to strict JSON types, NumPy numbers and arrays included."""
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
    """Return the last event of a kind for each stage over all sessions, in the order of stages."""
    found = {
        e["stage"]: e for e in events if e["event"] == kind and isinstance(e.get("stage"), int)
    }
    return dict(sorted(found.items()))

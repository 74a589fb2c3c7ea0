"""Jobs that answer a command and end with it: evaluate, predict, inside, find-rate and others.

The request is a JSON object on stdin; progress, then the result or a failure, are JSON lines on a
descriptor of their own, so that nothing a library prints can mix in.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.training.environment import prepare_environment
from workbench.worker.device import claim_device
from workbench.worker.explain import inside
from workbench.worker.export import check_export, export
from workbench.worker.failures import failure_in_words

TELL_SECONDS = 0.2

Request = dict[str, Any]
Send = Callable[[dict[str, Any]], None]


def answer(job: str, events_fd: int) -> int:
    """Does the job asked for on stdin; returns the process's exit code."""
    os.set_inheritable(events_fd, False)
    with os.fdopen(events_fd, "w", encoding="utf-8") as out:

        def send(event: dict[str, Any]) -> None:
            out.write(json.dumps(event) + "\n")
            out.flush()

        try:
            request = json.load(sys.stdin)
            jobs = {
                "evaluate": _evaluate,
                "predict": _predict,
                "inside": inside,
                "learn": _learn,
                "find-rate": _find_rate,
                "search": _search,
                "export": export,
                "check-export": check_export,
            }
            result = jobs[job](request, send)
        except UserError as error:
            send({"event": "failed", "kind": "user", "message": error.message, "hint": error.hint})
            return 2
        except Exception as error:
            message, hint = failure_in_words(error)
            send({"event": "failed", "kind": "error", "message": message, "hint": hint})
            return 1
        send({"event": "result", **result})
    return 0


def _predict(request: Request, send: Send) -> dict[str, Any]:
    """Request: model, paths. Result: labels, predictions, not_read {words, paths}."""
    claim_device()
    prepare_environment()
    from workbench.datasets.listing import Passed, kinds_of
    from workbench.evaluation.predict import find_images, predict

    passed = Passed()
    paths = find_images(request["paths"], passed)
    loaded = _load(request)
    predictions = predict(loaded, paths, _Teller(send))
    return {
        "labels": loaded.labels,
        "predictions": [asdict(p) for p in predictions],
        "not_read": {
            "words": kinds_of(passed.others) if passed.others else "",
            "paths": sorted(passed.others),
        },
    }


def _evaluate(request: Request, send: Send) -> dict[str, Any]:
    """Request: model, manifest, workspace, split, shift. Result: figures."""
    claim_device()
    prepare_environment()
    from workbench.datasets.manifest import read_manifest
    from workbench.datasets.prepare import prepare_again
    from workbench.evaluation.evaluate import evaluate
    from workbench.paths import Workspace
    from workbench.runs.folder import RunFolder
    from workbench.worker.train import training_data, write_confusion

    loaded = _load(request)
    rows = read_manifest(Path(request["manifest"]))
    tell = _Teller(send)
    prepared = prepare_again(loaded.spec.data, rows, Workspace(Path(request["workspace"])), tell)
    data = training_data(prepared)
    chosen = data.rows[request["split"]]
    if not len(chosen):
        others = [split for split, indices in data.rows.items() if len(indices)]
        raise UserError(
            f"The run has no {request['split']} images.",
            f"Choose others: {' or '.join(f'--split {split}' for split in others)}",
        )
    paths = [prepared.rows[i].path for i in chosen]
    evaluation = evaluate(
        loaded.model,
        data.images,
        chosen,
        data.labels[chosen],
        paths,
        loaded.labels,
        request["shift"],
        tell,
    )
    with suppress(OSError):  # a folder that cannot be written hinders no figures
        folder = RunFolder(Path(request["manifest"]).parent)
        write_confusion(folder, request["split"], evaluation, data.labels[chosen])
    leaks = prepared.leaks() if request["split"] == "test" else {}
    return {"split": request["split"], **evaluation.figures, **leaks}


def _learn(request: Request, send: Send) -> dict[str, Any]:
    """Request and result: see `worker.learn`."""
    from workbench.worker.lessons import learn

    return learn(request, _Teller(send))


def _find_rate(request: Request, send: Send) -> dict[str, Any]:
    """Request and result: see `worker.find_rate`."""
    from workbench.worker.lr_find import find_rate

    return find_rate(request, send, _Teller(send))


def _search(request: Request, send: Send) -> dict[str, Any]:
    """Request and result: see `worker.search`."""
    from workbench.worker.tune import search

    return search(request, send, _Teller(send))


def _load(request: Request) -> Any:
    from workbench.evaluation.model_file import load_model
    from workbench.training.backend import prepare_device

    prepare_device(deterministic=False)
    return load_model(Path(request["model"]))


class _Teller:
    """A Progress that sends events, a few a second."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.last = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self.last > TELL_SECONDS:
            self.last = now
            self.send({"event": "progress", "phase": phase, "done": done, "total": total})

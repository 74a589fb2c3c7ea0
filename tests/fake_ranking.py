"""Stands for the worker that ranks unlabelled images: real scan and pack, made-up opinions."""

from pathlib import Path
from typing import Any

from workbench.datasets.manifest import read_manifest
from workbench.datasets.names import natural_sorted
from workbench.datasets.unlabelled import prepare_unlabelled
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder


def ranked(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
    """Rank by path; of the first image the first label is likeliest, of the next the second."""
    assert job == "rank-unlabelled"
    data = DataSpec(source="unused", image_size=(8, 8))
    images = prepare_unlabelled(
        request["folder"], data, None, Workspace(Path(request["workspace"]))
    )
    run = read_manifest(RunFolder(Path(request["run"])).manifest_path)
    labels = natural_sorted({row.label for row in run})
    known = {row.pixel_hash for row in run}
    done = {*known, *request["answers"], *request["excluded"]}
    still = [
        row for row in images.rows if row.pixel_hash not in done and row.path in images.present
    ]
    still.sort(key=lambda row: row.pixel_hash in request["later"])
    low = 0.25 / max(len(labels) - 1, 1)
    return {
        "data": str(images.folder),
        "root": str(images.root),
        "left": len(still),
        "copies": sum(row.pixel_hash in known for row in images.rows),
        "accuracy": 0.875,
        "fitted": len(run) + len(request["answers"]),
        "random_weights": False,
        "unreadable": [list(one) for one in images.unreadable],
        "unreadable_count": len(images.unreadable),
        "notes": list(images.notes),
        "labels": labels,
        "next": [
            {
                "path": row.path,
                "hash": row.pixel_hash,
                "size": [row.width, row.height],
                "probabilities": [
                    0.75 if i == at % len(labels) else low for i in range(len(labels))
                ],
                "neighbours": [[one.path, one.label, 0.5] for one in run[:4]],
            }
            for at, row in enumerate(still[: request["batch"]])
        ],
    }

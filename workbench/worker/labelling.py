"""The job `rank-unlabelled`: which images of a folder to label next, and what the head thinks.

The head is a linear classifier of features of the run's base, solved on all images of the run and
those that were labelled since. Features are computed once: a later call starts no keras.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench.analysis.labelling import CANDIDATES, choose_batch, informativeness
from workbench.analysis.neighbours import nearest
from workbench.datasets.duplicates import number_groups
from workbench.datasets.manifest import ImageRecord, manifest_levels, read_manifest
from workbench.datasets.names import natural_sorted
from workbench.datasets.prepare import prepare_from_manifest
from workbench.datasets.unlabelled import UnlabelledImages, prepare_unlabelled
from workbench.experiment.toml import read_spec
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress
from workbench.runs.folder import RunFolder
from workbench.training.out_of_fold import softmax
from workbench.training.solve import Examples, on_one_thread, solve_classifier
from workbench.worker.base_features import Packed, features_of
from workbench.worker.folds import probe_spec
from workbench.worker.jobs import JobEvents, Request
from workbench.worker.training_setup import base_weights

NEIGHBOURS = 4
FOLDS, SEED = 5, 1
NEW_CLASS = 2  # images that a new label needs before the head has it as a class
REFERENCES = 1000  # labelled images to which similarity is measured: time stays linear
CHUNK = 4096  # images at a time
SHOWN_UNREADABLE = 20


def rank_unlabelled(request: Request, events: JobEvents) -> dict[str, Any]:
    """Run the job.

    Request: run (its folder), workspace, folder (of the images without labels), batch (how many to
    return), answers (labels by the hash of an image's pixels), excluded and later (hashes of
    images that were left out, and that were put off, in this order).

    Result: as `app.ranking.RankedImages`. Paths in "next" start at the folder; those of neighbours
    are of the run's manifest, or absolute where the image was labelled since.

    Raises:
        UserError: Images, or the weights of the base, are not available.
    """
    folder, workspace = RunFolder(Path(request["run"])), Workspace(Path(request["workspace"]))
    rows = read_manifest(folder.manifest_path)
    spec = probe_spec(read_spec(folder.spec_path))
    images = prepare_unlabelled(
        request["folder"], spec.data, manifest_levels(rows), workspace, events
    )
    weights = base_weights(spec, events, lambda message: None)
    prepared = prepare_from_manifest(spec.data, rows, workspace, events)
    sets = [Packed(prepared.folder, prepared.pack), Packed(images.folder, images.pack)]
    own, unknown = features_of(spec, sets, len(prepared.labels), weights, events)

    places = first_places(images)
    answers = {h: label for h, label in request["answers"].items() if h in places}
    known = KnownImages(
        np.concatenate([own, unknown[[places[h] for h in answers]]]) if answers else own,
        [row.label for row in rows] + list(answers.values()),
        [row.path for row in rows]
        + [str(images.root / images.rows[places[h]].path) for h in answers],
        len(rows),
    )
    head = solve_head(known, rows, events)
    copies = {row.pixel_hash for row in rows} & set(places)
    closed = {*copies, *answers, *request["excluded"]}
    still = {
        h: at
        for h, at in places.items()
        if h not in closed and images.rows[at].path in images.present
    }
    put_off = [still[h] for h in request["later"] if h in still]
    first = np.setdiff1d(list(still.values()), put_off).astype(np.int64)
    chosen = [*choose(head, unknown, first, known, request["batch"], events), *put_off]
    chosen = chosen[: request["batch"]]
    return {
        "data": str(images.folder),
        "root": str(images.root),
        "left": len(still),
        "copies": len(copies),
        "accuracy": head.accuracy,
        "fitted": head.fitted,
        "random_weights": weights is None,
        "unreadable": [list(one) for one in images.unreadable[:SHOWN_UNREADABLE]],
        "unreadable_count": len(images.unreadable),
        "notes": list(images.notes),
        "labels": head.classes,
        "next": describe(chosen, images, head, unknown, known),
    }


def first_places(images: UnlabelledImages) -> dict[str, int]:
    """Return the row of each different image by the hash of its pixels, one that is there first."""
    places: dict[str, int] = {}
    for at, row in enumerate(images.rows):
        before = places.setdefault(row.pixel_hash, at)
        if images.rows[before].path not in images.present and row.path in images.present:
            places[row.pixel_hash] = at
    return places


@dataclass(frozen=True)
class KnownImages:
    """Images with labels: those of the run, then those that were labelled since.

    Attributes:
        features: float (n, d).
        labels: of each.
        paths: of each.
        own: how many are of the run.
    """

    features: np.ndarray
    labels: list[str]
    paths: list[str]
    own: int


@dataclass(frozen=True)
class Head:
    """A linear classifier of features.

    Attributes:
        kernel: float32 (d, outputs).
        bias: float32 (outputs,).
        classes: its labels: those of the run, then new ones with enough images.
        fitted: number of images.
        accuracy: of the run's images, each by a classifier that was fitted without it.
    """

    kernel: np.ndarray
    bias: np.ndarray
    classes: list[str]
    fitted: int
    accuracy: float

    def probabilities(self, features: np.ndarray, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return probabilities (len(rows), classes) of rows of the features."""
        parts = [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]
        logits = [np.asarray(features[p], np.float32) @ self.kernel + self.bias for p in parts]
        return softmax(np.concatenate(logits)) if parts else np.zeros((0, len(self.classes)))


def solve_head(known: KnownImages, rows: Sequence[ImageRecord], progress: Progress) -> Head:
    """Return the head of all known images whose labels are classes.

    Args:
        known: the labelled images.
        rows: those of the run.
        progress: receives the number of fits.
    """
    of_run = natural_sorted({row.label for row in rows})
    counts = Counter(known.labels[known.own :])
    new = {label for label, count in counts.items() if count >= NEW_CLASS} - set(of_run)
    classes = [*of_run, *natural_sorted(new)]
    number = {label: at for at, label in enumerate(classes)}
    fitted = [at for at, label in enumerate(known.labels) if label in number]
    features = known.features if len(fitted) == len(known.labels) else known.features[fitted]
    groups = [*number_groups(rows), *range(len(rows), len(fitted))]
    examples = Examples(
        [features],
        np.array([number[known.labels[at]] for at in fitted]),
        len(classes),
        np.ones(len(fitted)),
        np.array(groups),
    )
    with on_one_thread(examples):
        found = solve_classifier(
            examples,
            "ridge",
            FOLDS,
            SEED,
            lambda done, of: progress(tr("solve the head"), done, of),
        )
    accuracy = float(found.correct[: known.own].mean())
    return Head(found.kernel, found.bias, classes, len(fitted), accuracy)


def choose(
    head: Head,
    features: np.ndarray,
    rows: np.ndarray,
    known: KnownImages,
    size: int,
    progress: Progress,
) -> list[int]:
    """Return the rows of the features to label next, the most informative first.

    An image is new by its similarity to the nearest of `REFERENCES` known images at most: those
    labelled last, then others spread over those of the run.
    """
    if not len(rows):
        return []
    progress("rank", 0, 0)
    since = np.arange(known.own, len(known.labels))[-REFERENCES:]
    step = max(1, -(-known.own // max(1, REFERENCES - len(since))))
    among = known.features[[*range(0, known.own, step), *since.tolist()]]
    near = nearest(features, rows, 1, among=among)
    scores = informativeness(head.probabilities(features, rows), near.similarities[:, 0])
    best = np.argsort(-scores, kind="stable")[: CANDIDATES * size]
    chosen = choose_batch(scores[best], features[rows[best]], size)
    return [int(rows[best[at]]) for at in chosen]


def describe(
    chosen: Sequence[int],
    images: UnlabelledImages,
    head: Head,
    features: np.ndarray,
    known: KnownImages,
) -> list[Mapping[str, Any]]:
    """Return what is shown of each chosen image."""
    near = nearest(features, chosen, NEIGHBOURS, among=known.features)
    probabilities = head.probabilities(features, chosen)
    return [
        {
            "path": (row := images.rows[at]).path,
            "hash": row.pixel_hash,
            "size": [row.width, row.height],
            "probabilities": of_labels,
            "neighbours": [
                [known.paths[other], known.labels[other], similarity]
                for other, similarity in zip(others, similarities, strict=True)
            ],
        }
        for at, of_labels, others, similarities in zip(
            chosen,
            probabilities.tolist(),
            near.indices.tolist(),
            near.similarities.tolist(),
            strict=True,
        )
    ]

"""A review of a run's images: what to ask a person, in what order, and what the answers change.

Suspects are labels that out-of-fold predictions contradict; errors are test images that the run
got wrong; copies are pairs that look nearly the same. Answers are kept in the data folder: nothing
is asked twice, whichever run and whichever list it comes from, unless it was put off.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from workbench.analysis.errors import PredictionTable, image_losses, read_predictions
from workbench.app.label_suspects import SuspectReport, read_suspects
from workbench.app.relabel import Relabeling
from workbench.datasets.audit import AUDIT_NAME, read_audit
from workbench.datasets.label_fixes import LabelFix, add_label_fixes, remove_label_fixes
from workbench.datasets.manifest import ImageRecord
from workbench.datasets.review_log import REVIEW_NAME, Answer, ReviewLog, Verdict
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

ReviewList = Literal["suspects", "errors", "copies"]
MAX_ERRORS = 1000
FEWEST_SUSPECTS = 20
OPINIONS = 3  # labels that are shown, the most probable first


@dataclass(frozen=True)
class Question:
    """What a person is asked about.

    Attributes:
        images: One, or two that look alike.
        opinion: Labels and their probabilities by a model that was not fitted to the image, the
            most probable first; empty for pairs.
        neighbours: Labelled images whose features are nearest, the nearest first; may be empty.
    """

    images: tuple[ImageRecord, ...]
    opinion: tuple[tuple[str, float], ...] = ()
    neighbours: tuple[ImageRecord, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies it in the log of answers."""
        return tuple(sorted({row.pixel_hash for row in self.images}))


class Review:
    """The answers about a run's images.

    Attributes:
        run: Whose images they are.
        relabeling: The label fixes.
        log: The answers.
        rows: The run's images by path.
        fixes: The new label of each fixed image by the hash of its pixels, "" if it is left out.
        searched: Whether suspects were searched for.

    Raises:
        UserError: As `Relabeling`.
    """

    def __init__(self, workspace: Workspace, folder: RunFolder) -> None:
        self.run = folder
        self.relabeling = Relabeling(workspace, folder)
        self.log = ReviewLog(self.relabeling.path.parent / REVIEW_NAME)
        self.rows = {row.path: row for row in self.relabeling.rows}
        self.fixes: dict[str, str] = {}
        self.searched = folder.folds_report_path.exists()
        self._read_fixes()

    def open_questions(self, asked: Sequence[Question]) -> list[Question]:
        """Return what was not answered yet, in order; what was put off comes last."""
        given = {answer.images: at for at, answer in enumerate(self.log.answers)}
        unanswered = [one for one in asked if one.key not in given]
        answered = sorted(
            (one for one in asked if one.key in given), key=lambda one: given[one.key]
        )
        later = [one for one in answered if self.log.answers[given[one.key]].verdict == "later"]
        return unanswered + later

    def answer(self, question: Question, verdict: Verdict, label: str = "", of: int = 0) -> None:
        """Keep an answer: first what it changes, then that it was given.

        Args:
            question: That was asked.
            verdict: See `Answer`.
            label: Of "relabel".
            of: Which image of the question is left out by "exclude".

        Raises:
            UserError: The data has no such label, or the file of label fixes is damaged.
            OSError: A file cannot be written.
        """
        row = question.images[of]
        before = None
        if verdict in ("relabel", "exclude"):
            self._read_fixes()  # `relabel` may have been used meanwhile
            before = self.fixes.get(row.pixel_hash)
            self.relabeling.relabel([row], label if verdict == "relabel" else "")
            self._read_fixes()
        excluded = row.pixel_hash if verdict == "exclude" else ""
        self.log.add(
            Answer(
                images=question.key,
                verdict=verdict,
                label=label,
                excluded=excluded,
                before=before,
            )
        )

    def undo(self) -> Answer | None:
        """Take back the newest answer, with the label fix that it made; None if there is none.

        Raises:
            UserError: The file of label fixes is damaged.
            OSError: A file cannot be written.
        """
        answer = self.log.undo()
        if answer and answer.changed:
            if answer.before is None:
                remove_label_fixes(self.relabeling.path, [answer.changed])
            else:
                path = next(
                    (row.path for row in self.rows.values() if row.pixel_hash == answer.changed),
                    answer.changed,  # of images that another run has
                )
                fix = LabelFix(path, answer.changed, answer.before)
                add_label_fixes(self.relabeling.path, [fix])
            self._read_fixes()
        return answer

    def _read_fixes(self) -> None:
        self.fixes = {one.pixel_hash: one.label for one in self.relabeling.entries()}

    def ask_about(
        self,
        predictions: PredictionTable,
        order: Iterable[int],
        neighbours: Mapping[str, Sequence[str]],
    ) -> list[Question]:
        """Return a question about each image, once for those with the same pixels.

        Args:
            predictions: By models that did not see the images.
            order: Places in the predictions, the most urgent first.
            neighbours: Paths of the nearest images by path; may lack some.
        """
        asked: dict[str, Question] = {}
        for at in order:
            path = predictions.paths[at]
            row = self.rows.get(path)
            if row is None or row.pixel_hash in asked:
                continue
            near = [self.rows[one] for one in neighbours.get(path, ()) if one in self.rows]
            asked[row.pixel_hash] = Question((row,), opinion(predictions, at), tuple(near))
        return list(asked.values())

    def ask_about_suspects(self, found: SuspectReport) -> list[Question]:
        """Return a question about the first suspects: twice as many as labels seem to be wrong.

        At least `FEWEST_SUSPECTS`: the estimate is one.
        """
        issues = sum(suspect.issue for suspect in found.suspects)
        listed = found.suspects[: max(2 * issues, FEWEST_SUSPECTS)]
        place = {path: at for at, path in enumerate(found.predictions.paths)}
        near = {path: [one.path for one in others] for path, others in found.neighbours.items()}
        return self.ask_about(found.predictions, [place[one.path] for one in listed], near)

    def ask_about_copies(self, pairs: Iterable[tuple[str, str]]) -> list[Question]:
        """Return a question about each pair of images that are both in the run."""
        rows = [(self.rows.get(one), self.rows.get(other)) for one, other in pairs]
        return [Question((one, other)) for one, other in rows if one and other]


def read_review(
    workspace: Workspace, folder: RunFolder
) -> tuple[Review, dict[ReviewList, list[Question]]]:
    """Read the images of a run and what there is to ask about them; call it in a thread.

    Raises:
        UserError: Predictions, manifest or label fixes cannot be read, or the images were never
            prepared in this workspace.
    """
    review = Review(workspace, folder)
    predictions = read_predictions(folder.predictions_path)
    errors = review.ask_about(predictions, by_loss(predictions)[:MAX_ERRORS], {})
    audit = review.relabeling.path.parent / AUDIT_NAME
    pairs = read_audit(audit).near_pairs() if audit.exists() else []
    copies = review.ask_about_copies(pairs)
    suspects = review.ask_about_suspects(read_suspects(folder)) if review.searched else []
    return review, {"suspects": suspects, "errors": errors, "copies": copies}


def opinion(predictions: PredictionTable, at: int) -> tuple[tuple[str, float], ...]:
    """Return the most probable labels of an image, and its own, with their probabilities."""
    probabilities, own = predictions.probabilities[at], predictions.labels[at]
    order = [int(one) for one in np.argsort(-probabilities, kind="stable")]
    best = [one for place, one in enumerate(order) if place < OPINIONS or one == own]
    return tuple((predictions.names[one], float(probabilities[one])) for one in best)


def by_loss(predictions: PredictionTable) -> list[int]:
    """Return the places of wrong predictions, the largest loss first."""
    losses = image_losses(predictions)
    wrong = np.flatnonzero(~predictions.right)
    return [int(at) for at in wrong[np.argsort(-losses[wrong], kind="stable")]]

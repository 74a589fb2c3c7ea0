"""Labelling a folder of images beside a run: what to ask next, the answers, a table of both.

A worker ranks the images; answers are kept in their data folder, one line each, as they are given.
While a person answers a batch, the next one is ranked with the answers before it.
"""

import csv
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from workbench.app.jobs import JobEvent, JobHandle
from workbench.app.label_suspects import require_images
from workbench.app.ranking import RankedImages, rank_unlabelled, settled
from workbench.app.review import Question
from workbench.datasets.manifest import MANIFEST_NAME, ImageRecord, read_manifest
from workbench.datasets.names import label_key, natural_sorted, normalize_label
from workbench.datasets.review_log import REVIEW_NAME, Answer, ReviewLog, Verdict
from workbench.datasets.sources.opening import folder_path, source_path
from workbench.datasets.sources.source import FileImages
from workbench.datasets.store import find_folder
from workbench.errors import UserError
from workbench.experiment.resuming import with_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.export.run_data import RunImages
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.fields import spec_table
from workbench.runs.folder import RunFolder, read_tables
from workbench.text import plural, safe_text

BATCH = 10  # answers before the head is solved again
TABLE_NAME = "labelled.csv"
MAX_LABEL = 100  # characters


class Labelling:
    """A folder that is being labelled: the answers, and what is asked next.

    Args:
        workspace: of the run.
        run: one whose images were prepared.
        folder: of the images, as given by the user.
        batch: answers before the head is solved again.

    Attributes:
        root: the folder.
        queue: what is asked next; the first is shown.
        ranking: the newest; None before the first.

    Raises:
        UserError: the run has no images yet, or there is no such folder.
    """

    def __init__(
        self, workspace: Workspace, run: RunFolder, folder: str | Path, batch: int = BATCH
    ) -> None:
        require_images(run)
        self.workspace = workspace
        self.run = run
        self.batch = batch
        self.root = folder_path(folder)
        self.queue: list[Question] = []
        self.ranking: RankedImages | None = None
        self._source = str(spec_table(read_tables(run), "data").get("source", ""))
        self._rows = {row.path: row for row in read_manifest(run.manifest_path)}
        self._images = RunImages(workspace, self._source)
        self._files = FileImages(Path("/"))
        self._asked: dict[str, Question] = {}
        self._log: ReviewLog | None = None
        self._ranked = 0  # answers when the newest ranking began

    @property
    def data(self) -> Path | None:
        """The data folder of the images; None before they were scanned."""
        return find_folder(self.workspace, self.root, unlabelled=True)

    @property
    def log(self) -> ReviewLog | None:
        """All answers; None before the images were scanned."""
        if self._log is None and (data := self.data):
            self._log = ReviewLog(data / REVIEW_NAME)
        return self._log

    @property
    def answers(self) -> dict[str, Answer]:
        """The newest answer about each image by the hash of its pixels, in their order."""
        found: dict[str, Answer] = {}
        for answer in self.log.answers if self.log else ():
            found.pop(answer.images[0], None)
            found[answer.images[0]] = answer
        return found

    @property
    def given(self) -> dict[str, str]:
        """The label of each image that was labelled, by the hash of its pixels."""
        return {key: one.label for key, one in self.answers.items() if one.verdict == "relabel"}

    @property
    def labels(self) -> list[str]:
        """The labels that can be chosen: those of the run, then new ones as they were given."""
        of_run = natural_sorted({row.label for row in self._rows.values()})
        return list(dict.fromkeys([*of_run, *self.given.values()]))

    @property
    def question(self) -> Question | None:
        """What is asked now; None while nothing is ranked, or if nothing is left."""
        return self.queue[0] if self.queue else None

    @property
    def left(self) -> int:
        """How many images have no answer, those put off included."""
        if self.ranking is None:
            return 0
        now, before = self._settled(), self.ranking.settled
        return self.ranking.left - len(now - before) + len(before - now)

    @property
    def why_done(self) -> str:
        """Why nothing is asked: a sentence."""
        copies = self.ranking.copies if self.ranking else 0
        if copies and not self.answers:
            return tr(
                "{images} of the folder are already in this run; none is left to label.",
                images=plural(copies, "image"),
            )
        if copies:
            return tr(
                "Every image has an answer, but {images} that are already in this run.",
                images=plural(copies, "image"),
            )
        return tr("Every image has an answer.")

    @property
    def is_due(self) -> bool:
        """Whether the images should be ranked again."""
        if self.ranking is None:
            return True
        changed = abs(len(self.log.answers if self.log else ()) - self._ranked)
        return self.left > 0 and (changed >= self.batch or not self.queue)

    def rank(
        self,
        progress: Progress = silent,
        on_event: Callable[[JobEvent], None] = lambda event: None,
        handle: JobHandle | None = None,
    ) -> RankedImages:
        """Rank the other images with the answers so far, see `rank_unlabelled`.

        Twice a batch is ranked, so that a person can continue while the next ranking is made.
        """
        self._ranked = len(self.log.answers) if self.log else 0
        return rank_unlabelled(
            self.workspace,
            self.run,
            self.root,
            self.answers,
            2 * self.batch,
            progress,
            on_event,
            handle,
        )

    def take(self, ranking: RankedImages) -> None:
        """Ask what was ranked; the question that is shown stays, and so do answers taken back."""
        self.ranking = ranking
        kept = [one for one in self.queue if one.key[0] in ranking.settled] or self.queue[:1]
        done = {*self._settled(), *(one.key[0] for one in kept)}
        new = [one for one in ranking.questions if one.key[0] not in done]
        answered = self.answers  # of those that are left: put off
        self.queue = kept + sorted(new, key=lambda one: one.key[0] in answered)
        self._asked |= {one.key[0]: one for one in self.queue}

    def answer(self, verdict: Verdict, label: str = "") -> None:
        """Keep an answer about the question that is shown: it is on the disk afterwards.

        Args:
            verdict: relabel (to `label`), exclude or later.
            label: of "relabel".

        Raises:
            OSError: it cannot be written; the question stays.
        """
        if (log := self.log) is not None and self.queue:
            key = self.queue[0].key
            excluded = key[0] if verdict == "exclude" else ""
            log.add(Answer(images=key, verdict=verdict, label=label, excluded=excluded))
            self.queue.pop(0)

    def undo(self) -> bool:
        """Take back the newest answer and ask again; False if there is none.

        Raises:
            OSError: it cannot be written.
        """
        log = self.log
        if log is None or not log.answers:
            return False
        key = log.answers[-1].images[0]
        question = self._asked.get(key) or self._question(key)
        log.undo()
        if question is not None:  # the image is still known
            self.queue = [question, *(one for one in self.queue if one.key != question.key)]
        return True

    def new_label(self, typed: str) -> str:
        """Return the label that a person typed: a known one where it differs in spelling only.

        Raises:
            UserError: it is empty, too long, or holds control characters.
        """
        label = normalize_label(typed)
        if not (label.strip() and label.isprintable() and len(label) <= MAX_LABEL):
            raise UserError(
                tr("{label} is no label.", label=safe_text(repr(typed), 60)),
                tr("A label has 1 to {most} characters, all of them visible.", most=MAX_LABEL),
            )
        known = {label_key(one): one for one in reversed(self.labels)}
        return known.get(label_key(label), label)

    def picture(self, path: str, at_least: tuple[int, int] | None = None) -> Image.Image:
        """Return an image of a question to show, or one of its neighbours.

        Raises:
            ImageError: it cannot be read; with the reason.
        """
        if path in self._rows:
            return self._images.picture(path, at_least)
        return self._files.decode_for_display(path, at_least)

    def shown_path(self, row: ImageRecord) -> str:
        """Return the path of a question's image from the folder, not made safe."""
        return os.path.relpath(row.path, self.root)

    def write_table(self, file: Path | None = None) -> Path:
        """Write the images of the run and those labelled since, as the data step reads them.

        Images of an npz file have no paths and are left out, and so are images that were left out
        here.

        Args:
            file: of the table; `labelled.csv` in the data folder of the images if not given.

        Returns:
            The file.

        Raises:
            UserError: it would replace the run's own table, it is no CSV file, or nothing was
                labelled yet.
            OSError: it cannot be written.
        """
        data, given = self.data, self.given
        if data is None or not given:
            raise UserError(
                tr("Nothing in {folder} was labelled yet.", folder=safe_text(self.root))
            )
        file = (file or data / TABLE_NAME).absolute()
        self.check_table(file)
        rows: dict[str, tuple[str, str]] = {}  # label and group by path
        root = RunImages(self.workspace, self._source).root
        if root is not None and not root.is_file():
            for row in self._rows.values():
                rows[os.path.normpath(root / row.path)] = row.label, row.group
        for row in read_manifest(data / MANIFEST_NAME):
            if row.pixel_hash in given:
                rows[os.path.normpath(self.root / row.path)] = given.pop(row.pixel_hash), ""
        grouped = any(group for _, group in rows.values())
        text = io.StringIO()
        # In quotes, since a carriage return in a name would end the line.
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(["path", "label", "group"][: 2 + grouped])
        writer.writerows([path, *cells][: 2 + grouped] for path, cells in rows.items())
        write_atomic(file, text.getvalue().encode("utf-8", "surrogateescape"))
        return file

    def check_table(self, file: Path) -> None:
        """Refuse a file that is no table, or that of the run's images.

        Raises:
            UserError: it is.
        """
        of_run = self._source and source_path(file) == source_path(self._source)
        if file.suffix.lower() != ".csv" or of_run:
            raise UserError(
                tr("The table cannot be written to {file}.", file=safe_text(file)),
                tr("Name a file that ends in .csv, and is not the table of the run's images."),
            )

    def summary(self) -> list[str]:
        """Return sentences about the newest ranking, safe for a terminal."""
        if (ranking := self.ranking) is None:
            return []
        lines = [
            tr(
                "{run}: {own}, and {given} labelled in {folder}",
                run=self.run.name,
                own=plural(len(self._rows), "image"),
                given=f"{len(self.given):,}",
                folder=safe_text(self.root, 1000),
            ),
            tr(
                "A head on features of the base has accuracy {accuracy:.4f} on the run's images, "
                "each predicted without it.",
                accuracy=ranking.accuracy,
            ),
        ]
        if ranking.random_weights:
            lines.append(tr("The base has random weights: its features say little about labels."))
        waiting = [label for label in self.labels if label not in ranking.labels]
        if waiting:
            lines.append(
                tr(
                    "The head knows a new label from its second image on: {labels}.",
                    labels=", ".join(safe_text(label, 40) for label in waiting),
                )
            )
        left = [tr("{images} without a label", images=plural(self.left, "image"))]
        if ranking.copies:
            left.append(tr("{copies:,} that the run has already", copies=ranking.copies))
        if ranking.unreadable_count:
            left.append(tr("{count:,} that cannot be read", count=ranking.unreadable_count))
        return [*lines, ", ".join(left)]

    def train_arguments(self, table: Path) -> list[str]:
        """Return the arguments of the command that trains the run's experiment on a table."""
        tree = read_tables(self.run)
        base = str(spec_table(tree, "base").get("name", ""))
        preset = tree.get("preset")
        arguments = ["train", "--data", str(table)]
        arguments += ["--preset", preset] if isinstance(preset, str) else []
        return arguments + (["--base", base] if base else [])

    def spec(self) -> ExperimentSpec:
        """Write the table, and return the run's spec on it, without a name.

        Raises:
            UserError: as `write_table`, or this version cannot read the spec.
        """
        spec = read_spec(self.run.spec_path)
        changes = {"source": str(self.write_table()), "corrections": "", "group": ""}
        data = spec.data.model_copy(update=changes)
        return with_deadline(spec.model_copy(update={"name": None, "data": data}), None)

    def _settled(self) -> frozenset[str]:
        return settled(self.answers)

    def _question(self, key: str) -> Question | None:
        """Return a question about an image of an earlier session; None if it is not known."""
        data = self.data
        rows = read_manifest(data / MANIFEST_NAME) if data else []
        row = next((row for row in rows if row.pixel_hash == key), None)
        return Question((_record(self.root, row),)) if row else None


def _record(root: Path, row: ImageRecord) -> ImageRecord:
    return replace(row, path=str(root / row.path), label="", split=None)

"""Label: images without labels, one after another, those that help the model most first."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from workbench.app.labelling import BATCH, Labelling
from workbench.app.ranking import RankedImages
from workbench.app.relabel import TEST_SET_CHANGES
from workbench.app.review import Question
from workbench.datasets.review_log import Verdict
from workbench.errors import UserError
from workbench.messages import tr
from workbench.runs.watch import RunView
from workbench.text import plural, safe_lines, safe_text
from workbench.ui.base import in_background, notify_error
from workbench.ui.dialogs import PickName, Prompt
from workbench.ui.keys import key_of
from workbench.ui.question_screen import QuestionScreen
from workbench.ui.widgets.job_part import format_progress
from workbench.ui.widgets.question import DIGITS, QuestionPanes, digit_line, opinion_lines

NEW_LABEL = tr("a new label ...")
RANKING = tr(
    "The images are looked through, and the base runs once for each.\n\nThen the head ranks them: "
    "first those that it is unsure of and that are unlike the images it knows."
)


class LabelScreen(QuestionScreen):
    """Show an image large, the nearest labelled ones beside it, and what the head thinks.

    Args:
        run: whose images have labels.
        folder: of the images without, as given by the user.
        batch: answers before the head is solved again.
    """

    CONCEPTS = ("active-learning", "out-of-fold", "transfer")
    CSS = """
    LabelScreen {
        #state { height: 1; margin-bottom: 1; color: $secondary; }
        #labels { height: auto; max-height: 2; color: $secondary; }
        #of { height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(digit), f"choose({digit - 1})", show=False, id=f"label.{digit}")
            for digit in range(1, DIGITS + 1)
        ),
        Binding("enter", "accept", tr("Accept"), id="label.accept", tooltip=tr("as the head says")),
        Binding(
            "L", "pick", tr("Label"), key_display="L", id="label.pick", tooltip=tr("or a new one")
        ),
        Binding("d", "exclude", tr("Exclude"), id="label.exclude"),
        Binding("n", "later", tr("Later"), id="label.later", tooltip=tr("ask again at the end")),
        Binding("u", "undo", tr("Undo"), id="label.undo", tooltip=tr("the newest answer")),
        Binding("e", "export", tr("Table"), id="label.export", tooltip=tr("a CSV to train on")),
        Binding("t", "train", tr("Train"), id="label.train", tooltip=tr("on what was labelled")),
        Binding("r", "retry", tr("Retry"), id="label.retry"),
    ]

    def __init__(self, run: str, folder: str | Path, batch: int = BATCH) -> None:
        super().__init__(run)
        self._folder = folder
        self._batch = batch
        self._labelling: Labelling | None = None
        self._problem = ""  # that ended the newest one

    def compose_body(self) -> ComposeResult:
        """Yield the state, the pictures beside the facts, the labels by digit, and the path."""
        yield Static(id="state")
        yield QuestionPanes()
        yield Static(id="labels")
        yield Static(id="of")

    def heading(self) -> Text:
        """Return the run's name and the folder."""
        folder = safe_text(self._folder, 60)
        return Text.assemble(
            (safe_text(self.run, 40), "bold"), "  " + tr("label"), (f"   {folder}", "dim")
        )

    def read_files(self, view: RunView) -> None:
        """Read the answers so far, then rank."""
        workspace, folder = self.workbench.workspace, self._folder

        def read() -> Labelling | UserError:
            try:
                return Labelling(workspace, view.folder, folder, self._batch)
            except UserError as error:
                return error

        def start(found: Labelling | UserError) -> None:
            if isinstance(found, Labelling):
                self._labelling = found
                self.query_one(QuestionPanes).read = found.picture
            else:
                self._problem = str(found)
            self.show_next()

        in_background(self, read, start)

    @property
    def question(self) -> Question | None:
        """What is asked; None if nothing is."""
        return self._labelling.question if self._labelling else None

    def show_next(self) -> None:
        """Show the first question, and rank again if that is due."""
        labelling, question = self._labelling, self.question
        if labelling and labelling.is_due and not self.job and not self._problem:
            self.start_job(lambda job: labelling.rank(job.progress, handle=job), self._take,
                           self._failed)  # fmt: skip
            self._progress = tr("ranking")
        self.refresh_bindings()
        self.query_one("#state", Static).update(self._state())
        labels = labelling.labels if labelling else []
        ahead = labelling.queue[1] if labelling and len(labelling.queue) > 1 else None
        self.query_one(QuestionPanes).show(question, self._facts(labels), ahead)
        self.query_one("#labels", Static).update(digit_line(labels) if question else "")
        path = ""
        if labelling and question:
            row = question.images[0]
            path = f"{safe_text(labelling.shown_path(row), 100)}  {row.width}x{row.height}"
        self.query_one("#of", Static).update(Text(path, no_wrap=True, overflow="ellipsis"))

    def _state(self) -> Text:
        labelling = self._labelling
        text = Text(no_wrap=True, overflow="ellipsis")
        if labelling and (ranking := labelling.ranking):
            text.append(
                tr(
                    "{given:,} labelled, {left:,} left",
                    given=len(labelling.given),
                    left=labelling.left,
                )
            )
            text.append(
                tr(
                    "   head of {images}: accuracy {accuracy:.3f} out of fold",
                    images=plural(ranking.fitted, "image"),
                    accuracy=ranking.accuracy,
                )
            )
            if ranking.random_weights:
                text.append(tr("   random weights"))
        return text.append(f"   {self._progress}".lstrip() if not text else f"   {self._progress}")

    def _facts(self, labels: list[str]) -> Text:
        if question := self.question:
            lines = opinion_lines(question, labels, self.workbench.utf8)
            return Text.assemble((tr("what is it?"), "bold"), lines)
        if self._problem:
            text = safe_lines(f"{self._problem}\n\n")
            return Text(
                text + tr("{key} tries again.", key=key_of(self, "label.retry"))
                if self._labelling
                else text
            )
        if self._labelling is None or self._labelling.is_due:
            return Text(RANKING, "dim")
        table, train = key_of(self, "label.export"), key_of(self, "label.train")
        done = tr("{table} writes the table; {train} trains on it.", table=table, train=train)
        next_steps = f"\n\n{done}" if self._labelling.given else ""
        return Text(self._labelling.why_done + next_steps, "dim")

    def _take(self, ranking: RankedImages) -> None:
        self._progress = ""
        if self._labelling:
            self._labelling.take(ranking)
        self.show_next()

    def _failed(self, problem: str) -> None:
        self._progress, self._problem = "", problem
        if problem:
            notify_error(self.app, problem)
        self.show_next()

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show how far the ranking is; labelling continues meanwhile."""
        self._progress = format_progress(phase, done, total)
        self.query_one("#state", Static).update(self._state())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done."""
        if action == "retry":
            return bool(self._problem and self._labelling)
        if action in ("accept", "choose", "pick", "exclude", "later"):
            return self.question is not None
        return action not in ("undo", "export", "train") or self._labelling is not None

    def action_choose(self, place: int) -> None:
        """Give the image the label of a digit."""
        if self._labelling and place < len(labels := self._labelling.labels):
            self._answer("relabel", labels[place])

    def action_accept(self) -> None:
        """Give the image the label that the head finds most likely."""
        if self.question and self.question.opinion:
            self._answer("relabel", self.question.opinion[0][0])

    def action_pick(self) -> None:
        """Choose the label from a list, or type a new one."""
        labelling, question = self._labelling, self.question
        if labelling is None or question is None:
            return

        def picked(label: str | None) -> None:
            if label == NEW_LABEL:
                dialog = Prompt(tr("The new label:"), take=labelling.new_label)
                self.app.push_screen(dialog, typed)
            else:
                typed(label)

        def typed(label: str | None) -> None:
            if label is not None:
                self._answer("relabel", label)

        likely = question.opinion[0][0] if question.opinion else None
        names = [*labelling.labels, NEW_LABEL]
        self.app.push_screen(PickName(tr("What is it?"), names, likely), picked)

    def action_exclude(self) -> None:
        """Leave the image out: it is not in the table."""
        self._answer("exclude")

    def action_later(self) -> None:
        """Put the image off: it comes again at the end."""
        self._answer("later")

    def _answer(self, verdict: Verdict, label: str = "") -> None:
        if (labelling := self._labelling) is not None:
            self.change(lambda: labelling.answer(verdict, label))

    def action_undo(self) -> None:
        """Take the newest answer back, and ask again."""
        labelling = self._labelling

        def undo() -> None:
            if labelling and not labelling.undo():
                self.notify(tr("There is no answer to take back."), severity="warning")

        self.change(undo)

    def action_retry(self) -> None:
        """Rank again after a problem."""
        self._problem = ""
        self.show_next()

    def action_export(self) -> None:
        """Write the table of the run's images and those labelled since."""
        if self._labelling:
            in_background(self, self._labelling.write_table, self._written)

    def _written(self, file: Path) -> None:
        self.notify(tr("Written: {file}", file=safe_text(file, 300)))

    def action_train(self) -> None:
        """Ask, then train the same experiment on the run's images and those labelled since."""
        if self._labelling is None or self._starting:
            return
        images = plural(len(self._labelling.given), "image")
        caveat = TEST_SET_CHANGES.format(run=self.run)
        question = tr(
            "Train the same experiment on the images of {run} and {images} labelled here? {caveat}",
            run=self.run,
            images=images,
            caveat=caveat,
        )
        self.train(question, self._labelling.spec)

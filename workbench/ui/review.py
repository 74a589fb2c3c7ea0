"""Review: one image after another, each answered with a key: is its label right?"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from workbench.app.label_suspects import find_suspects
from workbench.app.relabel import TEST_SET_CHANGES, corrected_spec
from workbench.app.review import Question, Review, ReviewList, read_review
from workbench.app.run_files import data_source
from workbench.datasets.review_log import Verdict
from workbench.export.run_data import RunImages
from workbench.messages import tr
from workbench.runs.watch import RunView
from workbench.text import plural, safe_text
from workbench.ui.base import in_background
from workbench.ui.dialogs import PickName, show_error
from workbench.ui.keys import key_of
from workbench.ui.question_screen import QuestionScreen
from workbench.ui.widgets.job_part import STARTING, Job, format_progress
from workbench.ui.widgets.question import (
    DIGITS,
    SIDE,
    QuestionPanes,
    describe_path,
    digit_line,
    opinion_lines,
)

LISTS: dict[ReviewList, str] = {
    "suspects": tr("label suspects"),
    "errors": tr("errors"),
    "copies": tr("near copies"),
}
SEARCH = tr("search for wrong labels: every image predicted by heads that never saw it")
COPIES = (tr("exclude the left"), tr("exclude the right"))
NOTHING_LEFT = tr(
    "Nothing is left to review in this list.\n\n{next} shows the next list; {search} searches for "
    "labels that may be wrong among all images, not only those of the test part."
)


class ReviewScreen(QuestionScreen):
    """Show an image large, the nearest labelled ones beside it, and what the model thinks.

    Args:
        run: an evaluated run.
    """

    CONCEPTS = ("out-of-fold", "label-noise", "calibration")
    CSS = """
    ReviewScreen {
        #lists { height: 1; margin-bottom: 1; color: $secondary; }
        #labels { height: auto; max-height: 2; color: $secondary; }
        #of { height: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", tr("Keep"), id="review.keep", tooltip=tr("the label is right")),
        *(
            Binding(str(digit), f"choose({digit - 1})", show=False, id=f"review.label-{digit}")
            for digit in range(1, DIGITS + 1)
        ),
        Binding("L", "pick", tr("Label"), key_display="L", id="review.pick"),
        Binding("d", "exclude", tr("Exclude"), id="review.exclude"),
        Binding("n", "later", tr("Later"), id="review.later", tooltip=tr("ask again at the end")),
        Binding("u", "undo", tr("Undo"), id="review.undo", tooltip=tr("the newest answer")),
        Binding("a", "analyze", tr("Suspects"), id="review.analyze", tooltip=SEARCH),
        Binding(
            "v", "next_view", tr("List"), id="review.list", tooltip=tr("suspects, errors, copies")
        ),
        Binding("t", "train", tr("Train again"), id="review.train"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self._review: Review | None = None
        self._asked: Mapping[ReviewList, Sequence[Question]] = {}
        self._open: list[Question] = []
        self._list: ReviewList = "suspects"

    def compose_body(self) -> ComposeResult:
        """Yield the lists, the pictures beside the facts, the labels by digit, and the path."""
        yield Static(id="lists")
        yield QuestionPanes()
        yield Static(id="labels")
        yield Static(id="of")

    def heading(self) -> Text:
        """Return the run's name, how many label fixes there are, and how much is open."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  " + tr("review"))
        if self._review:
            fixes = plural(len(self._review.fixes), "label fix", "label fixes")
            text.append(
                tr("   {open:,} to review, {fixes}", open=len(self._open), fixes=fixes), "dim"
            )
        return text

    def read_files(self, view: RunView) -> None:
        """Read predictions, suspects, label fixes and the answers so far."""
        workspace = self.workbench.workspace
        self.query_one(QuestionPanes).read = RunImages(workspace, data_source(view)).picture
        in_background(self, lambda: read_review(workspace, view.folder), self._start_review)

    def _start_review(self, found: tuple[Review, Mapping[ReviewList, Sequence[Question]]]) -> None:
        self._review, self._asked = found
        self._list = next((name for name in LISTS if self._asked[name]), self._list)
        self.show_next()

    @property
    def question(self) -> Question | None:
        """What is asked; None if nothing is left."""
        return self._open[0] if self._open else None

    def show_next(self) -> None:
        """Show the first open question of the list."""
        if self._review is None:
            return
        self._open = self._review.open_questions(self._asked[self._list])
        self._draw()

    def _draw(self) -> None:
        if (review := self._review) is None:
            return
        question = self.question
        self.refresh_heading()
        self.refresh_bindings()
        self.query_one("#lists", Static).update(self._list_line())
        pair = question is not None and len(question.images) == 2
        choices = COPIES if pair else review.relabeling.labels
        self.query_one("#labels", Static).update(digit_line(choices) if question else "")
        facts = describe(question, review, self.workbench.utf8, partial(key_of, self))
        ahead = self._open[1] if len(self._open) > 1 else None
        self.query_one(QuestionPanes).show(question, facts, ahead)
        shown = "   |   ".join(describe_path(row) for row in question.images) if question else ""
        self.query_one("#of", Static).update(Text(shown, no_wrap=True, overflow="ellipsis"))

    def _list_line(self) -> Text:
        text = Text()
        for name, title in LISTS.items():
            asked = self._asked[name]
            open_now = len(self._review.open_questions(asked)) if self._review else 0
            text.append(" ")
            style = "bold reverse" if name == self._list else ""
            count = tr("{title} {count:,} of {all:,}", title=title, count=open_now, all=len(asked))
            if name == "suspects" and self._review and not self._review.searched:
                key = key_of(self, "review.analyze")
                count = tr("{title}: {key} searches for them", title=title, key=key)
            text.append(f" {count} ", style)
        return text.append(f"   {self._progress}", "dim") if self._progress else text

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the question can be answered with."""
        pair = self.question is not None and len(self.question.images) == 2
        return action not in ("pick", "exclude") or not pair

    def action_keep(self) -> None:
        """Keep the image as it is: its label is right."""
        self._answer("keep")

    def action_choose(self, place: int) -> None:
        """Give the image the label of a digit, or leave out this one of a pair."""
        if self._review is None or self.question is None:
            return
        labels = self._review.relabeling.labels
        if len(self.question.images) == 2:
            if place < 2:
                self._answer("exclude", of=place)
        elif place < len(labels):
            self._answer("relabel", labels[place])

    def action_analyze(self) -> None:
        """Predict all images out of fold, in the background; the suspects are listed then."""
        view = self.view
        if view is None or self._review is None or self.job:
            return
        workspace = self.workbench.workspace

        def search(job: Job) -> tuple[Review, dict[ReviewList, list[Question]]]:
            find_suspects(workspace, view.folder, progress=job.progress, handle=job)
            return read_review(workspace, view.folder)

        def found(result: tuple[Review, dict[ReviewList, list[Question]]]) -> None:
            self._review, self._asked = result
            self._list, self._progress = "suspects", ""
            self.show_next()

        def failed(problem: str) -> None:
            self._progress = ""
            self.show_next()
            if problem:
                show_error(self, problem)

        self.start_job(search, found, failed)
        self.show_progress(STARTING, 0, 0)

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show how far the search for wrong labels is; the review continues meanwhile."""
        self._progress = format_progress(phase, done, total)
        self.query_one("#lists", Static).update(self._list_line())

    def action_pick(self) -> None:
        """Choose the label from a list."""
        review, question = self._review, self.question
        if review is None or question is None:
            return

        def picked(label: str | None) -> None:
            if label is not None:
                self._answer("relabel", label)

        label = safe_text(question.images[0].label, 30)
        likely = question.opinion[0][0] if question.opinion else None
        text = tr("It is labelled {label}. What is it?", label=label)
        self.app.push_screen(PickName(text, review.relabeling.labels, likely), picked)

    def action_exclude(self) -> None:
        """Leave the image out of the data of future runs."""
        self._answer("exclude")

    def action_later(self) -> None:
        """Put the question off: it comes again at the end."""
        self._answer("later")

    def _answer(self, verdict: Verdict, label: str = "", of: int = 0) -> None:
        review, question = self._review, self.question
        if review is not None and question is not None:
            if label == question.images[of].label:  # its own
                verdict, label = "keep", ""
            self.change(lambda: review.answer(question, verdict, label, of))

    def action_undo(self) -> None:
        """Take the newest answer back, and ask again."""
        if (review := self._review) is None:
            return
        if not review.log.answers:
            self.notify(tr("There is no answer to take back."), severity="warning")
            return
        taken = review.log.answers[-1].images

        def ask_again() -> None:
            review.undo()
            for name, asked in self._asked.items():
                if any(question.key == taken for question in asked):
                    self._list = name
                    return

        self.change(ask_again)

    def action_next_view(self) -> None:
        """Show the next list."""
        names = list(LISTS)
        self._list = names[(names.index(self._list) + 1) % len(names)]
        self.show_next()

    def action_train(self) -> None:
        """Ask, then train the same experiment on the relabelled data."""
        if self._review is None or self._starting:
            return
        if not self._review.fixes:
            message = tr(
                "There are no label fixes yet: a digit sets a label, {exclude} excludes an image.",
                exclude=key_of(self, "review.exclude"),
            )
            self.notify(message, severity="warning")
            return
        caveat = TEST_SET_CHANGES.format(run=self.run)
        question = tr("Train the same experiment on the relabelled data? {caveat}", caveat=caveat)
        workspace, folder = self.workbench.workspace, self._review.run
        self.train(question, lambda: corrected_spec(workspace, folder))


def describe(
    question: Question | None, review: Review, utf8: bool, key: Callable[[str], str]
) -> Text:
    """Return the label of an image, what the model thinks, and the heading of its neighbours.

    Args:
        question: None where nothing is left.
        review: it belongs to.
        utf8: False for ASCII.
        key: returns the key of a binding by its id.
    """
    if question is None:
        following, search = key("review.list"), key("review.analyze")
        return Text(NOTHING_LEFT.format(next=following, search=search), "dim")
    row = question.images[0]
    label = review.fixes.get(row.pixel_hash, row.label)
    text = Text.assemble(
        (tr("label  "), "dim"), (safe_text(label, SIDE - 7) or tr("excluded"), "bold")
    )
    return text.append_text(opinion_lines(question, review.relabeling.labels, utf8))

"""Lessons: the chapter's claims as small experiments, their stored results, and running one."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.draft import newest_draft
from workbench.app.lessons import (
    LessonImages,
    LessonInput,
    LessonJob,
    stored_results,
    unmet_requirement,
)
from workbench.app.run_files import data_source
from workbench.bases.weights import IMAGENET
from workbench.lessons.catalogue import LESSONS
from workbench.lessons.lesson import Lesson, LessonResults
from workbench.lessons.variants import BASE, LessonInputs
from workbench.messages import tr
from workbench.render.lessons import (
    describe_setting,
    format_lesson,
    format_lesson_progress,
    format_notice,
)
from workbench.text import safe_lines, safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.keys import key_of
from workbench.ui.lessons.dialogs import AskSeeds, AskWeights, PickImages
from workbench.ui.widgets.job_part import Job, JobPart, format_progress

MARK_AT = 14  # cell of the mark of stored results, after the longest name
MARGINS = 3  # cells beside the text of the sheet: its padding and the scroll bar


class LessonList(OptionList):
    """A list that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Run"), id="lessons.run")
    ]


class LessonsScreen(WorkbenchScreen, JobPart):
    """Show the lessons at the left, the newest results of the selected one at the right.

    A running lesson ends with the screen, after a question.
    """

    PAGED = "#sheet"
    CSS = """
    LessonsScreen OptionList { width: 17; height: 1fr; border: none; padding: 0;
                             background: $background; background-tint: $background 0%; }
    LessonsScreen #sheet { height: 1fr; scrollbar-size-vertical: 1; padding: 0 1;
                         scrollbar-background: $background; scrollbar-color: $panel; }
    LessonsScreen #more { height: 1; padding: 0 1; color: $accent; }
    LessonsScreen #progress { height: 1; color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # With priority: the list would move its cursor.
        Binding(
            "pagedown", "page(1)", tr("Scroll"), id="scroll.down", key_display="PgDn", priority=True
        ),
        Binding("pageup", "page(-1)", id="scroll.up", show=False, priority=True),
        Binding(
            "i", "images", tr("Images"), id="lessons.images", tooltip=tr("run on other images")
        ),
        Binding(
            "W",
            "weights",
            tr("Weights"),
            key_display="W",
            id="lessons.weights",
            tooltip=tr("from a file"),
        ),
        Binding(
            "s",
            "seeds",
            tr("Seeds"),
            id="lessons.seeds",
            tooltip=tr("run with other seeds, or more"),
        ),
        Binding(
            "x", "stop", tr("Stop"), id="lessons.stop", tooltip=tr("drops what it computed so far")
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._names = tuple(LESSONS)
        self._on = LessonInput()
        self._inputs: LessonInputs | None = None  # None until the images were checked
        self._seeds: tuple[int, ...] = ()  # () for each lesson's own
        self._stored: dict[str, LessonResults | None] = {}
        self._lesson_job: LessonJob | None = None
        self._step = ("start", 0, 0)
        self._failed: Lesson | None = None  # which lesson failed; None for the images
        self._problem = ""

    def compose_body(self) -> ComposeResult:
        """Yield the list, the sheet beside it with a scroll hint, and the progress."""
        with Horizontal():
            yield LessonList(*(Option(name) for name in self._names))
            with Vertical():
                with VerticalScroll(id="sheet", can_focus=False):
                    yield Static(id="results")
                yield Static(id="more")
        yield Static(id="progress")

    def heading(self) -> Text:
        """Return what the screen is about."""
        text = Text(tr("lessons"), style="bold")
        return text.append(tr("  the chapter's claims, tried on small images"), "not bold")

    def concepts(self) -> tuple[str, ...]:
        """Return the concepts of the selected lesson."""
        return self._selected.concepts

    def on_mount(self) -> None:
        """Read the stored results; start with the inputs used last."""
        self._on = self.workbench.lesson_input or LessonInput()
        sheet = self.query_one("#sheet")
        for attribute in ("scroll_y", "virtual_size"):
            self.watch(sheet, attribute, self._show_scroll_hint, init=False)
        self._read_stored()
        names = self.query_one(OptionList)
        names.focus()
        names.highlighted = 0

    def on_resize(self) -> None:
        """Redraw in the new width."""
        self.call_after_refresh(self._draw)

    @property
    def _selected(self) -> Lesson:
        return LESSONS[self._names[self.query_one(OptionList).highlighted or 0]]

    def _read_stored(self) -> None:
        workspace, images = self.workbench.workspace, self._on.images
        self._stored = {name: stored_results(workspace, name, images) for name in self._names}
        self._mark_stored()

    def _mark_stored(self) -> None:
        """Mark the lessons with stored results in the list."""
        mark = "·" if self.workbench.utf8 else "*"
        names = self.query_one(OptionList)
        for at, name in enumerate(self._names):
            sign = mark if self._stored.get(name) else ""
            names.replace_option_prompt_at_index(at, f"{name:<{MARK_AT}}{sign}")

    def _set_input(self, on: LessonInput) -> None:
        """Use other images or weights, on this screen and the next that opens."""
        self._on = self.workbench.lesson_input = on

    # Drawing

    def _scroll_home(self) -> None:
        self.query_one("#sheet").scroll_home(animate=False)

    @on(OptionList.OptionHighlighted)
    def _draw_from_the_top(self) -> None:
        self._scroll_home()
        self._draw()
        self.refresh_bindings()  # only some lessons have weights

    def _draw(self) -> None:
        """Draw the sheet, and the line of progress."""
        lesson, sheet, utf8 = self._selected, self.query_one("#sheet"), self.workbench.utf8
        width, rows = max(sheet.size.width - MARGINS, 40), max(sheet.size.height, 1)
        unmet = unmet_requirement(lesson, self._inputs) if self._inputs else ""
        notice = self._notice(lesson, unmet, width)
        stored, weights = self._stored.get(lesson.name), key_of(self, "lessons.weights")
        text = format_lesson(lesson, stored, width, rows, utf8, weights, notice)
        self.query_one("#results", Static).update(text)
        line = Text(self._progress_line(lesson, unmet))
        self.query_one("#progress", Static).update(line)
        self.call_after_refresh(self._show_scroll_hint)

    def _notice(self, lesson: Lesson, unmet: str, width: int) -> Text | None:
        """Return the progress of the lesson, or why it cannot run."""
        if self._lesson_job and self._lesson_job.lesson is lesson:
            on = describe_setting(self._lesson_job.on.images.name, self._lesson_job.seeds)
            stop = key_of(self, "lessons.stop")
            return format_lesson_progress(on, *self._step, self.workbench.utf8, stop)
        if self._problem and self._failed in (None, lesson):
            return format_notice(self._problem, width, self.color("error"))
        if unmet:
            images = safe_text(self._on.images.name, 60)
            message = tr(
                "Cannot run on {images}: {unmet} {key}: other images.",
                images=images,
                unmet=unmet,
                key=key_of(self, "lessons.images"),
            )
            return format_notice(message, width, self.color("warning"))
        return None

    def _progress_line(self, lesson: Lesson, unmet: str) -> str:
        if self._lesson_job is None:
            on = describe_setting(self._on.images.name, self._seeds or lesson.seeds)
            if lesson.needs_base and self._on.weights != IMAGENET:
                on += tr(", weights {path}", path=safe_text(Path(self._on.weights).name, 30))
            return (
                ""
                if unmet
                else tr("enter runs {lesson_name} on {on}", lesson_name=lesson.name, on=on)
            )
        phase, done, total = self._step
        return f"{self._lesson_job.title}: {safe_text(format_progress(phase, done, total), 60)}"

    def _show_scroll_hint(self) -> None:
        sheet = self.query_one("#sheet")
        more = sheet.scroll_offset.y < sheet.max_scroll_y
        self.query_one("#more", Static).update(tr("more below: PgDn") if more else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to stop a running job, and other inputs if none is running."""
        if action == "stop":
            return self._lesson_job is not None
        if action == "weights" and not (self.is_mounted and self._selected.needs_base):
            return False
        return action not in ("images", "weights", "seeds") or self._lesson_job is None

    # Images, weights and seeds

    def action_images(self) -> None:
        """Ask for images, and check them."""
        workspace, runs = self.workbench.workspace, self.workbench.runs

        def newest() -> str:
            draft = newest_draft(workspace)
            if draft is not None and draft.source is not None:
                return str(draft.source)
            return next(filter(None, map(data_source, runs)), "")

        def answered(images: LessonImages | None) -> None:
            if images is not None and self._lesson_job is None:
                self._start(LessonJob(None, replace(self._on, images=images)))

        def ask(source: str) -> None:
            self.app.push_screen(PickImages(source, self.workbench.utf8), answered)

        in_background(self, newest, ask)

    def action_weights(self) -> None:
        """Ask for a file with the base's weights."""

        def answered(weights: str | None) -> None:
            if weights is None:
                return
            self._set_input(replace(self._on, weights=weights))
            if self._inputs:
                self._inputs = replace(self._inputs, weights=weights)
            self._problem = ""
            self._draw()

        self.app.push_screen(AskWeights(BASE, self._on.weights), answered)

    def action_seeds(self) -> None:
        """Ask for the seeds."""

        def answered(seeds: tuple[int, ...] | None) -> None:
            if seeds is not None:
                self._seeds = seeds
                self._draw()

        self.app.push_screen(AskSeeds(self._seeds), answered)

    # Running

    @on(OptionList.OptionSelected)
    def _run_selected(self) -> None:
        lesson = self._selected
        if self._lesson_job is not None:
            message = tr(
                "{lesson_job_title} is still running; {stop} stops it.",
                lesson_job_title=self._lesson_job.title,
                stop=key_of(self, "lessons.stop"),
            )
            self.notify(message, severity="warning")
        elif not (self._inputs and unmet_requirement(lesson, self._inputs)):
            self._start(LessonJob(lesson, self._on, self._seeds or lesson.seeds))

    def action_back(self) -> None:
        """Return to the screen before; a running job is stopped after a question."""

        def answered(yes: bool | None) -> None:
            if yes or (yes is not None and self._lesson_job is None):
                super(LessonsScreen, self).action_back()

        if self._lesson_job is None:
            super().action_back()
            return
        question = tr(
            "{title} is still running. Stop it, and leave? Its results so far are dropped.",
            title=self._lesson_job.title,
        )
        self.app.push_screen(Confirm(question, tr("Stop")), answered)

    def action_stop(self) -> None:
        """Stop the job; its results are dropped."""
        self.cancel_job()

    def _start(self, lesson: LessonJob) -> None:
        self._lesson_job, self._step, self._problem = lesson, ("start", 0, 0), ""
        workspace = self.workbench.workspace

        def work(job: Job) -> tuple[LessonInputs, LessonResults | None]:
            return replace(lesson, handle=job).run(workspace, job.progress)

        self._scroll_home()  # where the progress is shown
        self.start_job(work, partial(self._ended, lesson), partial(self._stopped, lesson))
        self._draw()
        self.refresh_bindings()

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress on the sheet and below it."""
        self._step = (phase, done, total)
        self._draw()

    def _stopped(self, lesson: LessonJob, problem: str) -> None:
        self._lesson_job = None
        if problem:
            self._failed, self._problem = lesson.lesson, safe_lines(problem)
            self._scroll_home()
        else:
            self.notify(tr("{lesson_title}: stopped.", lesson_title=lesson.title))
        self._draw()
        self.refresh_bindings()

    def _ended(self, lesson: LessonJob, result: tuple[LessonInputs, LessonResults | None]) -> None:
        self._lesson_job = None
        self._inputs, results = result
        self._set_input(lesson.on)
        if results is None:  # only the images were surveyed
            self._read_stored()
        else:
            self._stored[results.lesson] = results
            self._mark_stored()
            self._scroll_home()
        self._draw()
        self.refresh_bindings()

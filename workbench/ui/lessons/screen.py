"""The chapter's claims as experiments: which there are, what came out, and trying one."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.draft import newest_draft
from workbench.app.error_pictures import source_of
from workbench.app.lessons import Images, Job, TriedOn, hindrance, shown_results
from workbench.bases.weights import IMAGENET
from workbench.lessons.catalogue import EXPERIMENTS, Experiment
from workbench.lessons.results import Results
from workbench.lessons.variants import BASE, Setting
from workbench.render.lessons import at_work_text, notice_text, setting_words, sheet_text
from workbench.text import safe_lines, safe_text
from workbench.ui.background import in_background
from workbench.ui.lessons.setting import AskSeeds, AskWeights, PickImages
from workbench.ui.screen import WorkbenchScreen

MARK_AT = 14  # cell of the mark of kept results, beside the longest name
MARGINS = 3  # cells beside the text of the sheet: its padding and the scroll bar


class ExperimentList(OptionList):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select", "Try")]


class LearnScreen(WorkbenchScreen):
    """Experiments at the left, the last results of the one under the cursor at the right.

    An experiment that is being tried ends with the screen.
    """

    CSS = """
    LearnScreen OptionList { width: 17; height: 1fr; border: none; padding: 0;
                             background: $background; background-tint: $background 0%; }
    LearnScreen #sheet { height: 1fr; scrollbar-size-vertical: 1; padding: 0 1;
                         scrollbar-background: $background; scrollbar-color: $panel; }
    LearnScreen #more { height: 1; padding: 0 1; color: $accent; }
    LearnScreen #progress { height: 1; color: $secondary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # Before the list takes them, which would move its cursor.
        Binding("pagedown,space", "page(1)", "Scroll", key_display="PgDn", priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("d", "data", "Data", id="learn.data", tooltip="try them on other images"),
        Binding("w", "weights", "Weights", id="learn.weights", tooltip="weights from a file"),
        Binding("s", "seeds", "Seeds", id="learn.seeds", tooltip="train with other seeds, or more"),
        Binding("x", "stop", "Stop", id="learn.stop", tooltip="end what is at work, keep nothing"),
    ]

    class Told(Message):
        """How far the job has come."""

        def __init__(self, job: Job, phase: str, done: int, total: int) -> None:
            super().__init__()
            self.job = job
            self.step = (phase, done, total)

        def can_replace(self, message: Message) -> bool:
            """Only the newest counts."""
            return isinstance(message, LearnScreen.Told)

    class Ended(Message):
        """The job has ended: with a setting, with results too, or with the reason why not."""

        def __init__(
            self,
            job: Job,
            setting: Setting | None = None,
            results: Results | None = None,
            problem: str = "",
        ) -> None:
            super().__init__()
            self.job = job
            self.setting = setting
            self.results = results
            self.problem = problem

    def __init__(self) -> None:
        super().__init__()
        self._names = tuple(EXPERIMENTS)
        self._on = TriedOn()
        self._setting: Setting | None = None  # of the images; None before they were looked at
        self._seeds: tuple[int, ...] = ()  # () for each experiment's own
        self._kept: dict[str, Results | None] = {}
        self._job: Job | None = None
        self._step = ("begins", 0, 0)
        self._failed: Experiment | None = None  # what could not be tried; None: the images
        self._problem = ""

    def compose_body(self) -> ComposeResult:
        """The list, the sheet beside it with a line for what is below, and what is going on."""
        with Horizontal():
            yield ExperimentList(*(Option(name) for name in self._names))
            with Vertical():
                with VerticalScroll(id="sheet", can_focus=False):
                    yield Static(id="results")
                yield Static(id="more")
        yield Static(id="progress")

    def heading(self) -> Text:
        """What the screen is about."""
        text = Text("experiments", style="bold")
        return text.append("  what the chapter says, tried on small images", "not bold")

    def concepts(self) -> tuple[str, ...]:
        """Those of the experiment under the cursor."""
        return self._chosen.concepts

    def on_mount(self) -> None:
        """Reads what was kept; begins with what was taken last."""
        super().on_mount()
        self._on = self.workbench.tried_on or TriedOn()
        sheet = self.query_one("#sheet")
        for attribute in ("scroll_y", "virtual_size"):
            self.watch(sheet, attribute, self._tell_more, init=False)
        self._read_kept()
        names = self.query_one(OptionList)
        names.focus()
        names.highlighted = 0

    def on_unmount(self) -> None:
        """Ends what is being tried."""
        super().on_unmount()
        if self._job is not None:
            self._job.stop.ask()

    def on_resize(self) -> None:
        """Text as wide as there is room."""
        super().on_resize()
        self.call_after_refresh(self._draw)

    @property
    def _chosen(self) -> Experiment:
        """The experiment under the cursor."""
        return EXPERIMENTS[self._names[self.query_one(OptionList).highlighted or 0]]

    def _read_kept(self) -> None:
        workspace, images = self.workbench.workspace, self._on.images
        self._kept = {name: shown_results(workspace, name, images) for name in self._names}
        self._mark_kept()

    def _mark_kept(self) -> None:
        """Says in the list which experiments have results."""
        mark = "·" if self.workbench.utf8 else "*"
        names = self.query_one(OptionList)
        for at, name in enumerate(self._names):
            sign = mark if self._kept.get(name) else ""
            names.replace_option_prompt_at_index(at, f"{name:<{MARK_AT}}{sign}")

    def _take(self, on: TriedOn) -> None:
        """Other images or weights, for this screen and the next that opens."""
        self._on = self.workbench.tried_on = on

    # Drawing

    @on(OptionList.OptionHighlighted)
    def _draw_from_the_top(self) -> None:
        self.query_one("#sheet").scroll_home(animate=False)
        self._draw()
        self.refresh_bindings()  # weights belong to some alone

    def _draw(self) -> None:
        """The sheet, and the line of what is going on or what enter would do."""
        experiment, sheet, utf8 = self._chosen, self.query_one("#sheet"), self.workbench.utf8
        width, rows = max(sheet.size.width - MARGINS, 40), max(sheet.size.height, 1)
        hindered = hindrance(experiment, self._setting) if self._setting else ""
        now = self._now(experiment, hindered, width)
        text = sheet_text(experiment, self._kept.get(experiment.name), width, rows, utf8, now)
        self.query_one("#results", Static).update(text)
        self.query_one("#progress", Static).update(Text(self._going_on(experiment, hindered)))
        self.call_after_refresh(self._tell_more)

    def _now(self, experiment: Experiment, hindered: str, width: int) -> Text | None:
        """What is going on with the experiment, or in its way."""
        colors = self.app.theme_variables
        if self._job and self._job.experiment is experiment:
            on = setting_words(self._job.on.images.name, self._job.seeds)
            return at_work_text(on, *self._step, self.workbench.utf8)
        if self._problem and self._failed in (None, experiment):
            return notice_text(self._problem, width, colors.get("error", ""))
        if hindered:
            words = (
                f"Not to be tried on {safe_text(self._on.images.name, 60)}: {hindered} d: others."
            )
            return notice_text(words, width, colors.get("warning", ""))
        return None

    def _going_on(self, experiment: Experiment, hindered: str) -> str:
        if self._job is None:
            on = setting_words(self._on.images.name, self._seeds or experiment.seeds)
            if experiment.on_base and self._on.weights != IMAGENET:
                on += f", weights {safe_text(Path(self._on.weights).name, 30)}"
            return "" if hindered else f"enter tries {experiment.name} on {on}"
        phase, done, total = self._step
        counted = f" {done:,} of {total:,}" if total else ""
        return f"{self._job.title}: {safe_text(phase, 40)}{counted}"

    def _tell_more(self) -> None:
        """Says so while the sheet goes on below."""
        sheet = self.query_one("#sheet")
        more = sheet.scroll_offset.y < sheet.max_scroll_y
        self.query_one("#more", Static).update("more below: PgDn" if more else "")

    def action_page(self, step: int) -> None:
        """Scrolls the sheet; the list keeps the arrow keys."""
        sheet = self.query_one("#sheet")
        if step > 0:
            sheet.scroll_page_down(animate=False)
        else:
            sheet.scroll_page_up(animate=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers to stop what is at work, and other images, weights, seeds while nothing is."""
        if action == "stop":
            return self._job is not None
        if action == "weights" and not (self.is_mounted and self._chosen.on_base):
            return False
        return action not in ("data", "weights", "seeds") or self._job is None

    # Images, weights and seeds

    def action_data(self) -> None:
        """Asks which images, and looks at them."""
        workspace, runs = self.workbench.workspace, self.workbench.runs

        def newest() -> str:
            draft = newest_draft(workspace)
            if draft is not None and draft.source is not None:
                return str(draft.source)
            return next(filter(None, map(source_of, runs)), "")

        def answered(images: Images | None) -> None:
            if images is not None and self._job is None:
                self._begin(Job(None, replace(self._on, images=images)))

        def ask(source: str) -> None:
            self.app.push_screen(PickImages(source, self.workbench.utf8), answered)

        in_background(self, newest, ask)

    def action_weights(self) -> None:
        """Asks for a file of the base's weights."""

        def answered(weights: str | None) -> None:
            if weights is None:
                return
            self._take(replace(self._on, weights=weights))
            if self._setting:
                self._setting = replace(self._setting, weights=weights)
            self._problem = ""
            self._draw()

        self.app.push_screen(AskWeights(BASE, self._on.weights), answered)

    def action_seeds(self) -> None:
        """Asks which seeds."""

        def answered(seeds: tuple[int, ...] | None) -> None:
            if seeds is not None:
                self._seeds = seeds
                self._draw()

        self.app.push_screen(AskSeeds(self._seeds), answered)

    # Trying

    @on(OptionList.OptionSelected)
    def _try(self) -> None:
        experiment = self._chosen
        if self._job is not None:
            words = f"{self._job.title} is still at work; x stops it."
            self.notify(words, severity="warning")
        elif not (self._setting and hindrance(experiment, self._setting)):
            seeds = self._seeds or experiment.seeds
            self._begin(Job(experiment, self._on, seeds))

    def action_stop(self) -> None:
        """Ends what is at work; nothing of it is kept."""
        if self._job is not None:
            self._job.stop.ask()

    def _begin(self, job: Job) -> None:
        self._job, self._step, self._problem = job, ("begins", 0, 0), ""
        self.query_one("#sheet").scroll_home(animate=False)  # where its progress is told
        self._draw()
        self.refresh_bindings()
        self._perform(job)

    @work(thread=True, exclusive=True, group="learn", exit_on_error=False)
    def _perform(self, job: Job) -> None:
        workspace = self.workbench.workspace

        def tell(phase: str, done: int, total: int) -> None:
            self.post_message(self.Told(job, phase, done, total))

        try:
            setting, results = job.perform(workspace, tell)
        except Exception as error:  # whatever it is: the job has ended
            problem = str(error) or type(error).__name__
            self.post_message(self.Ended(job, problem=problem))
        else:
            self.post_message(self.Ended(job, setting, results))

    @on(Told)
    def _told(self, event: Told) -> None:
        if event.job is self._job:
            self._step = event.step
            self._draw()

    @on(Ended)
    def _ended(self, event: Ended) -> None:
        job, self._job = event.job, None
        if event.problem and job.stop.asked:
            self.notify(f"{job.title}: stopped.")
        elif event.problem:
            self._failed, self._problem = job.experiment, safe_lines(event.problem)
            self.query_one("#sheet").scroll_home(animate=False)
        if event.setting is not None:
            self._setting = event.setting
            self._take(job.on)
        if event.results is not None:
            self._kept[event.results.experiment] = event.results
            self._mark_kept()
            self.query_one("#sheet").scroll_home(animate=False)
        elif event.setting is not None:
            self._read_kept()
        self._draw()
        self.refresh_bindings()

"""Starting a run: the question how, and the start here, in the queue, or as a job of SLURM."""

from collections.abc import Collection
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from workbench.app.draft import Draft
from workbench.app.run_control import start_run
from workbench.app.slurm import framework_doubt, submit_run
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.runs.slots import devices_in_use
from workbench.runs.slurm import has_sbatch, has_slurm
from workbench.settings import SlurmProfile
from workbench.text import safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import show_error
from workbench.ui.slurm import ask_profile


class RunStarter:
    """Asks how runs of a draft shall start, and starts one at a time.

    Args:
        screen: in front of which it asks.
        draft: discarded once its run has started.

    Attributes:
        has_slurm: whether a run may be a job; a guess until SLURM's programs have answered.
    """

    def __init__(self, screen: WorkbenchScreen, draft: Draft) -> None:
        self._screen = screen
        self._draft = draft
        self._starting = False
        self.has_slurm = has_sbatch()

    def ask_slurm(self) -> None:
        """Ask SLURM in the background whether it knows a cluster, which may take it seconds."""

        def answered(there: bool) -> None:
            self.has_slurm = there

        in_background(self._screen, has_slurm, answered)

    def ask(self, spec: ExperimentSpec, summary: str) -> None:
        """Ask how a run shall start, then start it."""

        def answered(where: str | None) -> None:
            if where == StartScreen.SLURM:
                ask_profile(self._screen, lambda name, job: self._start(spec, (name, job)))
            elif where:
                self._start(spec, queue=where == StartScreen.QUEUE)

        offered = {StartScreen.QUEUE: bool(devices_in_use()), StartScreen.SLURM: self.has_slurm}
        chosen = [way for way, possible in offered.items() if possible]
        self._screen.app.push_screen(StartScreen(summary, chosen), answered)

    def _start(
        self,
        spec: ExperimentSpec,
        job: tuple[str, SlurmProfile] | None = None,
        queue: bool = False,
    ) -> None:
        """Start the run here, now or in the queue, or as a job with a profile."""
        if self._starting:
            return
        self._starting = True
        screen, app = self._screen, self._screen.workbench
        checking = tr("Checking the images and the machine, then the run starts.")
        screen.notify(tr("Checking the images, then the job is submitted.") if job else checking)
        stem, notes = self._draft.stem, list[str]()

        def work() -> RunFolder | UserError:
            try:
                if job:
                    name, profile = job
                    notes.extend(filter(None, [framework_doubt(profile)]))
                    return submit_run(app.workspace, spec, stem, profile, name, warn=notes.append)
                return start_run(app.workspace, spec, stem, notes.append, queue, app.warm)
            except UserError as error:
                return error

        def done(result: RunFolder | UserError) -> None:
            self._starting = False
            if isinstance(result, UserError):
                show_error(screen, str(result))
                return
            for note in notes:
                screen.notify(safe_text(note, 300), markup=False)
            self._draft.discard()
            app.open_instead("train", result.name)

        in_background(screen, work, done)


class StartScreen(ModalScreen[str | None]):
    """Ask how a run shall start; None is not yet.

    HERE starts it by enter. QUEUE by w lets it wait for a device that no run uses, SLURM by s makes
    it a job: each only where it is offered.

    Args:
        summary: what starts.
        offered: of QUEUE and SLURM.
    """

    HERE, QUEUE, SLURM = "here", "queue", "slurm"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(None)", tr("Not yet")),
        Binding("w", "choose('queue')", tr("Queue")),
        Binding("s", "choose('slurm')", tr("SLURM")),
    ]

    def __init__(self, summary: str, offered: Collection[str] = ()) -> None:
        super().__init__()
        self._summary = summary
        labels = {self.QUEUE: tr("Queue (w)"), self.SLURM: tr("SLURM (s)")}
        self._labels = {name: label for name, label in labels.items() if name in offered}

    def compose(self) -> ComposeResult:
        """Yield the summary above the buttons."""
        outlives = tr("It keeps running when this terminal is closed.")
        waits = tr("Other runs are training: a queued one waits for a free GPU, or the CPU.")
        with Vertical(classes="dialog"):
            yield Static(Text(safe_text(self._summary, 400)))
            yield Static(Text(waits if self.QUEUE in self._labels else outlives, style="dim"))
            with Horizontal(classes="buttons"):
                yield Button(tr("Train (enter)"), variant="primary", id=self.HERE)
                for name, label in self._labels.items():
                    yield Button(label, id=name)
                yield Button(tr("Not yet (esc)"), id="no")

    def on_mount(self) -> None:
        """Focus the button that starts."""
        self.query_one(f"#{self.HERE}", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "no" else event.button.id)

    def action_choose(self, name: str) -> None:
        """Choose another way to start, where it is offered."""
        if name in self._labels:
            self.dismiss(name)

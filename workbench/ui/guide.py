"""The guided setup of a new experiment: its start, its steps, and the run it ends in."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from workbench.app.draft import BASE_KEYS, STEPS, Draft, newest_draft
from workbench.app.ladder import PlannedRun, plan_ladder
from workbench.app.run_control import start_demo
from workbench.bases.weights import IMAGENET, RANDOM
from workbench.errors import UserError
from workbench.experiment.base_choice import default_base
from workbench.experiment.facts import DataFacts
from workbench.experiment.toml import flat
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.runs.next_step import NextStep
from workbench.text import cut_cells, format_seconds, pad_cells, safe_text
from workbench.ui.base import BaseApp, Route, WorkbenchScreen, in_background, notify_error
from workbench.ui.dialogs import Choose, Confirm

RAIL = {
    "machine": tr("Machine"), "data": tr("Data"), "strategy": tr("Strategy"),
    "layers": tr("Layers"), "train": tr("Train"), "results": tr("Results"),
}  # fmt: skip
RAIL_STEPS = tuple(RAIL)
STEP_ROUTES: tuple[Route, ...] = ("machine-step", "data", "strategy")  # that need only a draft
_NAME_WIDTH = 14  # cells, so that name and rail fit in 80


def start_experiment(app: BaseApp) -> None:
    """Start a new experiment, or offer to continue the newest draft."""
    draft = newest_draft(app.workspace, app.draft_writer)
    if draft is None or draft.source is None:
        open_draft(app, draft or Draft(app.workspace, draft_writer=app.draft_writer))
        return

    def answered(answer: str | None) -> None:
        if answer == "c":
            open_draft(app, draft)
        elif answer == "n":
            draft.discard()
            if draft.base:
                app.notify(tr("Base and weights stay as they were."))
            open_draft(app, Draft(app.workspace, base=draft.base, draft_writer=app.draft_writer))

    ago = format_seconds(max(time.time() - draft.saved, 0))
    done = ", ".join(RAIL[step] for step in STEPS if step in draft.completed) or tr("none")
    question = tr(
        "An experiment was set up {ago} ago and not started; steps done: {done}. "
        "Its images: {source}",
        ago=ago,
        done=done,
        source=safe_text(draft.source, 200),
    )
    app.push_screen(Choose(question, {"c": tr("Continue"), "n": tr("New")}), answered)


def open_draft(app: BaseApp, draft: Draft) -> None:
    """Show the current step of a draft; escape leads to the one before."""
    app.warm_up()
    if draft.source is None and "machine" not in draft.completed:
        app.open("machine-step", draft)
    else:
        app.open("data", draft, "data" in draft.completed)


def reuse_base(app: BaseApp, draft: Draft, source: Path) -> None:
    """Give an empty draft the base of the newest run on these images, with a notice."""
    if draft.base or draft.is_touched:
        return
    default = {"base.name": default_base(draft.chosen_preset), "base.weights": IMAGENET}
    for run in app.runs:
        if run.source != os.path.normpath(source):
            continue
        spec = flat(dict(run.spec))
        own = {key: spec[key] for key in BASE_KEYS if isinstance(spec.get(key), str)}
        if own and own.get("base.weights") != RANDOM:
            draft.base = {key: value for key, value in own.items() if value != default[key]}
            if draft.base:
                app.notify(
                    tr("Base and weights as in {run_name}.", run_name=safe_text(run.name, 40)),
                    markup=False,
                )
            return


def next_experiment(
    app: BaseApp, source: Path, facts: DataFacts, spec: Mapping[str, Any], suggested: NextStep
) -> None:
    """Set up an experiment on a run's images with another strategy, and show its strategy step.

    Args:
        app: that shows the step.
        source: the images, an absolute path.
        facts: of the images as they are now.
        spec: the run's tables, unchecked; settings that do not fit are left out.
        suggested: the preset to use, and its weights.
    """
    draft = Draft(app.workspace, draft_writer=app.draft_writer)
    draft.set_source(source, facts)
    draft.set_preset(suggested.preset)
    kept = {key: value for key, value in flat(dict(spec)).items() if _is_shared(key, value)}
    if suggested.weights:
        kept["base.weights"] = suggested.weights
    draft.update(kept)
    draft.drop_invalid_settings()
    draft.complete_step("machine")
    draft.complete_step("data")
    app.warm_up()
    app.open("strategy", draft)


def _is_shared(key: str, value: object) -> bool:
    """Return True for settings that make two strategies comparable: the split, and the base."""
    if key in BASE_KEYS:
        return isinstance(value, str)
    return key.startswith("data.split.") and isinstance(value, (int, float))


def launch_demo(app: BaseApp) -> None:
    """Ask, then start the demo's two runs on handwritten digits and show the first."""

    def work() -> None:
        try:
            first, *_ = start_demo(app.workspace)
        except UserError as error:
            app.call_from_thread(notify_error, app, error)
        else:
            app.call_from_thread(app.open_instead, "train", first.name)

    def answered(yes: bool | None) -> None:
        if yes:
            app.notify(tr("Making the digits; a dense network trains, and a convnet after it."))
            app.run_worker(work, thread=True, exclusive=True, group="demo", exit_on_error=False)

    question = tr(
        "Train two small networks, one after the other, on the handwritten digits that come with "
        "the workbench?"
    )
    app.push_screen(Confirm(question, tr("Train"), harmless=True), answered)


def open_ladder_dialog(
    screen: WorkbenchScreen, draft: Draft, presets: Sequence[str], figures: BenchmarkResult | None
) -> None:
    """Ask which strategies to train, start them, and show the ladder instead of the steps."""
    app = screen.workbench

    def started(ladder: str | None) -> None:
        if ladder is not None:
            draft.discard()
            app.open_instead("ladder", ladder)

    def ask(planned: tuple[PlannedRun, ...]) -> None:
        app.open("ladder-start", app.workspace, draft, planned, then=started)

    in_background(screen, partial(plan_ladder, draft, presets, figures), ask)


def rail_heading(draft: Draft, current: str, utf8: bool = True) -> Text:
    """Return the heading line of a step: the name of the experiment and the steps in a row.

    Args:
        draft: of the experiment.
        current: the step on the screen, "data"; shown in brackets.
        utf8: whether the check mark is shown.
    """
    text = Text(
        pad_cells(cut_cells(safe_text(draft.name, _NAME_WIDTH), _NAME_WIDTH), _NAME_WIDTH),
        style="bold",
    )
    for step, title in RAIL.items():
        text.append("  ")
        if step == current:
            text.append(f"[{title}]", style="bold")
        elif step in draft.completed:
            text.append(f"{title} {'✓' if utf8 else '+'}")
        else:
            text.append(title, style="dim")
    return text


class StepScreen(WorkbenchScreen):
    """A step of a new experiment: it shows the rail, and the number of a step leads there.

    A step that is another screen, too, has that first among its bases: Textual styles a screen like
    its first base.

    Attributes:
        STEP: its place on the rail, from 0.
        NEXT: the key that opens the next step.
        draft: the experiment.
    """

    STEP: ClassVar[int]
    NEXT: ClassVar[str] = "enter"
    draft: Draft
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"step({number - 1})", title, show=False, id=f"rail.{step}")
            for number, (step, title) in enumerate(RAIL.items(), start=1)
        ),
        Binding("n", "next_step", tr("Next step"), show=False, id="rail.next"),
    ]

    def heading(self) -> Text:
        """Return the rail."""
        return rail_heading(self.draft, RAIL_STEPS[self.STEP], self.workbench.utf8)

    def go_on(self) -> None:
        """Complete the step and open the next one."""
        raise NotImplementedError

    def action_next_step(self) -> None:
        """Complete the step and open the next one."""
        self.go_on()

    def action_step(self, step: int) -> None:
        """Go back to an earlier step, or on to the next one."""
        if step == self.STEP + 1:
            self.go_on()
        elif step > self.STEP:
            following = RAIL[RAIL_STEPS[self.STEP + 1]]
            self.notify(tr("{step} comes first: {key}.", step=following, key=self.NEXT))
        elif step < self.STEP:
            self._go_back(step)

    def _go_back(self, step: int) -> None:
        stack = self.app.screen_stack
        steps = [screen for screen in stack if isinstance(screen, StepScreen)]
        target = next((screen for screen in steps if step == screen.STEP), None)
        if target is None:  # the experiment began at a later step
            self.workbench.open(STEP_ROUTES[step], self.draft)
            return
        for _ in stack[stack.index(target) + 1 :]:
            self.app.pop_screen()

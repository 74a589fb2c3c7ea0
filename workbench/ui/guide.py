"""The guided way of a new experiment: where it begins, goes on, and ends in a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.screen import Screen

from workbench.app.draft import BASE_KEYS, Draft, newest_draft
from workbench.app.error_pictures import source_of
from workbench.bases.weights import IMAGENET, RANDOM
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import DEFAULT_BASE
from workbench.experiment.toml import flat
from workbench.runs.results import NextRung
from workbench.text import safe_lines, safe_text

if TYPE_CHECKING:
    from workbench.ui.app import WorkbenchApp

_BOTTOM = 2  # screens of the stack that stay: the app's own blank one, and home


def begin_experiment(app: "WorkbenchApp") -> None:
    """Begins a new experiment, or offers to go on with the one that was begun last."""
    from workbench.ui.home.continue_draft import GoOnScreen

    found = newest_draft(app.workspace, app.keeper)
    if found is None or found.source is None:
        go_on(app, found or Draft(app.workspace, keeper=app.keeper))
        return

    def answered(answer: str | None) -> None:
        if answer == "go on":
            go_on(app, found)
        elif answer == "new":
            found.discard()
            if found.base:
                app.notify("Base and weights stay as they were.")
            go_on(app, Draft(app.workspace, base=found.base, keeper=app.keeper))

    app.push_screen(GoOnScreen(found), answered)


def go_on(app: "WorkbenchApp", draft: Draft) -> None:
    """Shows the step that a draft has come to; escape leads to the one before."""
    app.warm_up()
    if draft.source is None and "machine" not in draft.settled:
        from workbench.ui.machine.step import MachineStep

        app.push_screen(MachineStep(draft))
        return
    from workbench.ui.data.screen import DataScreen

    app.push_screen(DataScreen(draft, onward="data" in draft.settled))


def take_base_along(app: "WorkbenchApp", draft: Draft, source: Path) -> None:
    """A draft that is still empty gets the base of the newest run on these images, and says so."""
    if draft.base or draft.is_touched:
        return
    usual = {"base.name": DEFAULT_BASE, "base.weights": IMAGENET}
    for run in app.runs:
        if source_of(run) != str(source):
            continue
        spec = flat(dict(run.spec))
        own = {key: spec[key] for key in BASE_KEYS if isinstance(spec.get(key), str)}
        if own and own.get("base.weights") != RANDOM:
            draft.base = {key: value for key, value in own.items() if value != usual[key]}
            if draft.base:
                app.notify(f"Base and weights as in {safe_text(run.name, 40)}.", markup=False)
            return


def next_experiment(
    app: "WorkbenchApp", source: Path, facts: DataFacts, spec: Mapping[str, Any], rung: NextRung
) -> None:
    """Begins an experiment with the images of a run on another rung, at the strategy step.

    Args:
        source: the images, an absolute path.
        facts: what they are now.
        spec: the run's tables, unchecked; what of them does not fit is left out.
    """
    from workbench.ui.strategy.screen import StrategyScreen

    draft = Draft(app.workspace, keeper=app.keeper)
    draft.take_source(source, facts)
    draft.take_preset(rung.preset)
    carried = {key: value for key, value in flat(dict(spec)).items() if _carries_on(key, value)}
    if rung.weights:
        carried["base.weights"] = rung.weights
    draft.take(carried)
    draft.mend()
    draft.settle("machine")
    draft.settle("data")
    app.warm_up()
    app.push_screen(StrategyScreen(draft))


def _carries_on(key: str, value: object) -> bool:
    """True for what makes another rung comparable: the split, and the base."""
    if key in BASE_KEYS:
        return isinstance(value, str)
    return key.startswith("data.split.") and isinstance(value, (int, float))


def begin_demo(app: "WorkbenchApp") -> None:
    """Starts the demo's two runs on handwritten digits and shows the first."""
    from workbench.app.start_run import start_demo

    def work() -> None:
        try:
            first, *_ = start_demo(app.workspace)
        except UserError as error:
            words = safe_lines(str(error))
            app.call_from_thread(app.notify, words, severity="error", timeout=15, markup=False)
        else:
            app.call_from_thread(show_run, app, first.name)

    app.notify("Making the digits; then a dense network trains, and a convnet after it.")
    app.run_worker(work, thread=True, exclusive=True, group="demo", exit_on_error=False)


def show_run(app: "WorkbenchApp", name: str) -> None:
    """Shows a run that was just started in the place of the steps that led to it."""
    from workbench.ui.train.screen import TrainScreen

    show_instead(app, TrainScreen(name))


def show_instead(app: "WorkbenchApp", screen: Screen[None]) -> None:
    """Shows a screen in the place of the steps that led to it; home stays below it."""
    with app.batch_update():
        while len(app.screen_stack) > _BOTTOM:
            app.pop_screen()
        app.push_screen(screen)

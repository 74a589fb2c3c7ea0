"""The guided way of a new experiment: where it begins, goes on, and ends in a run."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from workbench.app.draft import BASE_KEYS, Draft, newest_draft
from workbench.app.error_pictures import source_of
from workbench.app.ladder_plan import PlannedRung, plan_rungs
from workbench.app.start_run import start_demo
from workbench.bases.weights import IMAGENET, RANDOM
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.presets import DEFAULT_BASE
from workbench.experiment.toml import flat
from workbench.machine.benchmark_store import Figures
from workbench.runs.results import NextRung
from workbench.text import safe_lines, safe_text
from workbench.ui.background import in_background
from workbench.ui.base_app import BaseApp
from workbench.ui.continue_draft import GoOnScreen
from workbench.ui.screen import WorkbenchScreen


def begin_experiment(app: BaseApp) -> None:
    """Begins a new experiment, or offers to go on with the one that was begun last."""
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


def go_on(app: BaseApp, draft: Draft) -> None:
    """Shows the step that a draft has come to; escape leads to the one before."""
    app.warm_up()
    if draft.source is None and "machine" not in draft.settled:
        app.open("machine-step", draft)
    else:
        app.open("data", draft, "data" in draft.settled)


def take_base_along(app: BaseApp, draft: Draft, source: Path) -> None:
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
    app: BaseApp, source: Path, facts: DataFacts, spec: Mapping[str, Any], rung: NextRung
) -> None:
    """Begins an experiment with the images of a run on another rung, at the strategy step.

    Args:
        source: the images, an absolute path.
        facts: what they are now.
        spec: the run's tables, unchecked; what of them does not fit is left out.
    """
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
    app.open("strategy", draft)


def _carries_on(key: str, value: object) -> bool:
    """True for what makes another rung comparable: the split, and the base."""
    if key in BASE_KEYS:
        return isinstance(value, str)
    return key.startswith("data.split.") and isinstance(value, (int, float))


def begin_demo(app: BaseApp) -> None:
    """Starts the demo's two runs on handwritten digits and shows the first."""

    def work() -> None:
        try:
            first, *_ = start_demo(app.workspace)
        except UserError as error:
            words = safe_lines(str(error))
            app.call_from_thread(app.notify, words, severity="error", timeout=15, markup=False)
        else:
            app.call_from_thread(app.open_instead, "train", first.name)

    app.notify("Making the digits; then a dense network trains, and a convnet after it.")
    app.run_worker(work, thread=True, exclusive=True, group="demo", exit_on_error=False)


def ask_for_ladder(
    screen: WorkbenchScreen, draft: Draft, presets: Sequence[str], figures: Figures | None
) -> None:
    """Asks which rungs, trains them, and shows the ladder in the place of the steps before it."""
    app = screen.workbench

    def answered(ladder: str | None) -> None:
        if ladder is not None:
            draft.discard()
            app.open_instead("ladder", ladder)

    def ask(rungs: tuple[PlannedRung, ...]) -> None:
        app.open("ladder-start", app.workspace, draft, rungs, then=answered)

    in_background(screen, partial(plan_rungs, draft, presets, figures), ask)

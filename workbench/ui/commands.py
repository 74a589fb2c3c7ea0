"""Everything that can be done now, as commands: those of the keys, of runs, of the app."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import ActiveBinding, Screen
from textual.widgets import HelpPanel

from workbench.content.concepts import CONCEPTS
from workbench.messages import tr
from workbench.runs.sweep_record import LADDER, SWEEP
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.base import BaseApp, Route, WorkbenchScreen
from workbench.ui.guide import launch_demo, start_experiment
from workbench.ui.keys import key_of, types_itself
from workbench.ui.run_actions import ask_to_label, compare_run, resume_run, stop_run
from workbench.words import shown

# Titles by the binding's id, for descriptions that are too short here. Keys whose ids are not
# listed have tooltips.
TITLES = {
    "results": tr("Results: accuracy, confusion matrix, worst errors"),
    "export": tr("Export: ONNX, LiteRT, Keras, SavedModel, TensorBoard, report"),
    "analyze": tr("Analyze: calibration, ROC, precision and recall, threshold, learning curve"),
    "explain": tr("Explain the model: Grad-CAM, activations, filters"),
    "layers": tr("Layers: what to freeze, what was frozen, how far weights moved"),
    "predict": tr("Predict: classify other images"),
    "review": tr("Review: label suspects, errors and near copies, relabelled or left out"),
    "map": tr("Map: all images by their features, like beside like"),
    "label": tr("Label: a folder of other images, those that help most first"),
    "compare": tr("Compare: runs side by side"),
    "resume": tr("Resume: continue at the last checkpoint"),
    "stop": tr("Stop: save a checkpoint and end the training"),
    "new": tr("New experiment: from a folder of images to a trained classifier"),
    "demo": tr("Demo: two networks learn handwritten digits"),
    "lessons": tr("Lessons"),
    "settings.screen": tr("Settings: language, theme, notifications"),
    "machine": tr("Machine check: GPU, driver, TensorFlow, speed"),
    "strategy.train": tr("Train: start this experiment"),
    "strategy.ladder": tr("Ladder: train all strategies one after the other"),
    "strategy.lr-find": tr("Learning rate finder: the range test"),
    "strategy.tune": tr("Tune the head: its size, dropout, learning rate"),
}


def list_commands(app: BaseApp, screen: Screen[object]) -> Iterator[SystemCommand]:
    """Yield everything that can be done on a screen; over a dialog only its own keys."""
    keys = _key_commands(app, screen)
    yield from keys.values()
    if isinstance(screen, WorkbenchScreen):
        yield from _run_commands(app, screen, set(keys))
        yield from _global_commands(app, screen, set(keys))
        yield from _app_commands(app, screen)
        yield from _open_commands(app, screen)
        for name, concept in CONCEPTS.items():
            explain = partial(app.open, "concepts", (name,))
            help_text = f"{concept.title} - {concept.text}"
            yield SystemCommand(tr("Explain: {name}", name=concept.label), help_text, explain)


def _key_commands(app: BaseApp, screen: Screen[object]) -> dict[str, SystemCommand]:
    """Return the actions of the screen's keys, by the ids of their bindings, or their actions.

    Without a widget's enter, which is for the item under its cursor, and without the list of
    ladders, each of which has a command.
    """
    found: dict[str, SystemCommand] = {}
    for node, binding, enabled, _ in screen_keys(screen):
        of_cursor = binding.key == "enter" and not isinstance(node, (Screen, App))
        if not enabled or of_cursor or binding.action == "ladders":
            continue
        name = binding.id or binding.action
        title = TITLES.get(name, binding.description)
        if binding.tooltip:
            title = f"{binding.description}: {binding.tooltip}"
        do = partial(app.call_later, app.run_action, binding.action, node)
        found[name] = SystemCommand(
            title, tr("key {get_key_display}", get_key_display=app.get_key_display(binding)), do
        )
    return found


@dataclass(frozen=True)
class RunAction:
    """An action on a run.

    Attributes:
        key: id of the binding that does it, on a screen that has one.
        possible: whether it can be done, from the run and all runs.
        shows: name of the screen that it opens.
    """

    key: str
    possible: Callable[[RunView, Runs], bool]
    do: Callable[[WorkbenchScreen, RunView], object]
    shows: Route | None = None


def _finished(view: RunView, runs: Runs) -> bool:
    return view.summary.state.phase == "finished"


def _open_action(
    key: str,
    route: Route,
    possible: Callable[[RunView, Runs], bool] = _finished,
    argument: Callable[[RunView], Any] = lambda view: view.name,
) -> RunAction:
    """Return an action that opens a screen about the run."""
    return RunAction(
        key, possible, lambda screen, view: screen.workbench.open(route, argument(view)), route
    )


def _resume(screen: WorkbenchScreen, view: RunView) -> None:
    resume_run(screen, view, lambda _: screen.workbench.open("train", view.name))


def _predict(screen: WorkbenchScreen, view: RunView) -> None:
    app = screen.workbench
    app.open("results", view.name)
    results = app.screen
    results.call_later(app.run_action, "predict", results)  # once it is mounted


RUN_ACTIONS = (
    _open_action("results", "results"),
    _open_action("export", "export", argument=lambda view: view),
    _open_action("analyze", "analyze", argument=lambda view: view),
    _open_action("explain", "explain"),
    _open_action("layers", "layers", lambda view, runs: True),
    RunAction("compare", lambda view, runs: len(runs) > 1, compare_run),
    RunAction("predict", _finished, _predict),
    _open_action("review", "review"),
    _open_action("map", "map"),
    RunAction(
        "label", _finished, lambda screen, view: ask_to_label(screen, view.name), shows="label"
    ),
    RunAction("resume", lambda view, runs: view.summary.state.resumable, _resume),
    RunAction("stop", lambda view, runs: view.running, stop_run),
)


def runs_in_context(app: BaseApp) -> Runs:
    """Return the run of the topmost screen that is about one; at home all, the selected first."""
    screens = [one for one in reversed(app.screen_stack) if isinstance(one, WorkbenchScreen)]
    about = next((one for one in screens if one.run), None)
    if about is None:
        return ()
    first = [view for view in app.runs if view.name == about.run]
    others = app.runs if about.route == "home" else ()
    return (*first, *others)


def _run_commands(app: BaseApp, screen: WorkbenchScreen, keys: set[str]) -> Iterator[SystemCommand]:
    """Yield the actions without a key on the screen, each for the first run that allows it."""
    runs = runs_in_context(app)
    for one in RUN_ACTIONS:
        here = one.shows is not None and screen.route == one.shows
        view = next((view for view in runs if one.possible(view, app.runs)), None)
        if view is not None and one.key not in keys and not here:
            help_text = tr("run {view}", view=safe_text(view.name, 64))
            yield SystemCommand(TITLES[one.key], help_text, partial(one.do, screen, view))


def _global_commands(
    app: BaseApp, screen: WorkbenchScreen, keys: set[str]
) -> Iterator[SystemCommand]:
    """Yield what can be done from any screen, each with its key."""
    begin = partial(start_experiment, app)
    offered: dict[str, tuple[str, Callable[[], object]]] = {
        "new": (tr("key {key} at home", key=key_of(screen, "new")), begin),
        "demo": (tr("key {key} at home", key=key_of(screen, "demo")), partial(launch_demo, app)),
        "lessons": (
            tr("small experiments that test claims; key {key} at home",
               key=key_of(screen, "lessons")),
            partial(app.open, "lessons"),
        ),
        "machine": (
            tr("key {key} at home", key=key_of(screen, "machine")), partial(app.open, "machine")
        ),
    }  # fmt: skip
    routes = [one.route for one in app.screen_stack if isinstance(one, WorkbenchScreen)]
    if "strategy" not in routes:
        step = tr("at the strategy step of a new experiment")
        offered |= {"strategy.lr-find": (step, begin), "strategy.tune": (step, begin)}
    here = {"lessons": "lessons", "machine": "machine", "machine-step": "machine"}
    for name, (help_text, do) in offered.items():
        if name not in keys and here.get(screen.route or "") != name:
            yield SystemCommand(TITLES[name], help_text, do)


def _app_commands(app: BaseApp, screen: WorkbenchScreen) -> Iterator[SystemCommand]:
    if screen.route not in ("home", "settings"):
        yield SystemCommand(
            tr("Settings"),
            tr(
                "language, theme, notifications; key {key} at home",
                key=key_of(screen, "settings.screen"),
            ),
            partial(app.open, "settings"),
        )
    yield SystemCommand(tr("Light or dark"), tr("switch between the two themes"), app.action_theme)
    if screen.query(HelpPanel):
        yield SystemCommand(
            tr("Keys: hide them"), tr("the panel at the right"), app.action_hide_help_panel
        )
    else:
        yield SystemCommand(
            tr("Keys: list them all"), tr("those of this screen"), app.action_show_help_panel
        )
    picture = partial(app.set_timer, 0.1, app.deliver_screenshot)  # once the palette is gone
    yield SystemCommand(tr("Screenshot"), tr("a picture of the screen, as SVG"), picture)


OPEN_TITLES: dict[str, Callable[[str], str]] = {
    LADDER: lambda name: tr("Open ladder {name}", name=name),
    SWEEP: lambda name: tr("Open sweep {name}", name=name),
}


def _open_commands(app: BaseApp, screen: WorkbenchScreen) -> Iterator[SystemCommand]:
    """Yield a command for every ladder, every sweep and every run."""
    help_texts: dict[str, tuple[Route, str]] = {
        LADDER: ("ladder", tr("its strategies side by side")),
        SWEEP: ("sweep", tr("its trials, the best first")),
    }
    for sweep in app.sweeps:
        route, help_text = help_texts[sweep.kind]
        name = safe_text(sweep.name, 56)
        title = OPEN_TITLES[sweep.kind](name)
        yield SystemCommand(title, help_text, partial(app.open, route, sweep.name))
    for view in app.runs:
        if not (screen.route == "train" and screen.run == view.name):
            title = tr("Open {view}", view=safe_text(view.name, 64))
            do = partial(app.open, "train", view.name)
            phase = view.summary.state.phase
            yield SystemCommand(title, shown(phase), do)


def screen_keys(screen: Screen[object]) -> list[ActiveBinding]:
    """Return the keys that do something here, one for each action.

    Those of Textual, which move a cursor or the focus, have no id and are not in the line of keys.
    """
    found: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.id in ("palette", "suspend"):  # of the terminal, not of the screen
            continue
        if types_itself(screen, binding):
            continue
        if binding.description and (binding.show or binding.id):
            found.setdefault(binding.action.removeprefix("app."), active)
    return list(found.values())

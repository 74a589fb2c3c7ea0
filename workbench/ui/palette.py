"""The command palette: all that can be done now, found by the words that people type."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import cast

from textual.app import App, SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape
from textual.screen import Screen
from textual.widgets import HelpPanel

from workbench.content.concepts import CONCEPTS
from workbench.runs.trash import TrashedRun, list_trash
from workbench.runs.watch import Runs, RunView
from workbench.text import human_age, safe_text
from workbench.ui.analyze.screen import SurenessScreen
from workbench.ui.base_app import BaseApp
from workbench.ui.concepts.screen import WhyScreen
from workbench.ui.explain.screen import InsideScreen
from workbench.ui.export.screen import TakeHomeScreen
from workbench.ui.guide import begin_demo, begin_experiment
from workbench.ui.home.screen import HomeScreen
from workbench.ui.layers.screen import LayersScreen
from workbench.ui.lessons.screen import LearnScreen
from workbench.ui.machine.screen import MachineScreen
from workbench.ui.relabel.screen import CorrectionsScreen
from workbench.ui.restore import bring_back
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.resume import resume_run
from workbench.ui.run_actions import compare_run, stop_run
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.train.screen import TrainScreen
from workbench.ui.widgets.key_panel import own_keys

HELP_MARGIN = 8  # cells beside the help of a command, which has one line
# A key's description is short; these say more, by the binding's id. Keys whose ids are not here
# say it by their tooltips.
TITLES = {
    "results": "Results: accuracy, confusion matrix, worst errors",
    "take-home": "Take home: export ONNX, LiteRT, Keras, SavedModel, TensorBoard, report",
    "sureness": "How sure: calibration, ROC, precision and recall, threshold",
    "inside": "Inside: Grad-CAM, activations, filters",
    "layers": "Layers: what to freeze, what was frozen, how far weights moved",
    "predict": "Predict: what is in other images?",
    "results.correct": "Correct labels: images with the worst errors, called wrong or left out",
    "compare": "Compare: runs side by side",
    "resume": "Resume: go on at the last checkpoint",
    "stop": "Stop: save a checkpoint and end the training",
    "new": "New experiment: from a folder of images to a trained classifier",
    "demo": "Demo: two networks learn handwritten digits",
    "learn": "Experiments",
    "machine": "Machine check: GPU, driver, TensorFlow, how fast",
    "strategy.train": "Train: start this experiment",
    "strategy.ladder": "All rungs: train them one after the other",
    "strategy.find-rate": "Find a learning rate: the range test",
    "strategy.search": "Search the head: its size, dropout, learning rate",
}


class Commands(Provider):
    """Finds what can be done by words of title and help, each of them in any order.

    Textual's own provider takes letters of the title alone, with any others between them.
    """

    _trash: Sequence[TrashedRun] = ()

    async def startup(self) -> None:
        """Looks into the trash."""
        with suppress(OSError):  # there is enough without it
            self._trash = await asyncio.to_thread(list_trash, self._workbench.workspace)

    async def discover(self) -> Hits:
        """All of it, before anything is typed."""
        for one in self._commands():
            yield DiscoveryHit(Content(one.title), one.callback, help=self._help(one))

    async def search(self, query: str) -> Hits:
        """What has all of the words, in its title before in its help."""
        words = _plain(query).split()
        for one in self._commands():
            if (score := _score(words, one)) > 0:
                yield Hit(score, self._marked(one.title, query), one.callback, help=self._help(one))

    @property
    def _workbench(self) -> BaseApp:
        return cast(BaseApp, self.app)

    def _commands(self) -> Iterator[SystemCommand]:
        yield from self._workbench.get_system_commands(self.screen)
        for run in self._trash:
            title = f"Bring back {safe_text(run.name, 64)}"
            told = f"deleted {human_age(max(time.time() - run.deleted, 0))} ago"
            do = partial(bring_back, self.screen, self._workbench.workspace, run)
            yield SystemCommand(title, told, do)

    def _help(self, command: SystemCommand) -> str:
        """In one line."""
        room = self.app.size.width - HELP_MARGIN
        words = command.help
        return escape(words if len(words) <= room else f"{words[: room - 3].rstrip()}...")

    def _marked(self, title: str, query: str) -> Content:
        """The title, with what was typed of it."""
        shown = Content(title)
        for word in query.lower().split():
            at = title.lower().find(word)
            if at >= 0 and self.match_style:
                shown = shown.stylize(self.match_style, at, at + len(word))
        return shown


def _plain(text: str) -> str:
    """Words alone: Grad-CAM is gradcam, whoever writes it how."""
    return re.sub(r"\W+", " ", text.lower().replace("-", ""))


def _score(words: Sequence[str], command: SystemCommand) -> int:
    """More for words of the title, and for beginnings of words; 0 where one is not found."""
    title, told = f" {_plain(command.title)}", f" {_plain(command.help)}"
    total = 0
    for word in words:
        begins = f" {word}"
        points = 3 if begins in title else 2 if word in title else 1 if begins in told else 0
        if not points:
            return 0
        total += points
    return total


# What can be done


def commands(app: BaseApp, screen: Screen[object]) -> Iterator[SystemCommand]:
    """All that can be done on a screen; over a dialog nothing but to answer it."""
    keys = _keys(app, screen)
    yield from keys.values()
    if isinstance(screen, WorkbenchScreen):
        yield from _with_a_run(app, screen, set(keys))
        yield from _anywhere(app, screen, set(keys))
        yield from _of_the_app(app, screen)
        yield from _openings(app, screen)
        yield from _explanations(app)


def _keys(app: BaseApp, screen: Screen[object]) -> dict[str, SystemCommand]:
    """What the keys of the screen do, by the ids of their bindings, or by their actions.

    A widget's enter is for what its cursor is on, and what ladders there are is listed.
    """
    found: dict[str, SystemCommand] = {}
    for node, binding, enabled, _ in own_keys(screen):
        of_cursor = binding.key == "enter" and not isinstance(node, (Screen, App))
        if not enabled or of_cursor or binding.action == "ladders":
            continue
        name = binding.id or binding.action
        title = TITLES.get(name, binding.description)
        if binding.tooltip:
            title = f"{binding.description}: {binding.tooltip}"
        do = partial(app.call_later, app.run_action, binding.action, node)
        found[name] = SystemCommand(title, f"key {app.get_key_display(binding)}", do)
    return found


@dataclass(frozen=True)
class RunAction:
    """What can be done with a run.

    Attributes:
        key: id of the binding that does it where a screen has one.
        possible: whether it can be done, from the run and all runs.
        shows: the screen that it leads to.
    """

    key: str
    possible: Callable[[RunView, Runs], bool]
    do: Callable[[WorkbenchScreen, RunView], object]
    shows: type[WorkbenchScreen] | None = None


def _finished(view: RunView, runs: Runs) -> bool:
    return view.summary.state.word == "finished"


def _show(shows: Callable[[str], WorkbenchScreen], screen: WorkbenchScreen, view: RunView) -> None:
    screen.app.push_screen(shows(view.name))


def _with_view(
    shows: Callable[[RunView], WorkbenchScreen], screen: WorkbenchScreen, view: RunView
) -> None:
    screen.app.push_screen(shows(view))


def _resume(screen: WorkbenchScreen, view: RunView) -> None:
    resume_run(screen, view, lambda _: screen.workbench.open("train", view.name))


async def _predict(screen: WorkbenchScreen, view: RunView) -> None:
    results = ResultsScreen(view.name)
    await screen.app.push_screen(results)
    results.action_predict()


RUN_ACTIONS = (
    RunAction("results", _finished, partial(_show, ResultsScreen), ResultsScreen),
    RunAction("take-home", _finished, partial(_with_view, TakeHomeScreen), TakeHomeScreen),
    RunAction("sureness", _finished, partial(_with_view, SurenessScreen), SurenessScreen),
    RunAction("inside", _finished, partial(_show, InsideScreen), InsideScreen),
    RunAction("layers", lambda view, runs: True, partial(_show, LayersScreen), LayersScreen),
    RunAction("compare", lambda view, runs: len(runs) > 1, compare_run),
    RunAction("predict", _finished, _predict),
    RunAction("results.correct", _finished, partial(_show, CorrectionsScreen), CorrectionsScreen),
    RunAction("resume", lambda view, runs: view.summary.state.resumable, _resume),
    RunAction("stop", lambda view, runs: view.working, stop_run),
)


def runs_at_hand(app: BaseApp) -> Runs:
    """The run of the foremost screen that is about one; at home all, that of the cursor first."""
    screens = [one for one in reversed(app.screen_stack) if isinstance(one, WorkbenchScreen)]
    about = next((one for one in screens if one.run), None)
    if about is None:
        return ()
    first = [view for view in app.runs if view.name == about.run]
    others = app.runs if isinstance(about, HomeScreen) else ()
    return (*first, *others)


def _with_a_run(app: BaseApp, screen: WorkbenchScreen, keys: set[str]) -> Iterator[SystemCommand]:
    """What no key of the screen does; with the first run that allows it."""
    runs = runs_at_hand(app)
    for one in RUN_ACTIONS:
        here = one.shows is not None and isinstance(screen, one.shows)
        view = next((view for view in runs if one.possible(view, app.runs)), None)
        if view is not None and one.key not in keys and not here:
            told = f"run {safe_text(view.name, 64)}"
            yield SystemCommand(TITLES[one.key], told, partial(one.do, screen, view))


def _anywhere(app: BaseApp, screen: WorkbenchScreen, keys: set[str]) -> Iterator[SystemCommand]:
    """What does not depend on where one is; each is told with its key."""
    begin = partial(begin_experiment, app)
    ways: dict[str, tuple[str, Callable[[], object]]] = {
        "new": ("key n at home", begin),
        "demo": ("key d at home", partial(begin_demo, app)),
        "learn": ("is what the chapter says true? key e at home", partial(app.open, "lessons")),
        "machine": ("key m at home", partial(app.open, "machine")),
    }
    if not any(isinstance(one, StrategyScreen) for one in app.screen_stack):
        ways["strategy.find-rate"] = ("key f of a new experiment's strategy step", begin)
        ways["strategy.search"] = ("key s of a new experiment's strategy step", begin)
    here = {"learn": LearnScreen, "machine": MachineScreen}
    for name, (told, do) in ways.items():
        if name not in keys and not (name in here and isinstance(screen, here[name])):
            yield SystemCommand(TITLES[name], told, do)


def _of_the_app(app: BaseApp, screen: WorkbenchScreen) -> Iterator[SystemCommand]:
    yield SystemCommand("Light or dark", "change between the two themes", app.action_theme)
    if screen.query(HelpPanel):
        yield SystemCommand("Keys: hide them", "the panel at the right", app.action_hide_help_panel)
    else:
        yield SystemCommand("Keys: list them all", "at the right", app.action_show_help_panel)
    picture = partial(app.set_timer, 0.1, app.deliver_screenshot)  # once the palette is gone
    yield SystemCommand("Screenshot", "a picture of the screen, as SVG", picture)


def _openings(app: BaseApp, screen: WorkbenchScreen) -> Iterator[SystemCommand]:
    """Every ladder and every run."""
    for name in app.ladders:
        title = f"Open ladder {safe_text(name, 56)}"
        yield SystemCommand(title, "its rungs side by side", partial(app.open, "ladder", name))
    for view in app.runs:
        if not (isinstance(screen, TrainScreen) and screen.run == view.name):
            title = f"Open {safe_text(view.name, 64)}"
            do = partial(app.open, "train", view.name)
            yield SystemCommand(title, view.summary.state.word, do)


def _explanations(app: BaseApp) -> Iterator[SystemCommand]:
    for name, concept in CONCEPTS.items():
        title = f"Explain: {name.replace('-', ' ')}"
        yield SystemCommand(
            title, f"{concept.title} - {concept.text}", partial(_explain, app, name)
        )


def _explain(app: BaseApp, name: str) -> None:
    app.push_screen(WhyScreen((name,)))

"""The command palette and the panel of keys: everything that can be done now."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, cast

from rich.align import Align
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.command import (
    Command,
    CommandInput,
    CommandList,
    CommandPalette,
    DiscoveryHit,
    Hit,
    Hits,
    Provider,
)
from textual.content import Content
from textual.markup import escape
from textual.screen import ActiveBinding, Screen
from textual.widgets import HelpPanel, Input, Static
from textual.widgets.option_list import Option

from workbench.content.concepts import CONCEPTS
from workbench.messages import current_language, in_english, tr
from workbench.runs.sweep_record import LADDER, SWEEP
from workbench.runs.trash import TrashedRun, list_trash
from workbench.runs.watch import Runs, RunView
from workbench.text import cell_width, cut_cells, format_age, safe_text
from workbench.ui.base import BaseApp, Route, WorkbenchScreen
from workbench.ui.guide import launch_demo, start_experiment
from workbench.ui.keys import key_of
from workbench.ui.run_actions import ask_to_label, compare_run, restore_run, resume_run, stop_run
from workbench.words import shown

HELP_MARGIN = 8  # cells beside the help of a command, which has one line
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


class Palette(CommandPalette):
    """Textual's palette; enter takes the best command of the whole text, however fast it came.

    Textual would take what an earlier text had found, or nothing while it still searches.
    """

    def __init__(self) -> None:
        super().__init__(placeholder=tr("Search for commands…"), id="--command-palette")

    _listed: str | None = None  # the text whose commands are shown
    _waits = False  # enter was pressed before they were

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        if event.value.strip() != self._listed:
            event.stop()
            event.prevent_default()
            self._waits = True

    def _refresh_command_list(
        self, command_list: CommandList, commands: list[Command], clear_current: bool
    ) -> None:
        super()._refresh_command_list(command_list, commands, clear_current)
        self._listed = self.query_one(CommandInput).value.strip()
        if self._waits and commands:
            self._waits = False
            self.call_after_refresh(self._action_command_list, "select")

    def _start_no_matches_countdown(self, search_value: str) -> None:
        """Say after a moment that no command has the words, as Textual's own does in English."""
        self._stop_no_matches_countdown()

        def show() -> None:
            self._list_visible = bool(search_value)
            if search_value:
                text = Align.center(Text(tr("No matches found"), style="not bold"))
                option = Option(text, disabled=True, id=self._NO_MATCHES)
                self.query_one(CommandList).add_option(option)

        self._no_matches_timer = self.set_timer(self._NO_MATCHES_COUNTDOWN, show)


class CommandProvider(Provider):
    """Finds commands by words of their title and help, in any order.

    Textual's own provider takes letters of the title only, with any others between them.
    """

    _trash: Sequence[TrashedRun] = ()

    async def startup(self) -> None:
        """Read the trash."""
        with suppress(OSError):  # the other commands do not need it
            self._trash = await asyncio.to_thread(list_trash, self._workbench.workspace)

    async def discover(self) -> Hits:
        """Yield all commands, before anything is typed."""
        for one in self._commands():
            yield DiscoveryHit(Content(one.title), one.callback, help=self._help(one))

    async def search(self, query: str) -> Hits:
        """Yield the commands that have all of the words; those in the title count more."""
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
            title = tr("Restore {run}", run=safe_text(run.name, 64))
            deleted = tr("deleted {time} ago", time=format_age(max(time.time() - run.deleted, 0)))
            do = partial(restore_run, self.screen, self._workbench.workspace, run)
            yield SystemCommand(title, deleted, do)

    def _help(self, command: SystemCommand) -> str:
        """Return the help of a command in one line."""
        room = self.app.size.width - HELP_MARGIN
        text = command.help
        return escape(text if cell_width(text) <= room else f"{cut_cells(text, room - 2)[:-1]}...")

    def _marked(self, title: str, query: str) -> Content:
        """Return the title with the typed words highlighted."""
        shown = Content(title)
        for word in query.lower().split():
            at = title.lower().find(word)
            if at >= 0 and self.match_style:
                shown = shown.stylize(self.match_style, at, at + len(word))
        return shown


def _plain(text: str) -> str:
    """Return the words only: Grad-CAM is gradcam."""
    return re.sub(r"\W+", " ", text.lower().replace("-", ""))


def _score(words: Sequence[str], command: SystemCommand) -> int:
    """Return a score, higher for words of the title and for word starts; 0 if one is missing.

    The word that a title begins with counts most: "tag" is Tag before a Filter that knows tags.
    """
    title, help_text = f" {_plain(command.title)} ", f" {_plain(command.help)}"
    help_text += f" {_plain(_in_english(command))}"
    total = 0
    for word in words:
        start = f" {word}"
        points = 3 if start in title else 2 if word in title else 1 if start in help_text else 0
        points += title.startswith(f"{start} ")
        if not points:
            return 0
        total += points
    return total


def _in_english(command: SystemCommand) -> str:
    """Return what a command is called in English, for those who know it from there."""
    if current_language() == "en":
        return ""
    concepts = {concept.label: concept.english for concept in CONCEPTS.values()}
    parts = (command.title, *command.title.split(": "))
    return " ".join(concepts.get(part) or in_english(part) for part in parts)


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
            tr("Keys: list them all"), tr("at the right"), app.action_show_help_panel
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
        if binding.description and (binding.show or binding.id):
            found.setdefault(binding.action.removeprefix("app."), active)
    return list(found.values())


class KeyPanel(HelpPanel):
    """The keys of the screen; Textual's own panel lists every key that moves a cursor first."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-panel--key"}
    DEFAULT_CSS = """
    KeyPanel > .key-panel--key { color: $footer-key-foreground; text-style: bold; }
    """

    def compose(self) -> ComposeResult:
        """Yield the list."""
        yield Static()

    def on_mount(self) -> None:
        """List the keys, again when they change."""
        self.screen.bindings_updated_signal.subscribe(self, lambda screen: self._list())
        self._list()

    def on_unmount(self) -> None:
        """Unsubscribe: the screen stays."""
        self.screen.bindings_updated_signal.unsubscribe(self)

    def _list(self) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(justify="right", style=self.get_component_rich_style("key-panel--key"))
        for active in screen_keys(self.screen):
            table.add_row(self.app.get_key_display(active.binding), active.binding.description)
        self.query_one(Static).update(table)

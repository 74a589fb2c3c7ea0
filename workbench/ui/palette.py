"""The command palette, which finds commands by words, and the panel of keys."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, cast

from rich.align import Align
from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult, SystemCommand
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
from textual.widgets import HelpPanel, Input, Static
from textual.widgets.option_list import Option

from workbench.content.concepts import CONCEPTS
from workbench.messages import current_language, in_english, tr
from workbench.runs.trash import TrashedRun, list_trash
from workbench.text import cell_width, cut_cells, format_age, safe_text
from workbench.ui.base import BaseApp
from workbench.ui.commands import screen_keys
from workbench.ui.run_actions import restore_run

HELP_MARGIN = 8  # cells beside the help of a command, which has one line


class Palette(CommandPalette):
    """Textual's palette; enter takes the best command of the whole text, however fast it came.

    Textual would take what an earlier text had found, or nothing while it still searches.
    """

    def __init__(self) -> None:
        super().__init__(placeholder=tr("Search for commands…"), id="--command-palette")

    _listed: str | None = None  # the text whose commands are shown
    _waits = False  # enter was pressed before they were
    _nothing_found = tr("No command of this screen has these words.")

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
                text = Align.center(Text(self._nothing_found, style="not bold"))
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

    A whole word before the colon counts more, and most the first one: "tag" is Tag before a Filter
    that knows tags, "check" the machine check before a Stop with a checkpoint.
    """
    title, help_text = f" {_plain(command.title)} ", f" {_plain(command.help)}"
    name = f" {_plain(command.title.partition(':')[0])} "
    help_text += f" {_plain(_in_english(command))}"
    total = 0
    for word in words:
        start = f" {word}"
        points = 3 if start in title else 2 if word in title else 1 if start in help_text else 0
        points += (f"{start} " in name) + title.startswith(f"{start} ")
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


class KeyPanel(HelpPanel):
    """The keys of the screen, beside it, or over it where it needs the width itself.

    Textual's own panel lists every key that moves a cursor first.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-panel--key"}
    SCOPED_CSS = False  # the class of a wide terminal is the screen's
    DEFAULT_CSS = """
    KeyPanel { split: none; dock: right; layer: panel; background: $background; }
    .-wide KeyPanel { split: right; dock: none; layer: default; }
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

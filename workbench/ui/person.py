"""The app and its person: their settings and keys, their clipboard, and what they hear of runs."""

from collections.abc import Mapping, Sequence
from functools import partial

from textual import work
from textual.screen import Screen
from textual.theme import Theme

from workbench.app.run_end import RunEnd, describe_title, end_of, run_command, terminal_signals
from workbench.errors import UserError
from workbench.machine.terminal_signals import (
    PUSH_TITLE,
    copy_text,
    restore_title,
    title_sequence,
    understands,
)
from workbench.messages import tr
from workbench.runs.watch import Runs
from workbench.settings import Place, Settings, change_settings, read_settings, settings_path
from workbench.text import safe_text
from workbench.ui.base import BaseApp, notify_error
from workbench.ui.terminal import TerminalDriver, themes_for


class PersonalApp(BaseApp):
    """Keeps the settings of a person and does as they say.

    Attributes:
        restarting: whether the app is to start again once it has ended.
    """

    def __init__(self) -> None:
        super().__init__(driver_class=TerminalDriver)
        self.settings, self._setting_notes = read_settings()
        self.restarting = False
        self._training: frozenset[str] = frozenset()
        self._terminal_title = ""

    def use_settings(self) -> None:
        """Use all settings that take effect at once; show what is wrong with them."""
        for note in self._setting_notes:
            self.notify(note, severity="warning")
        self._setting_notes = ()
        self._use_theme()
        self.set_title()
        if self.settings.keys:
            self._use_keys(self.settings)

    def change_settings(self, changes: Mapping[Place, object]) -> None:
        """Keep changes of the settings, see `BaseApp`."""
        before = self.settings
        self.settings = change_settings(changes)
        if self.settings.theme != before.theme:
            self._use_theme()
        if self.settings.keys != before.keys:
            self._use_keys(self.settings)
        self.set_title()

    def restart(self) -> None:
        """End the app and start it again, see `BaseApp`."""
        self.restarting = True
        self.exit()

    def action_settings_screen(self) -> None:
        """Show the settings."""
        self.open("settings")

    def action_theme(self) -> None:
        """Switch between dark and light, also for the next time."""
        other = "light" if self.settings.theme == "dark" else "dark"
        try:
            self.change_settings({("theme",): other})
        except UserError as error:  # it is switched all the same
            self.settings = self.settings.model_copy(update={"theme": other})
            self._use_theme()
            notify_error(self, error.message)

    @property
    def _dark_and_light(self) -> tuple[Theme, Theme]:
        """The two themes that suit the terminal; a picture of a screen has all colors."""
        return themes_for(None if self.is_headless else self.console.color_system)

    def _use_theme(self) -> None:
        dark, light = self._dark_and_light
        self.theme = (light if self.settings.theme == "light" else dark).name

    @work(thread=True, exclusive=True, group="keys", exit_on_error=False)
    def _use_keys(self, settings: Settings) -> None:
        """Check the keys in a thread, since that imports all screens; then use them."""
        from workbench.ui.bindings import check_keys, keymap

        good, notes = check_keys(settings.keys)
        self.call_from_thread(self.set_keymap, keymap(good))
        for note in notes:
            path = safe_text(settings_path())
            message = tr("Ignored in {path}: {what}.", path=path, what=note)
            self.call_from_thread(partial(self.notify, message, severity="warning"))

    def copy_one(self, choices: Sequence[tuple[str, str]]) -> None:
        """Copy a text, see `BaseApp`."""
        from workbench.ui.dialogs import PickName

        if len(choices) == 1:
            self._copy(choices[0][1])
            return
        by_line = {f"{word}: {text}": text for word, text in choices}

        def picked(line: str | None) -> None:
            if line is not None:
                self._copy(by_line[line])

        self.push_screen(PickName(tr("Copy to the clipboard"), [*by_line]), picked)

    @work(thread=True, group="copy", exit_on_error=False)
    def _copy(self, text: str) -> None:
        self._clipboard = text  # what the app's own text fields paste
        result = copy_text(text, lambda sequence: self.call_from_thread(self.write, sequence))
        message = f"{safe_text(text, 400)}\n{result}"
        self.call_from_thread(partial(self.notify, message, title=tr("Copy")))

    def write(self, sequence: str) -> None:
        """Send a sequence that draws nothing to the terminal."""
        if sequence and self._driver is not None:
            self._driver.write(sequence)

    def runs_seen(self, runs: Runs) -> None:
        """Show the state of runs in the title; notify of those that ended since the last call."""
        running = frozenset(view.name for view in runs if view.running)
        for view in runs:
            if view.name in self._training - running:
                end = end_of(view.summary, self.workspace)
                if self.screen.id != "home" and getattr(self.screen, "run", "") != view.name:
                    self.notify(end.describe())
                self._notify_end(end)
        self._training = running
        self.set_title()

    @work(thread=True, group="notify", exit_on_error=False)
    def _notify_end(self, end: RunEnd) -> None:
        settings = self.settings.notifications
        self.call_from_thread(self.write, terminal_signals(end, settings))
        wanted = settings.command and end.is_worth(settings)
        if wanted and (problem := run_command(settings.command, end)):
            self.call_from_thread(notify_error, self, problem)

    def set_title(self) -> None:
        """Show the run in front, or else the newest running one, in the terminal's title."""
        if self.is_headless or not understands():
            return
        if not self.settings.title:
            self.restore_title()
            return
        front: Screen[object] | None = self.screen_stack[-1] if self.screen_stack else None
        wanted = self.find_run(getattr(front, "run", "") or "")
        view = (
            wanted if wanted and wanted.running else next((v for v in self.runs if v.running), None)
        )
        title = describe_title(view.summary) if view else "workbench"
        if title != self._terminal_title:
            self.write(("" if self._terminal_title else PUSH_TITLE) + title_sequence(title))
            self._terminal_title = title

    def restore_title(self) -> None:
        """Restore the terminal's title of before."""
        if self._terminal_title:
            self.write(restore_title())
            self._terminal_title = ""

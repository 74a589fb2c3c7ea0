"""Your settings: each with its value, what it may be and what it does; and a page of all keys."""

from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from workbench.app.preferences import KEYS, Setting, format_value, list_settings, parse_value
from workbench.errors import UserError
from workbench.messages import LANGUAGES, current_language, tr
from workbench.settings import check_value, settings_path
from workbench.text import cut_cells, pad_cells, safe_text, wrap_cells
from workbench.ui.base import BaseApp, WorkbenchScreen
from workbench.ui.bindings import KeyAction, check_keys, list_actions
from workbench.ui.dialogs import Confirm, PickName, Prompt, show_error
from workbench.ui.key_dialog import KeyDialog

_NAME_CELLS, _VALUE_CELLS = 21, 12
_BESIDE = 13  # cells of margins, scroll bar and the blanks between columns


# Screens by the names of their modules.
_PLACES = {
    "app": tr("all screens"), "base": tr("all screens"), "analyze": tr("analyze"),
    "augmentation": tr("augmentation"), "compare": tr("compare"), "concepts": tr("concepts"),
    "data": tr("data"), "explain": tr("explain"), "export": tr("export"),
    "feature_map": tr("map of the images"), "guide": tr("steps"), "home": tr("home"),
    "label": tr("labelling"),
    "ladder": tr("ladder"), "layers": tr("layers"), "lessons": tr("lessons"),
    "machine": tr("machine"), "results": tr("results"), "review": tr("review"),
    "settings": tr("settings"), "strategy": tr("strategy"), "train": tr("train"),
    "tune": tr("tune"),
}  # fmt: skip


class SettingsList(OptionList):
    """The settings, or the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", tr("Change"), id="settings.change")
    ]


class SettingsScreen(WorkbenchScreen):
    """All settings of a person, changed in place."""

    DEFAULT_CSS = """
    SettingsScreen #about { height: 3; padding: 0 1; color: $secondary; }
    SettingsScreen #settings { height: 1fr; border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "v", "next_view", tr("Keys"), id="settings.keys", tooltip=tr("settings or all keys")
        ),
        Binding("d,delete", "delete", tr("Default"), id="settings.default"),
        Binding("slash", "filter", tr("Filter"), key_display="/", id="settings.filter"),
    ]

    _shows_keys = False

    def compose_body(self) -> ComposeResult:
        """Yield the filter, hidden at first, the list, and what the chosen one does."""
        yield Input(placeholder=tr("part of a name or a title"), id="filter")
        yield SettingsList(id="settings")
        yield Static(id="about")

    def heading(self) -> Text:
        """Return the file."""
        page = tr("Keys") if self._shows_keys else tr("Settings")
        text = Text(page, style="bold")
        return text.append(f"  {safe_text(settings_path(), 60)}", style="dim")

    def on_mount(self) -> None:
        """List the settings."""
        self.query_one("#filter").display = False
        self._list()
        self.query_one(OptionList).focus()

    def on_resize(self) -> None:
        """Cut the lines to the new width."""
        self._list()

    def copyable(self) -> list[tuple[str, str]]:
        """Return the file and the command that changes the chosen one."""
        name = self._chosen_name()
        place = f"{KEYS}.{name}" if self._shows_keys else name
        command = [(tr("command"), f"workbench settings {place} ")] if name else []
        return [(tr("file"), str(settings_path())), *command]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Explain here, too: all concepts, as this screen has none of its own."""
        return action == "show_concepts" or super().check_action(action, parameters)

    def action_show_concepts(self) -> None:
        """List all concepts."""
        self.workbench.open("concepts")

    def action_next_view(self) -> None:
        """Show all keys, or the settings again."""
        self._shows_keys = not self._shows_keys
        self.query_one("#filter", Input).value = ""
        self.query_one("#filter").display = False
        self._list()
        self.refresh_heading()
        self.query_one(OptionList).focus()

    def action_filter(self) -> None:
        """Type a part of a name."""
        self.query_one("#filter").display = True
        self.query_one("#filter").focus()

    def action_back(self) -> None:
        """Remove the filter, leave the keys, or return to the screen before."""
        field = self.query_one("#filter", Input)
        if field.display:
            field.value = ""
            field.display = False
            self.query_one(OptionList).focus()
        elif self._shows_keys:
            self.action_next_view()
        else:
            super().action_back()

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self._list()

    @on(Input.Submitted, "#filter")
    def _to_list(self) -> None:
        """Choose among what is left; the only one is changed at once."""
        options = self.query_one(OptionList)
        options.focus()
        if options.option_count == 1:
            options.action_select()

    # The list

    def _list(self) -> None:
        """Fill the list; the cursor stays on its setting."""
        options = self.query_one(OptionList)
        before = self._chosen_name()
        wanted = self.query_one("#filter", Input).value.strip().casefold()
        rows = self._key_rows() if self._shows_keys else self._setting_rows()
        rows = [row for row in rows if wanted in f"{row[0]} {row[2]}".casefold()]
        options.clear_options()
        options.add_options(Option(self._row(*row), id=row[0]) for row in rows)
        names = [row[0] for row in rows]
        options.highlighted = names.index(before) if before in names else 0 if names else None
        self._show_about()

    def _row(self, name: str, value: str, about: str, changed: bool) -> Text:
        """Return a line, or of a setting whose description is long as many as it takes."""
        mark = "*" if changed else " "
        room = max(self.app.size.width - _NAME_CELLS - _VALUE_CELLS - _BESIDE, 8)
        lines = [cut_cells(about, room)] if self._shows_keys else wrap_cells(about, room)
        below = "\n" + " " * (_NAME_CELLS + _VALUE_CELLS + 4)
        text = Text.assemble(
            f"{mark}{pad_cells(cut_cells(name, _NAME_CELLS), _NAME_CELLS)} ",
            (pad_cells(cut_cells(value, _VALUE_CELLS), _VALUE_CELLS), "bold" if changed else ""),
            (f"  {below.join(lines)}", "dim"),
        )
        text.no_wrap = True
        return text

    def _setting_rows(self) -> list[tuple[str, str, str, bool]]:
        found = self.workbench.settings
        return [
            (
                one.key,
                show_value(one, value := one.value_in(found)),
                one.about,
                value != one.default,
            )
            for one in list_settings()
        ]

    def _key_rows(self) -> list[tuple[str, str, str, bool]]:
        changed = self.workbench.settings.keys
        return [
            (one.id, show_keys(self.workbench, changed.get(one.id, one.keys)), one.title,
             one.id in changed)
            for one in list_actions()
        ]  # fmt: skip

    def _chosen_name(self) -> str:
        options = self.query_one(OptionList)
        at = options.highlighted
        return str(options.get_option_at_index(at).id) if at is not None else ""

    def _setting(self) -> Setting | None:
        name = self._chosen_name()
        return next((one for one in list_settings() if one.key == name), None)

    def _action(self) -> KeyAction | None:
        name = self._chosen_name()
        return next((one for one in list_actions() if one.id == name), None)

    @on(OptionList.OptionHighlighted)
    def _show_about(self) -> None:
        lines: list[str] = []
        if self._shows_keys and (action := self._action()):
            usual = show_keys(self.workbench, action.keys)
            where = ", ".join(_PLACES.get(place, place) for place in action.places)
            lines = [action.title, tr("usual key {keys}; on {places}", keys=usual, places=where)]
        elif not self._shows_keys and (one := self._setting()):
            default = show_value(one, one.default)
            choices = ", ".join(show_value(one, value) for value in one.choices)
            allowed = tr("allowed: {allowed}; default: {default}", allowed=choices or one.allowed,
                         default=default)  # fmt: skip
            lines = [allowed]
            if one.key == "language" and self._waits_for_restart():
                lines.append(tr("Used when the app starts again; choose it once more to do that."))
        self.query_one("#about", Static).update(Text("\n".join(lines)))

    # Changes

    @on(OptionList.OptionSelected)
    def _edit(self) -> None:
        """Change the chosen one: the other value, one of a list, a typed one, or a key."""
        if self._shows_keys:
            if action := self._action():
                keys = self.workbench.settings.keys.get(action.id, action.keys)
                shown = show_keys(self.workbench, keys)
                asks = KeyDialog(action, shown, lambda key: self._problem(action, key))
                self.app.push_screen(asks, lambda key: self._take_key(action, key))
            return
        one = self._setting()
        if one is None:
            return
        value = one.value_in(self.workbench.settings)
        if len(one.choices) == 2:
            self._change(one, next(other for other in one.choices if other != value))
        elif one.choices:
            by_line = {show_value(one, choice): choice for choice in one.choices}

            def picked(line: str | None) -> None:
                if line is not None and (by_line[line] != value or self._waits_for_restart()):
                    self._change(one, by_line[line])

            dialog = PickName(one.about, [*by_line], show_value(one, value), marked=True)
            self.app.push_screen(dialog, picked)
        else:
            question = f"{one.key}: {one.about}. {one.allowed}"
            typed = str(value) if value != "" else ""

            def check(text: str) -> str:
                check_value(one.place, parse_value(one.place, text))
                return text

            self.app.push_screen(
                Prompt(question, typed, check), lambda text: self._typed(one, text)
            )

    def action_delete(self) -> None:
        """Give the chosen one its default again."""
        if self._shows_keys:
            if action := self._action():
                self._take_key(action, "")
        elif one := self._setting():
            self._change(one, None)

    def _typed(self, one: Setting, text: str | None) -> None:
        if text is None:
            return
        try:
            self._change(one, parse_value(one.place, text))
        except UserError as error:
            show_error(self, str(error))

    def _problem(self, action: KeyAction, key: str) -> str:
        """Return why an action cannot have a key, "" if it can."""
        others = {n: k for n, k in self.workbench.settings.keys.items() if n != action.id}
        if key == action.keys:
            return ""
        good, notes = check_keys({**others, action.id: key})
        start = f"{KEYS}.{action.id}: "
        mine = [note.removeprefix(start) for note in notes if note.startswith(start)]
        return "" if action.id in good else "\n".join(mine)

    def _take_key(self, action: KeyAction, key: str | None) -> None:
        if key is None:
            return
        self._save((KEYS, action.id), key if key and key != action.keys else None)
        shown = show_keys(self.workbench, self.workbench.settings.keys.get(action.id, action.keys))
        self.notify(tr("{keys} is now the key of “{title}”.", keys=shown, title=action.short))

    def _change(self, one: Setting, value: Any) -> None:
        before = one.value_in(self.workbench.settings)
        self._save(one.place, None if value == one.default else value)
        changed = one.value_in(self.workbench.settings) != before
        if one.key == "language":
            if not changed and not self._waits_for_restart():
                return
            question = tr("The language changes when the app starts again. Runs continue. Now?")
            self.app.push_screen(
                Confirm(question, tr("Start again"), harmless=True), lambda yes: self._restart(yes)
            )
        elif changed and one.key in ("graphics", "low_bandwidth"):
            self.notify(tr("Used when the app starts next."))

    def _waits_for_restart(self) -> bool:
        """Return whether another language is set than the one that is shown."""
        return self.workbench.settings.language not in ("", current_language())

    def _restart(self, yes: bool | None) -> None:
        if yes:
            self.workbench.restart()

    def _save(self, place: tuple[str, ...], value: Any) -> None:
        try:
            self.workbench.change_settings({place: value})
        except UserError as error:
            show_error(self, str(error))
        self._list()


def show_value(one: Setting, value: str | bool | int) -> str:
    """Return a value as people call it; a language has the code that is typed beside its name."""
    if one.key == "language":
        name = LANGUAGES.get(str(value), "")
        return f"{name} ({value})" if name else tr("the system's")
    return format_value(value)


def show_keys(app: BaseApp, keys: str) -> str:
    """Return keys as the key line shows them."""
    shown = (app.get_key_display(Binding(key, "")) for key in keys.split(","))
    return " ".join(shown)

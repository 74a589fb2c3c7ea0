"""Choose the images: a path that is typed or found in a tree, or a set of the catalogue."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import ClassVar, cast

from rich.text import Text, TextType
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DirectoryTree, Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.datasets.sources.catalogue import CATALOGUE, CatalogueEntry, bytes_to_fetch
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import format_bytes, pad_cells, plural, safe_text
from workbench.ui.base import BaseApp
from workbench.ui.dialogs import Confirm
from workbench.ui.widgets.path_field import FILES, MAX_ENTRIES, PathField, completions

TREE_HELP = tr("space opens a folder, enter chooses it, backspace shows the one above")
_COMPLETION_CELLS = 60
MAX_RECENT, _PATH_CELLS = 3, 48
HELP = tr(
    "A folder with one folder for each class, or with names such as "
    "cat.0.jpg; with train, validation and test above them if you made "
    "a split. Or a CSV file with path and label, or an .npz file. "
    "Nothing in it is changed."
)


class FolderTree(DirectoryTree):
    """Folders, CSV and npz files, without hidden ones. Backspace shows the folder above.

    Args:
        utf8: False for ASCII symbols only.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("backspace", "up", tr("Folder above"))]
    ICON_FILE = "  "  # no pictographs: terminals do not agree on their width

    def __init__(self, path: Path, utf8: bool = True) -> None:
        super().__init__(path)
        self.ICON_NODE, self.ICON_NODE_EXPANDED = ("▸ ", "▾ ") if utf8 else ("+ ", "- ")
        self.show_guides = False
        self.auto_expand = False  # enter chooses a folder, space opens it

    def action_up(self) -> None:
        """Show the folder above."""
        self.path = Path(self.path).parent

    def process_label(self, label: TextType) -> Text:
        """Return a name on one line, made safe."""
        return Text(safe_text(label, 60))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        """Return the paths that can be a data source; called in a thread."""
        return [
            path
            for path in islice(paths, MAX_ENTRIES)
            if not path.name.startswith(".")
            and (path.suffix.lower() in FILES or self._safe_is_dir(path))
        ]


class DataChoice(Vertical):
    """Asks for the images and posts `Chosen`."""

    DEFAULT_CSS = """
    DataChoice { height: 1fr; }
    DataChoice .title { color: $secondary; }
    DataChoice #fault { color: $error; margin-bottom: 1; display: none; max-height: 3; }
    DataChoice #path { background: $panel; margin: 0; }
    DataChoice #completions { color: $secondary; height: 1; }
    DataChoice #help { margin: 1 0 1 0; color: $secondary; }
    DataChoice OptionList { height: auto; max-height: 1fr; padding: 0;
                            background: $background; text-wrap: nowrap;
                            text-overflow: ellipsis; }
    DataChoice FolderTree { height: 1fr; display: none; background: $background; }
    DataChoice.-tree FolderTree { display: block; }
    DataChoice.-tree #known, DataChoice.-tree #help, DataChoice.-tree #known-title
        { display: none; }
    """

    def __init__(self, utf8: bool = True) -> None:
        super().__init__()
        self._utf8 = utf8
        self._refused = ""  # the text of the field that the shown error is about

    class Chosen(Message):
        """The choice.

        Attributes:
            path: typed or found in the tree; None for a set of the catalogue.
            name: in the catalogue; "" otherwise.
        """

        def __init__(self, path: Path | None, name: str = "") -> None:
            super().__init__()
            self.path = path
            self.name = name

    class Completed(Message):
        """The completions of a typed path."""

        def __init__(self, value: str, found: list[str]) -> None:
            super().__init__()
            self.value = value
            self.found = found

    def compose(self) -> ComposeResult:
        """Yield the error of the last choice, the field, its completions, and the catalogue."""
        yield Static(id="fault")
        yield Static(tr("Where are your images? Type a path; tab completes it."), classes="title")
        yield PathField(id="path")
        yield Static(id="completions")
        yield Static(HELP, id="help")
        yield Static(tr("Or one of these (down, enter):"), classes="title", id="known-title")
        yield OptionList(id="known")

    def start(self, value: str = "", fault: str = "") -> None:
        """Show the choice, with the error of the last one.

        Args:
            value: of the field; "" keeps the typed text.
            fault: the error, "" for none.
        """
        field = self.query_one(PathField)
        if value and safe_text(value, 4000) == value:
            field.value = value
        self._refused = field.value
        self._show_fault(fault)
        self._list_known()
        field.focus()

    def _list_known(self) -> None:
        """List the images of the newest runs, then the catalogue."""
        app = cast(BaseApp, self.app)
        recent: dict[str, str] = {}  # the newest run by its images
        for run in app.runs:
            path = Path(run.source)
            if path.is_absolute() and not path.is_relative_to(app.workspace.data):
                recent.setdefault(run.source, run.name)
        known = self.query_one("#known", OptionList)
        known.clear_options()
        known.add_options(
            Option(_recent_option(path, run), id=path)
            for path, run in islice(recent.items(), MAX_RECENT)
        )
        known.add_options(Option(_option(name, one), id=name) for name, one in CATALOGUE.items())
        known.highlighted = 0

    def _show_fault(self, fault: str) -> None:
        shown = self.query_one("#fault", Static)
        shown.update(Text(fault))
        shown.display = bool(fault)

    async def show_tree(self) -> None:
        """Show a tree of the typed folder, else of the current one."""
        typed = parse_path(self.query_one(PathField).value or ".")
        folder = typed.absolute() if await _is_folder(typed) else Path.cwd()
        await self.query(FolderTree).remove()
        tree = FolderTree(folder, self._utf8)
        await self.mount(tree)
        self.add_class("-tree")
        self.query_one("#completions", Static).update(TREE_HELP)
        tree.focus()

    async def hide_tree(self) -> None:
        """Return to the field."""
        self.remove_class("-tree")
        await self.query(FolderTree).remove()
        field = self.query_one(PathField)
        field.focus()
        self._complete(field.value)  # replaces the help of the tree

    @property
    def tree_shown(self) -> bool:
        """Whether the tree is shown."""
        return self.has_class("-tree")

    @on(Input.Changed, "#path")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self._refused:
            self._show_fault("")
        self._complete(event.value)

    @work(thread=True, exclusive=True, group="complete", exit_on_error=False)
    def _complete(self, value: str) -> None:
        found = completions(value) if value else []
        if not get_current_worker().is_cancelled:
            self.post_message(self.Completed(value, found))

    @on(Completed)
    def _completed(self, event: Completed) -> None:
        event.stop()
        if self.tree_shown or event.value != self.query_one(PathField).value:
            return  # they would replace the help of the tree, or are for an older text
        names = [_last_part(path) for path in event.found if path != event.value]
        self.query_one("#completions", Static).update(Text(_fit(names, _COMPLETION_CELLS)))

    @on(Input.Submitted, "#path")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        value = event.value.strip()
        if value in CATALOGUE and not Path(value).exists():
            self._choose_set(value)
        elif value:
            self.post_message(self.Chosen(parse_path(value).absolute()))

    @on(OptionList.OptionSelected, "#known")
    def _known(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        chosen = str(event.option_id)
        if chosen in CATALOGUE:
            self._choose_set(chosen)
        else:
            self.post_message(self.Chosen(Path(chosen)))

    def _choose_set(self, name: str) -> None:
        """Take a set of the catalogue; ask before one that has to be downloaded."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.post_message(self.Chosen(None, name))

        size = bytes_to_fetch(name, cast(BaseApp, self.app).workspace)
        if not size:
            answered(True)
            return
        question = tr(
            "{title} is not on this machine yet. Download {size}?",
            title=CATALOGUE[name].title,
            size=format_bytes(size),
        )
        self.app.push_screen(Confirm(question, tr("Fetch")), answered)

    @on(DirectoryTree.DirectorySelected)
    @on(DirectoryTree.FileSelected)
    def _found(self, event: DirectoryTree.DirectorySelected | DirectoryTree.FileSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(event.path.absolute()))


async def _is_folder(path: Path) -> bool:
    try:
        return await asyncio.to_thread(path.is_dir)
    except (OSError, ValueError):
        return False


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] + ("/" if path.endswith("/") else "")


def _fit(names: list[str], width: int) -> str:
    """Return as many names as fit, and the number of the others."""
    row = ""
    for number, name in enumerate(names):
        if len(row) + len(name) > width:
            return tr("{row}and {names_count:,} more", row=row, names_count=len(names) - number)
        row += f"{name}  "
    return row


def _recent_option(path: str, run: str) -> Text:
    text = Text(safe_text(path, _PATH_CELLS), style="bold")
    return text.append("  " + tr("as in {run}", run=safe_text(run, 40)), style="dim not bold")


def _option(name: str, entry: CatalogueEntry) -> Text:
    size = format_bytes(entry.download_size) if entry.files else tr("no download")
    text = Text(f"{name:<15}", style="bold")
    images = pad_cells(plural(entry.images, "image"), 13, "r")
    classes = pad_cells(plural(len(entry.classes), "class", "classes"), 10, "r")
    text.append(f"{pad_cells(size, 11, 'r')}  {images}  {classes}  ", style="not bold")
    return text.append(entry.about, style="dim not bold")

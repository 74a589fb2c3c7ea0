"""Where the images are: a path that is typed or found in a tree, or a set of the catalogue."""

import asyncio
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import DirectoryTree, Input, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.datasets.catalogue import CATALOGUE, Entry
from workbench.paths import given_path
from workbench.text import human_bytes, safe_text
from workbench.ui.widgets.path_field import FolderTree, PathField, completions

TREE_HELP = "space opens a folder, enter takes it, backspace leads to the one above"
_SHOWN = 60  # cells of completions beneath the line
HELP = (
    "A folder with one folder for each class, or with names such as cat.0.jpg; with train, "
    "validation and test above them if you made a split. Or a CSV file with path and label, "
    "or an .npz file. Nothing in it is changed."
)


class DataChoice(Vertical):
    """Asks for the images. Posts `Chosen`."""

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

    class Chosen(Message):
        """What was chosen.

        Attributes:
            path: typed or found in the tree; None for a set of the catalogue.
            name: of the catalogue; "" otherwise.
        """

        def __init__(self, path: Path | None, name: str = "") -> None:
            super().__init__()
            self.path = path
            self.name = name

    class Completed(Message):
        """What the typed path could become."""

        def __init__(self, value: str, found: list[str]) -> None:
            super().__init__()
            self.value = value
            self.found = found

    def compose(self) -> ComposeResult:
        """The fault of the last choice, the line, what it could become, what is known."""
        yield Static(id="fault")
        yield Static("Where are your images? Type a path; tab completes it.", classes="title")
        yield PathField(id="path")
        yield Static(id="completions")
        yield Static(HELP, id="help")
        yield Static("Or one of these (tab, enter):", classes="title", id="known-title")
        options = [Option(_option(name, entry), id=name) for name, entry in CATALOGUE.items()]
        yield OptionList(*options, id="known")

    def start(self, value: str = "", fault: str = "") -> None:
        """Shows the choice, with what was wrong with the last one.

        Args:
            value: for the line; "" leaves there what was typed.
        """
        shown = self.query_one("#fault", Static)
        shown.update(Text(fault))
        shown.display = bool(fault)
        field = self.query_one(PathField)
        if value and safe_text(value, 4000) == value:
            field.value = value
        field.focus()

    async def show_tree(self) -> None:
        """A tree of the typed folder, else of the current one."""
        typed = given_path(self.query_one(PathField).value or ".")
        folder = typed.absolute() if await _is_folder(typed) else Path.cwd()
        await self.query(FolderTree).remove()
        tree = FolderTree(folder, self._utf8)
        await self.mount(tree)
        self.add_class("-tree")
        self.query_one("#completions", Static).update(TREE_HELP)
        tree.focus()

    async def hide_tree(self) -> None:
        """Back to the line."""
        self.remove_class("-tree")
        await self.query(FolderTree).remove()
        field = self.query_one(PathField)
        field.focus()
        self._complete(field.value)  # in the place of the words about the tree

    @property
    def tree_shown(self) -> bool:
        """Whether the tree is there."""
        return self.has_class("-tree")

    @on(Input.Changed, "#path")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
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
            return  # they would take the place of the words about the tree, or are of old typing
        names = [_last_part(path) for path in event.found if path != event.value]
        self.query_one("#completions", Static).update(Text(_row_of(names, _SHOWN)))

    @on(Input.Submitted, "#path")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        value = event.value.strip()
        if value in CATALOGUE and not Path(value).exists():
            self.post_message(self.Chosen(None, value))
        elif value:
            self.post_message(self.Chosen(given_path(value).absolute()))

    @on(OptionList.OptionSelected, "#known")
    def _known(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(None, str(event.option_id)))

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


def _row_of(names: list[str], width: int) -> str:
    """As many names as fit, and how many more there are."""
    row = ""
    for number, name in enumerate(names):
        if len(row) + len(name) > width:
            return f"{row}and {len(names) - number:,} more"
        row += f"{name}  "
    return row


def _option(name: str, entry: Entry) -> Text:
    size = human_bytes(entry.download_size) if entry.files else "no download"
    text = Text(f"{name:<15}", style="bold")
    text.append(f"{size:>11}  {entry.images:>6,} images  ", style="not bold")
    text.append(f"{len(entry.classes):>2} classes  ", style="not bold")
    return text.append(entry.about, style="dim not bold")

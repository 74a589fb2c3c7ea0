"""What can be done on Home: with the run under the cursor, and without one."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from workbench.messages import tr
from workbench.runs.annotations import add_note, write_tags
from workbench.runs.sweep_record import LADDER, SWEEP
from workbench.runs.trash import TrashedRun, list_trash, move_to_trash
from workbench.runs.watch import Runs, RunView, in_order
from workbench.text import safe_text
from workbench.ui.base import WorkbenchScreen, in_background
from workbench.ui.dialogs import PickName, Prompt
from workbench.ui.fetch import ask_to_fetch
from workbench.ui.home.table import RunTable
from workbench.ui.keys import key_of
from workbench.ui.run_actions import (
    compare_run,
    confirm_and_run,
    restore_run,
    resume_run,
    stop_run,
)

# Offered if possible.
OFFERED = ("compare", "stop", "resume", "delete", "undo", "filter", "ladders", "settings", "sort",
           "tag", "note")  # fmt: skip
TRASH, FILTER = (
    tr("to the trash, from which it can be restored"),
    tr("by words, or such as acc>0.9 base:vgg16 tag:night state:failed"),
)


class RunActions(WorkbenchScreen):
    """The keys of Home, and what they do to runs; how runs are shown is up to the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", tr("All runs"), id="back"),
        Binding("n", "new", tr("New"), id="new"),
        Binding("c", "compare", tr("Compare"), id="compare"),
        Binding("r", "resume", tr("Resume"), id="resume"),
        Binding("x", "stop", tr("Stop"), id="stop"),
        Binding("q", "app.quit", tr("Quit"), id="quit"),
        Binding("S", "app.settings_screen", tr("Settings"), key_display="S", id="settings.screen"),
        Binding("m", "machine", tr("Machine"), id="machine"),
        Binding("o", "sort", tr("Sort"), id="sort", tooltip=tr("by any column, or a click on it")),
        Binding(
            "number_sign",
            "tag",
            tr("Tag"),
            key_display="#",
            id="tag",
            tooltip=tr("words to find the run by"),
        ),
        Binding("slash", "filter", tr("Filter"), key_display="/", id="filter", tooltip=FILTER),
        Binding("d,delete", "delete", tr("Delete"), id="delete", tooltip=TRASH),
        Binding("E", "lessons", tr("Lessons"), key_display="E", id="lessons"),
        Binding("D", "demo", tr("Demo"), key_display="D", id="demo"),
        Binding("A", "ladders", tr("Ladders"), key_display="A", id="ladders"),
        Binding(
            "s", "settings", tr("Table"), id="settings", tooltip=tr("metric, groups and columns")
        ),
        Binding(
            "N", "note", tr("Note"), key_display="N", id="note", tooltip=tr("kept with the run")
        ),
        Binding("space", "toggle_row", show=False, id="fold"),
        Binding(
            "u", "undo", tr("Undo"), id="undo", tooltip=tr("restore the run that was deleted last")
        ),
    ]

    trash: Sequence[TrashedRun] = []  # as it was read last

    def everywhere(self) -> Runs:
        """Return the runs of this machine and of the others."""
        others = [view for host in self.workbench.hosts for view in host.runs]
        return in_order((*self.workbench.runs, *others)) if others else self.workbench.runs

    def chosen(self) -> RunView | None:
        """Return the run under the cursor."""
        for table in self.query(RunTable):  # none before it is composed
            return table.chosen_run
        return None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with the run under the cursor, and with the others."""
        if action == "undo":
            return bool(self.trash)
        if action in ("filter", "settings", "sort"):
            return bool(self.everywhere())
        if action == "toggle_row":
            return True
        if action == "ladders":
            return bool(self.workbench.sweeps)
        if action == "back":  # removes the filter
            return any(field.display for field in self.query("#filter"))
        if action not in OFFERED:
            return True
        view = self.chosen()
        if view is None or view.host:  # what is elsewhere is only read
            return False
        offered = {
            "stop": view.running,
            "resume": view.summary.state.resumable,
            "compare": len(self.workbench.runs) > 1,
        }
        return offered.get(action, True)

    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        """Open the run under the cursor; offer to fetch one of another machine."""
        view = self.chosen()
        if view and view.host:
            ask_to_fetch(self, view)
        elif view:
            self.workbench.open("train", view.name)
        else:
            self.action_toggle_row()

    def action_toggle_row(self) -> None:
        """Fold or unfold the group under the cursor."""
        table = self.query_one(RunTable)
        name = table.chosen_group
        if name is not None:
            table.folded ^= {name}
            self.runs_changed(self.workbench.runs)

    def action_new(self) -> None:
        """Start a new experiment, or continue a draft."""
        from workbench.ui.guide import start_experiment

        start_experiment(self.workbench)

    def action_demo(self) -> None:
        """Train a dense network and a convnet on handwritten digits, one after the other."""
        from workbench.ui.guide import launch_demo

        launch_demo(self.workbench)

    def action_machine(self) -> None:
        """Open the machine check."""
        self.workbench.open("machine")

    def action_compare(self) -> None:
        """Ask which runs to compare with the one under the cursor."""
        if view := self.chosen():
            compare_run(self, view)

    def action_ladders(self) -> None:
        """Open the workspace's ladder or sweep; ask which if there are several."""
        kinds = {sweep.name: sweep.kind for sweep in self.workbench.sweeps}

        def answered(name: str | None) -> None:
            if name is not None:
                self.workbench.open("ladder" if kinds[name] == LADDER else "sweep", name)

        if len(kinds) == 1:
            answered(next(iter(kinds)))
        elif kinds:
            question = (
                tr("Open which ladder or sweep?")
                if SWEEP in kinds.values()
                else tr("Open which ladder?")
            )
            self.app.push_screen(PickName(question, tuple(kinds)), answered)

    def action_lessons(self) -> None:
        """Open the lessons."""
        self.workbench.open("lessons")

    def action_tag(self) -> None:
        """Ask for the tags of the run under the cursor."""
        if view := self.chosen():
            question = tr("Tags of {run}: words with blanks between", run=view.name)

            def write(text: str) -> str:
                tags = " ".join(write_tags(view.folder, text.split()))
                if not tags:
                    return tr("{run} has no tags now.", run=view.name)
                return tr("{run} has the tags: {tags}", run=view.name, tags=tags)

            self._ask(question, "".join(f"{tag} " for tag in view.tags), write)

    def action_note(self) -> None:
        """Ask for a note on the run under the cursor."""
        if view := self.chosen():
            question = tr("A note on {run}", run=view.name)

            def write(text: str) -> str:
                if not text.strip():
                    return tr("Without a text no note is kept.")
                add_note(view.folder, text)
                return tr("The note is kept with {run}.", run=view.name)

            self._ask(question, "", write)

    def _ask(self, question: str, value: str, write: Callable[[str], str]) -> None:
        """Ask for a text, write it, and show what was done; the feed shows it in the table."""

        def answered(done: str | None) -> None:
            if done is not None:
                self.notify(done)

        self.app.push_screen(Prompt(question, value, write), answered)

    def action_stop(self) -> None:
        """Ask for confirmation, then request the worker to stop."""
        if view := self.chosen():
            stop_run(self, view)

    def action_resume(self) -> None:
        """Resume a run at its last checkpoint."""
        if view := self.chosen():
            resume_run(self, view, lambda _: self.workbench.open("train", view.name))

    def action_delete(self) -> None:
        """Ask for confirmation, then move the run to the trash."""
        view = self.chosen()
        if view is None:
            return
        name = safe_text(view.name)
        if view.running:
            message = tr(
                "{name} is running: {key} stops it, and then it can be deleted.",
                name=name,
                key=key_of(self, "stop"),
            )
            self.notify(message, severity="warning")
            return

        undo = key_of(self, "undo")

        def delete() -> str:
            move_to_trash(self.workbench.workspace, view.folder)
            return tr("{name} is in the trash; {key} restores it.", name=name, key=undo)

        question = tr(
            "Delete {name}? It moves to the trash, and {key} restores it.", name=view.name, key=undo
        )
        confirm_and_run(self, question, tr("Delete"), delete)

    def action_undo(self) -> None:
        """Restore the run that was deleted last."""
        workspace = self.workbench.workspace

        def restore_last(found: Sequence[TrashedRun]) -> None:
            if found:
                restore_run(self, workspace, found[0])

        in_background(self, lambda: list_trash(workspace), restore_last)  # it may have changed

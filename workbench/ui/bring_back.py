"""Bringing a deleted run back: by a key of Home, or by the command palette."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.trash import NameTaken, TrashedRun, list_trash, restore
from workbench.text import human_age, safe_text
from workbench.ui.background import in_background
from workbench.ui.screens.dialogs import Ask


def bring_back(screen: Screen[Any], workspace: Workspace, run: TrashedRun, name: str = "") -> None:
    """Brings a run back and says so; asks for a new name where another run has its own by now.

    Args:
        screen: where it is said and asked.
        name: the new one.
    """

    def work() -> RunFolder | None:
        try:
            return restore(workspace, run, name)
        except NameTaken:
            return None

    def done(folder: RunFolder | None) -> None:
        if folder:
            screen.notify(f"{safe_text(folder.name)} is back.")
            return
        taken = name or run.name
        question = f"There is another run {taken} by now. A new name for the deleted one:"
        screen.app.push_screen(Ask(question, f"{taken}-old"), answered)

    def answered(chosen: str | None) -> None:
        if chosen and chosen.strip():
            bring_back(screen, workspace, run, chosen.strip())

    in_background(screen, work, done)


class DeletedRuns(Provider):
    """Offers every run of the trash in the command palette."""

    _runs: Sequence[TrashedRun] = ()

    async def startup(self) -> None:
        """Looks into the trash."""
        self._runs = await asyncio.to_thread(list_trash, self._workspace)

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for run in self._runs:
            yield DiscoveryHit(Content(_title(run)), self._command(run), help=_help(run))

    async def search(self, query: str) -> Hits:
        """Those whose title fits."""
        matcher = self.matcher(query)
        for run in self._runs:
            if (score := matcher.match(_title(run))) > 0:
                shown = matcher.highlight(_title(run))
                yield Hit(score, shown, self._command(run), help=_help(run))

    @property
    def _workspace(self) -> Workspace:
        return cast(Workspace, self.app.workspace)  # type: ignore[attr-defined]

    def _command(self, run: TrashedRun) -> partial[None]:
        return partial(bring_back, self.screen, self._workspace, run)


def _title(run: TrashedRun) -> str:
    return f"Bring back {safe_text(run.name, 64)}"


def _help(run: TrashedRun) -> str:
    return f"Deleted {human_age(max(time.time() - run.deleted, 0))} ago"

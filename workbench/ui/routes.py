"""Every screen by its name, imported when it is first opened. Imported by `ui.app` only."""

import pkgutil
from typing import Any

from textual.screen import Screen

from workbench.ui.base_app import Route
from workbench.ui.screen import WorkbenchScreen

ROUTES: dict[Route, str] = {
    "analyze": "workbench.ui.analyze.screen:AnalyzeScreen",
    "augmentation": "workbench.ui.augmentation.screen:AugmentationScreen",
    "compare": "workbench.ui.compare.screen:CompareScreen",
    "concepts": "workbench.ui.concepts.screen:ConceptsScreen",
    "data": "workbench.ui.data.screen:DataScreen",
    "explain": "workbench.ui.explain.screen:ExplainScreen",
    "export": "workbench.ui.export.screen:ExportScreen",
    "home": "workbench.ui.home.screen:HomeScreen",
    "ladder": "workbench.ui.ladder.screen:LadderScreen",
    "ladder-start": "workbench.ui.ladder.start:LadderStart",
    "layers": "workbench.ui.layers.screen:LayersScreen",
    "layers-step": "workbench.ui.layers.step:LayersStep",
    "lessons": "workbench.ui.lessons.screen:LessonsScreen",
    "lr-find": "workbench.ui.tune.lr_find:LrFindScreen",
    "machine": "workbench.ui.machine.screen:MachineScreen",
    "machine-step": "workbench.ui.machine.screen:MachineStep",
    "relabel": "workbench.ui.relabel.screen:RelabelScreen",
    "results": "workbench.ui.results.screen:ResultsScreen",
    "strategy": "workbench.ui.strategy.screen:StrategyScreen",
    "train": "workbench.ui.train.screen:TrainScreen",
    "tune": "workbench.ui.tune.screen:TuneHeadScreen",
}


def make_screen(route: Route, *arguments: Any) -> Screen[Any]:
    """Return a new screen.

    Args:
        route: its name.
        arguments: of its class.
    """
    screen: Screen[Any] = pkgutil.resolve_name(ROUTES[route])(*arguments)
    if isinstance(screen, WorkbenchScreen):
        screen.route = route
    return screen

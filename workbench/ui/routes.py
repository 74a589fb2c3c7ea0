"""Every screen by its name, imported when it is first opened. Imported by `ui.app` only."""

import pkgutil
from typing import Any

from textual.screen import Screen

from workbench.ui.base_app import Route

ROUTES: dict[Route, str] = {
    "analyze": "workbench.ui.analyze.screen:SurenessScreen",
    "augmentation": "workbench.ui.augmentation.screen:BenchScreen",
    "compare": "workbench.ui.compare.screen:CompareScreen",
    "concepts": "workbench.ui.concepts.screen:WhyScreen",
    "data": "workbench.ui.data.screen:DataScreen",
    "explain": "workbench.ui.explain.screen:InsideScreen",
    "export": "workbench.ui.export.screen:TakeHomeScreen",
    "home": "workbench.ui.home.screen:HomeScreen",
    "ladder": "workbench.ui.ladder.screen:LadderScreen",
    "ladder-start": "workbench.ui.ladder.start:LadderStart",
    "layers": "workbench.ui.layers.screen:LayersScreen",
    "layers-step": "workbench.ui.layers.step:LayersStep",
    "lessons": "workbench.ui.lessons.screen:LearnScreen",
    "lr-find": "workbench.ui.tune.lr_find:FindRateScreen",
    "machine": "workbench.ui.machine.screen:MachineScreen",
    "machine-step": "workbench.ui.machine.step:MachineStep",
    "relabel": "workbench.ui.relabel.screen:CorrectionsScreen",
    "results": "workbench.ui.results.screen:ResultsScreen",
    "strategy": "workbench.ui.strategy.screen:StrategyScreen",
    "train": "workbench.ui.train.screen:TrainScreen",
    "tune": "workbench.ui.tune.screen:SearchScreen",
}


def make_screen(route: Route, *arguments: Any) -> Screen[Any]:
    """Return a new screen.

    Args:
        route: its name.
        arguments: what its class takes.
    """
    screen: Screen[Any] = pkgutil.resolve_name(ROUTES[route])(*arguments)
    return screen

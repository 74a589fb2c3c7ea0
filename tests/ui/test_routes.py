"""Every screen has a name by which the others open it."""

import pkgutil
from typing import get_args

import pytest
from textual.screen import Screen

from workbench.ui.base import Route
from workbench.ui.routes import ROUTES


def test_every_route_has_a_screen() -> None:
    assert set(ROUTES) == set(get_args(Route))


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_leads_to_a_class(route: Route) -> None:
    assert issubclass(pkgutil.resolve_name(ROUTES[route]), Screen)

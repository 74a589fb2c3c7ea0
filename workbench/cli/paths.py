"""Paths on the command line, as people paste them."""

from pathlib import Path
from typing import Any

import click

from workbench.paths import given_path


class GivenPath(click.Path):
    """A path: typed, in quotes, with backslashes, or a file:// address (see `given_path`).

    Args:
        new: True for what is to be made.
        dir_okay: False where a folder will not do.
    """

    def __init__(self, new: bool = False, dir_okay: bool = True) -> None:
        super().__init__(dir_okay=dir_okay)
        self.new = new

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path that is meant."""
        path = given_path(value, new=self.new)
        super().convert(str(path), param, ctx)  # refuses what is no path
        return path

"""`workbench --version` and `workbench --help-all`."""

import platform
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from workbench import __version__
from workbench.text import safe_text

# That decide about results, about what is drawn, or that a report of a fault needs.
PACKAGES = (
    "keras", "tensorflow", "jax", "torch", "numpy", "pillow", "scikit-learn", "textual", "plotext",
    "pydantic",
)  # fmt: skip


def versions() -> list[tuple[str, str]]:
    """Return name and version of what matters and is installed; nothing of it is imported."""
    from workbench.machine.driver import driver_version

    found = [("workbench", __version__), ("python", platform.python_version())]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    driver = driver_version()
    return [*found, *([("nvidia driver", safe_text(driver))] if driver else [])]


def print_versions(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Print a line for each version, our own first, and end."""
    if wanted and not ctx.resilient_parsing:
        for name, one in versions():
            click.echo(f"{name} {one}")
        ctx.exit()


def print_all_help(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Print the help of every command, and end."""
    if wanted and not ctx.resilient_parsing:
        click.echo("\n\n\n".join(_helps(ctx)))
        ctx.exit()


def _helps(ctx: click.Context) -> Iterator[str]:
    """Yield the help of a command and of those below it."""
    yield ctx.get_help()
    if isinstance(ctx.command, click.Group):
        for name in ctx.command.list_commands(ctx):
            below = ctx.command.get_command(ctx, name)
            if below is not None and not below.hidden:
                yield from _helps(click.Context(below, info_name=name, parent=ctx))


def _flag(name: str, handle: Callable[..., None], about: str) -> Callable[[Any], Any]:
    return click.option(
        name, is_flag=True, is_eager=True, expose_value=False, callback=handle, help=about
    )


version_option = _flag(
    "--version", print_versions, "Show the versions of the workbench and of what it uses."
)
help_all_option = _flag("--help-all", print_all_help, "Show the help of every command.")

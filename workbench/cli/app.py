"""The `workbench` command itself: without a command it opens the app."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from workbench.cli.about import help_all_option, version_option
from workbench.cli.group import CommandGroup
from workbench.cli.options import PathArgument, examples
from workbench.errors import UserError
from workbench.language import take_notes, take_option
from workbench.messages import LANGUAGE_VARIABLE, LANGUAGES
from workbench.paths import HOME_VARIABLE, Workspace, find_workspace
from workbench.streams import use_utf8

_REOPEN = "_WORKBENCH_REOPEN"  # route of the screen to return to when the app starts again


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, on a terminal: the guided app. Or start with `workbench demo`, or "
    "`workbench train --preset linear-probe --data FOLDER`.",
)
@version_option
@help_all_option
@click.option(
    "--workspace",
    type=PathArgument(new=True),
    metavar="DIR",
    help=f"Folder of data/ and saved_models/ (else ${HOME_VARIABLE}, else the current folder).",
)
@click.option(
    "--low-bandwidth", is_flag=True, help="The app: redraw less often, for a slow connection."
)
@click.option(
    "--lang",
    metavar="LANGUAGE",
    expose_value=False,  # taken out of the command line before anything is translated
    help=f"{' or '.join(LANGUAGES)} (else ${LANGUAGE_VARIABLE}, the settings, the locale).",
)
@click.pass_context
def workbench(ctx: click.Context, workspace: Path | None, low_bandwidth: bool) -> None:
    """From a folder of images to a trained, understood image classifier."""
    ctx.obj = workspace
    if ctx.invoked_subcommand is not None:
        for note in take_notes():
            click.echo(note, err=True)
        return
    if can_open():
        ctx.exit(open_app(find_workspace(workspace), low_bandwidth))
    click.echo(ctx.get_help())


def can_open() -> bool:
    """Return True if there is a terminal to draw on and to type in.

    Textual draws on stderr and reads from stdin; stdout belongs to the same terminal.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    terminal = all(stream is not None and stream.isatty() for stream in streams)
    return terminal and os.environ.get("TERM") != "dumb"


def open_app(workspace: Workspace, low_bandwidth: bool, first: Sequence[Any] = ()) -> int:
    """Open the app; return its exit code.

    Args:
        workspace: of its data and runs.
        low_bandwidth: redraw less often.
        first: the route of a screen to open over home, and the arguments of the screen.
    """
    from workbench.machine.terminal_probe import VARIABLE, TerminalProbe
    from workbench.settings import read_settings

    settings = read_settings()[0]
    low_bandwidth = low_bandwidth or settings.low_bandwidth
    environment = {VARIABLE: settings.graphics, **os.environ}
    with TerminalProbe(environment, sys.__stdin__, sys.__stderr__, low_bandwidth) as probe:
        from workbench.ui.app import WorkbenchApp  # the answers arrive while Textual is imported

        graphics = probe.graphics()
    if graphics.protocol == "kitty":  # ssh does not carry this over; kitty and Ghostty have it
        os.environ.setdefault("COLORTERM", "truecolor")
    use_utf8(sys.__stderr__)  # in UTF-8; the app draws ASCII if the locale has no more
    unread = probe.unread if probe.unread or probe.silent else None
    app = WorkbenchApp(workspace, low_bandwidth, graphics, unread)
    reopened = os.environ.pop(_REOPEN, "")
    app.first = tuple(first) or ((reopened,) if reopened else ())
    app.notes = take_notes()
    app.run()
    if app.restarting:
        _restart(app.settings.language)
    return app.return_code or 0


def check_key(name: str, keys: str) -> None:
    """Check whether the settings can give an action of the app other keys.

    Args:
        name: id of its binding.
        keys: with commas between several.

    Raises:
        UserError: There is no such action, or a key cannot be its key.
    """
    from workbench.settings import read_settings
    from workbench.ui.bindings import check_keys

    others = {one: key for one, key in read_settings()[0].keys.items() if one != name}
    good, notes = check_keys({**others, name: keys})
    if name not in good:
        raise UserError("\n".join(f"{note}." for note in notes if f".{name}:" in note))


def _restart(language: str) -> None:
    """Start this command again in this process, in the language that was just chosen."""
    os.environ.pop(LANGUAGE_VARIABLE, None)
    if language:
        os.environ[LANGUAGE_VARIABLE] = language
    os.environ[_REOPEN] = "settings"  # where the language was chosen
    words = sys.orig_argv[1:]
    take_option(words)  # the newer choice counts
    os.execv(sys.executable, [sys.executable, *words])


@click.command(
    epilog=examples(
        'bash:  eval "$(workbench completion bash)"      in ~/.bashrc',
        'zsh:   eval "$(workbench completion zsh)"       in ~/.zshrc',
        "fish:  workbench completion fish > ~/.config/fish/completions/workbench.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    maker = get_completion_class(shell)
    assert maker is not None  # click knows the three shells
    click.echo(maker(workbench, {}, "workbench", "_WORKBENCH_COMPLETE").source())

"""The `workbench` command itself: the app, workspace, version, error messages, completion."""

import errno
import functools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from workbench import __version__
from workbench.cli.options import PathArgument, examples
from workbench.errors import DISK_FULL, UserError
from workbench.messages import tr
from workbench.paths import HOME_VARIABLE, Workspace, find_workspace
from workbench.runs.folder import RunFolder
from workbench.text import describe_unencodable, safe_lines, safe_text, use_utf8

EXIT_ERROR = 2
_TO_QUOTE = frozenset(" \t'\"\\$`&;|<>()[]{}*?!#")  # special in a shell
EXIT_INTERRUPTED = 130  # as shells count Ctrl-C
_RUNNING = "workbench.running"


class CommandGroup(click.Group):
    """A group of commands whose expected errors end with exit code 2 and a message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in their usual order of use."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and print expected errors as messages."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"error: {safe_lines(error.message)}", err=True)
            if error.hint:
                click.echo(safe_lines(error.hint), err=True)
            ctx.exit(EXIT_ERROR)
        except KeyboardInterrupt:
            if _RUNNING in ctx.meta:
                click.echo(describe_detached(*ctx.meta[_RUNNING]), err=True)
                ctx.exit(0)
            click.echo(tr("\nInterrupted; what was done so far is kept."), err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except UnicodeEncodeError as error:
            message, hint = describe_unencodable(error)
            click.echo(f"error: {message}\n{hint}", err=True)
            ctx.exit(EXIT_ERROR)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            place = f": {safe_text(error.filename)}" if error.filename else ""
            click.echo(f"error: {safe_text(error.strerror or error)}{place}", err=True)
            if error.errno in (*DISK_FULL, errno.EROFS, errno.EACCES):
                click.echo(
                    tr(
                        "Free some space or fix the permissions, or name another workspace "
                        "with --workspace DIR or {home_variable}.",
                        home_variable=HOME_VARIABLE,
                    ),
                    err=True,
                )
            ctx.exit(EXIT_ERROR)


@click.group(
    cls=CommandGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Without a command, on a terminal: the guided app. Or start with `workbench demo`, or "
    "`workbench train --preset convnet --data FOLDER`.",
)
@click.version_option(__version__, prog_name="workbench")
@click.option(
    "--workspace",
    type=PathArgument(new=True),
    metavar="DIR",
    help=f"Folder of data/ and saved_models/ (else ${HOME_VARIABLE}, else the current folder).",
)
@click.option(
    "--low-bandwidth", is_flag=True, help="The app: redraw less often, for a slow connection."
)
@click.pass_context
def workbench(ctx: click.Context, workspace: Path | None, low_bandwidth: bool) -> None:
    """From a folder of images to a trained, understood image classifier."""
    ctx.obj = workspace
    if ctx.invoked_subcommand is not None:
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


def open_app(workspace: Workspace, low_bandwidth: bool) -> int:
    """Open the app; return its exit code."""
    from workbench.ui.app import WorkbenchApp

    use_utf8(sys.__stderr__)  # in UTF-8; the app draws ASCII if the locale has no more
    app = WorkbenchApp(workspace, low_bandwidth)
    app.run()
    return app.return_code or 0


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


def in_workspace(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--workspace`, and the workspace as its first argument."""

    @click.option(
        "--workspace",
        "own_workspace",
        type=PathArgument(new=True),
        metavar="DIR",
        help="Folder of data/ and saved_models/.",
    )
    @click.pass_context
    @functools.wraps(command)
    def with_workspace(
        ctx: click.Context, /, *args: Any, own_workspace: Path | None, **kwargs: Any
    ) -> None:
        command(find_workspace(own_workspace or ctx.obj), *args, **kwargs)

    return with_workspace


def command_line(workspace: Workspace, *words: str) -> str:
    """Format a command to type next, with `--workspace` if it is needed.

    Words are quoted for a shell, so that the line can be pasted.
    """
    elsewhere = [] if find_workspace() == workspace else ["--workspace", str(workspace.root)]
    quoted = [shlex.quote(w) if set(w) & _TO_QUOTE else w for w in (*words, *elsewhere)]
    return safe_text(" ".join(["workbench", *quoted]), limit=1000)


def note_running(workspace: Workspace, folder: RunFolder) -> None:
    """Note that this command started a run: from now on Ctrl-C only ends the command."""
    click.get_current_context().meta[_RUNNING] = workspace, folder


def describe_detached(workspace: Workspace, folder: RunFolder) -> str:
    """Say that a run keeps running without this command, and how to watch and stop it."""
    return (
        f"\nDetached; {folder.name} keeps running.\n"
        f"Watch it again: {command_line(workspace, 'attach', folder.name)}\n"
        f"Stop it:        {command_line(workspace, 'stop', folder.name)}"
    )

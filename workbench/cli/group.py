"""The `workbench` command itself: the app, workspace, version, error messages, completion."""

import errno
import functools
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from workbench.cli.options import PathArgument
from workbench.cli.output import echo
from workbench.errors import DISK_FULL, UserError
from workbench.messages import tr
from workbench.paths import HOME_VARIABLE, Workspace, find_workspace
from workbench.runs.folder import RunFolder
from workbench.text import describe_unencodable, safe_text
from workbench.words import reason_of

EXIT_ERROR = 2
_TO_QUOTE = frozenset(" \t'\"\\$`&;|<>()[]{}*?!#")  # special in a shell
EXIT_INTERRUPTED = 130  # as shells count Ctrl-C
_RUNNING = "workbench.running"
_WORDS = "workbench.words"


class CommandGroup(click.Group):
    """A group of commands whose expected errors end with exit code 2 and a message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in their usual order of use."""
        return list(self.commands)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:  # fmt: skip
        """Keep the words of the command line, for suggestions."""
        words = list(args)
        ctx = super().make_context(info_name, args, parent, **extra)
        ctx.meta.setdefault(_WORDS, words)
        return ctx

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and print expected errors as messages."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if suggestion := suggest_setting(error, ctx.meta.get(_WORDS, ())):
                raise click.UsageError(suggestion, error.ctx) from None
            raise
        except UserError as error:
            echo(tr("error: {message}", message=error.message), err=True)
            if error.hint:
                echo(error.hint, err=True)
            ctx.exit(EXIT_ERROR)
        except KeyboardInterrupt:
            if _RUNNING in ctx.meta:
                click.echo(describe_detached(*ctx.meta[_RUNNING]), err=True)
                ctx.exit(0)
            click.echo(tr("\nInterrupted; what was done so far is kept."), err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except UnicodeEncodeError as error:
            message, hint = describe_unencodable(error)
            click.echo(tr("error: {message}", message=message) + f"\n{hint}", err=True)
            ctx.exit(EXIT_ERROR)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            place = f": {safe_text(error.filename)}" if error.filename else ""
            message = f"{safe_text(reason_of(error))}{place}"
            click.echo(tr("error: {message}", message=message), err=True)
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


def suggest_setting(error: click.NoSuchOption, words: Sequence[str]) -> str:
    """Return which --set an option without a meaning stands for; "" if there is none.

    Args:
        error: names the option, "--epochs".
        words: of the command line, which have its value.
    """
    known = error.ctx.command.params if error.ctx else ()
    if not any("--set" in one.opts for one in known):
        return ""
    from workbench.experiment.spec_keys import keys as spec_keys

    option = error.option_name
    name = option.lstrip("-").replace("-", "_")
    keys = [key for key in spec_keys() if name in (key, key.rpartition(".")[2])]
    keys.sort(key=lambda key: not key.startswith("training."))
    if not keys:
        return ""
    value = "VALUE"
    for at, word in enumerate(words):
        if word.startswith(f"{option}="):
            value = word.partition("=")[2]
        elif word == option and words[at + 1 : at + 2] and not words[at + 1].startswith("-"):
            value = words[at + 1]
    return tr(
        "There is no option {option}. It is a key of the experiment: {settings}",
        option=safe_text(option, 60),
        settings=tr(" or ").join(f"--set {key}={safe_text(value, 60)}" for key in keys),
    )


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
    return "\n" + tr(
        "Detached; {folder} keeps running.\nWatch it again: {command_line}\nStop "
        "it:        {command_line_2}",
        folder=folder.name,
        command_line=command_line(workspace, "attach", folder.name),
        command_line_2=command_line(workspace, "stop", folder.name),
    )

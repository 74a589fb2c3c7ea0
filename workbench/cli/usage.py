"""Help and usage errors of click in the language of the reader: click's catalogues lack Korean."""

import inspect
from collections.abc import Iterable, Iterator

import click.core
import click.decorators
import click.exceptions
import click.formatting
import click.parser
import click.types

from workbench.messages import catalogue, current_language, tr, tr_kept
from workbench.text import narrowed, widened

# What click says of a wrong command line, and around the texts of --help.
SENTENCES = (
    tr("Usage:"),
    tr("Options"),
    tr("Commands"),
    tr("default: {default}"),
    tr("required"),
    tr("Show this message and exit."),
    tr("Error: {message}"),
    tr("Try '{command} {option}' for help."),
    tr("Invalid value: {message}"),
    tr("Invalid value for {param_hint}: {message}"),
    tr("Missing argument"),
    tr("Missing option"),
    tr("Missing parameter"),
    tr("Missing {param_type}"),
    tr("Missing parameter: {param_name}"),
    tr("Missing command."),
    tr("No such option {name!r}."),
    tr("No such option: {name}"),
    tr("No such command {name!r}."),
    tr("Did you mean {possibility}?"),
    tr("(Did you mean one of: {possibilities}?)"),
    tr("(Possible options: {possibilities})"),
    tr("Got unexpected extra argument ({args})"),
    tr("Got unexpected extra arguments ({args})"),
    tr("Takes {nargs} values but 1 was given."),
    tr("Takes {nargs} values but {len} were given."),
    tr("Option {name!r} does not take a value."),
    tr("Option {name!r} requires an argument."),
    tr("Option {name!r} requires {nargs} arguments."),
    tr("Argument {name!r} takes {nargs} values."),
    tr("Choose from:\n\t{choices}"),
    tr("{value!r} is not {choice}."),
    tr("{value!r} is not one of {choices}."),
    tr("{value} is not in the range {range}."),
    tr("{value!r} is not a valid {number_type}."),
    tr("{name} {filename!r} does not exist."),
    tr("{name} {filename!r} is a file."),
    tr("{name} {filename!r} is a directory."),
    tr("{name} {filename!r} is not readable."),
    tr("{name} {filename!r} is not writable."),
    tr("Aborted!"),
)


class CellHelp(click.HelpFormatter):
    """Help whose lines are as wide as the terminal, also of letters that take two cells."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(widened(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write options or commands, and their meanings beside them."""
        super().write_dl([(term, widened(text)) for term, text in rows], col_max, col_spacing)

    def write(self, string: str) -> None:
        """Write a piece of the page."""
        super().write(narrowed(string))


def help_texts(command: click.Command) -> Iterator[tuple[click.Command | click.Option, str, str]]:
    """Yield a command, its options and all commands below it: attribute and English text of each.

    An epilog that begins with a backspace has commands to copy.
    """
    owners: list[click.Command | click.Option] = [command]
    owners += [one for one in command.params if isinstance(one, click.Option)]
    for owner in owners:
        if owner.help:
            paragraphs = inspect.cleandoc(owner.help).strip().split("\n\n")
            yield owner, "help", "\n\n".join(map(_as_click_fills_it, paragraphs))
    if command.epilog and not command.epilog.startswith("\b"):
        yield command, "epilog", command.epilog
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        yield from help_texts(one)


def _as_click_fills_it(paragraph: str) -> str:
    return paragraph if paragraph.startswith("\b") else " ".join(paragraph.split("\n"))


def translate_help(command: click.Command) -> None:
    """Translate what click prints of a command and those below it; nothing changes in English."""
    if current_language() == "en":
        return
    click.Context.formatter_class = CellHelp
    modules = (click.core, click.decorators, click.exceptions, click.formatting, click.parser,
               click.types)  # fmt: skip
    for module in modules:
        for name, look_up in (("_", _translated), ("ngettext", _counted)):
            if hasattr(module, name):
                setattr(module, name, look_up)
    for owner, attribute, text in help_texts(command):
        setattr(owner, attribute, tr_kept(text))


def _translated(sentence: str) -> str:
    return catalogue().gettext(sentence)


def _counted(one: str, many: str, count: int) -> str:
    return _translated(one if count == 1 else many)

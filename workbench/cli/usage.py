"""Usage errors of click in the language of the reader: click's own catalogues lack Korean."""

import click.core
import click.exceptions
import click.parser
import click.types

from workbench.messages import catalogue, current_language, tr

# What click says of a wrong command line; the texts of --help stay English.
SENTENCES = (
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


def translate_usage_errors() -> None:
    """Let click look its sentences up in our catalogue; nothing changes in English."""
    if current_language() == "en":
        return
    for module in (click.core, click.exceptions, click.parser, click.types):
        for name, look_up in (("_", _translated), ("ngettext", _counted)):
            if hasattr(module, name):
                setattr(module, name, look_up)


def _translated(sentence: str) -> str:
    return catalogue().gettext(sentence)


def _counted(one: str, many: str, count: int) -> str:
    return _translated(one if count == 1 else many)

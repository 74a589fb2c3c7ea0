"""What the shell completes: names of runs, sets, presets, bases, hosts, profiles, keys."""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from workbench.errors import UserError
from workbench.paths import Workspace, find_workspace

Items = list[CompletionItem]
Complete = Callable[[click.Context, click.Parameter, str], Items]


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of runs."""
    from workbench.runs.folder import list_runs

    return _in_workspace(ctx, incomplete, lambda where: [run.name for run in list_runs(where)])


def complete_trash(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of deleted runs."""
    from workbench.runs.trash import list_trash

    return _in_workspace(ctx, incomplete, lambda where: [run.name for run in list_trash(where)])


def complete_hosts(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Offer the machines of the settings."""
    from workbench.settings import read_settings

    return _matching(read_settings()[0].hosts, incomplete)


def complete_ladders(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of ladders."""
    from workbench.runs.sweep_record import LADDER, list_names

    return _in_workspace(ctx, incomplete, lambda where: list_names(where, LADDER))


def complete_datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of data sets."""
    from workbench.datasets.store import list_datasets

    return _in_workspace(ctx, incomplete, lambda where: [one.name for one in list_datasets(where)])


def complete_presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of presets."""
    from workbench.experiment.presets import PRESETS

    return _matching(PRESETS, incomplete)


def complete_bases(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of pretrained networks."""
    from workbench.bases.architectures import BASES

    return _matching(BASES, incomplete)


def complete_preset_lists(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete the last name of a list of presets with commas."""
    from workbench.experiment.presets import PRESETS

    head, comma, _ = incomplete.rpartition(",")
    return _matching([f"{head}{comma}{name}" for name in PRESETS], incomplete)


def complete_lessons(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of lessons."""
    from workbench.lessons.catalogue import LESSONS

    return _matching(LESSONS, incomplete)


def complete_sources(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete files and folders, with the shell's own completion, and sets of the catalogue."""
    catalogue = complete_catalogue(ctx, param, incomplete)
    return [*catalogue, CompletionItem(incomplete, type="file")]


def complete_catalogue(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of sets of the catalogue."""
    from workbench.datasets.sources.catalogue import CATALOGUE

    return _matching(CATALOGUE, incomplete)


def complete_profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete names of SLURM profiles."""
    from workbench.settings import read_settings

    return _matching(read_settings()[0].slurm, incomplete)


def complete_job_settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete keys of a SLURM profile, each with its equals sign."""
    from workbench.app.slurm import KEYS

    return _matching([f"{key}=" for key in KEYS], incomplete)


def complete_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete keys of the spec, each with its equals sign."""
    from workbench.experiment.spec_keys import keys

    return _matching([f"{key}=" for key in keys()], incomplete)


def complete_changes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Complete keys that may change in a resumed run."""
    from workbench.experiment.resuming import CHANGEABLE_KEYS

    return _matching([f"{key}=" for key in CHANGEABLE_KEYS], incomplete)


def _in_workspace(
    ctx: click.Context, incomplete: str, list_names: Callable[[Workspace], list[str]]
) -> Items:
    try:
        names = list_names(find_workspace(ctx.params.get("own_workspace")))
    except UserError:
        return []
    return _matching(dict.fromkeys(names), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]

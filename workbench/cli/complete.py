"""What the shell offers at Tab: names of runs, presets, data sets and keys of the spec."""

import click
from click.shell_completion import CompletionItem

Items = list[CompletionItem]


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names of runs in the workspace, for the shell."""
    from workbench.errors import UserError
    from workbench.paths import find_workspace
    from workbench.runs.folder import list_runs

    try:
        folders = list_runs(find_workspace(ctx.params.get("own_workspace")))
    except UserError:
        return []
    return _matching([folder.name for folder in folders], incomplete)


def complete_trash(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names of deleted runs in the workspace's trash."""
    from workbench.errors import UserError
    from workbench.paths import find_workspace
    from workbench.runs.trash import list_trash

    try:
        deleted = list_trash(find_workspace(ctx.params.get("own_workspace")))
    except UserError:
        return []
    return _matching(list(dict.fromkeys(run.name for run in deleted)), incomplete)


def complete_presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names of presets."""
    from workbench.experiment.presets import PRESETS

    return _matching(list(PRESETS), incomplete)


def complete_preset_lists(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names of presets, the last one of a list with commas."""
    from workbench.experiment.presets import PRESETS

    head, comma, _ = incomplete.rpartition(",")
    return _matching([f"{head}{comma}{name}" for name in PRESETS], incomplete)


def complete_ladders(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Names of ladders in the workspace."""
    from workbench.errors import UserError
    from workbench.paths import find_workspace
    from workbench.runs.ladder import list_ladders

    try:
        return _matching(list_ladders(find_workspace(ctx.params.get("own_workspace"))), incomplete)
    except UserError:
        return []


def complete_sources(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Files and folders, as the shell knows them, and sets of the catalogue."""
    from workbench.datasets.catalogue import CATALOGUE

    return [*_matching(list(CATALOGUE), incomplete), CompletionItem(incomplete, type="file")]


def complete_catalogue(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Sets of the catalogue."""
    from workbench.datasets.catalogue import CATALOGUE

    return _matching(list(CATALOGUE), incomplete)


def complete_datasets(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Data sets of the workspace."""
    from workbench.datasets.store import list_datasets
    from workbench.errors import UserError
    from workbench.paths import find_workspace

    try:
        found = list_datasets(find_workspace(ctx.params.get("own_workspace")))
    except UserError:
        return []
    return _matching([dataset.name for dataset in found], incomplete)


def complete_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Keys of the spec, each with its equals sign."""
    from workbench.experiment.toml import keys

    return _matching([f"{key}=" for key in keys()], incomplete)


def complete_changes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Keys that may change while a run goes on."""
    from workbench.experiment.resuming import MAY_CHANGE

    return _matching([f"{key}=" for key in MAY_CHANGE], incomplete)


def _matching(names: list[str], incomplete: str) -> Items:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]

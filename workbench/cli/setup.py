"""Commands around an experiment: presets, shell completion."""

import click
from click.shell_completion import get_completion_class

from workbench.cli.group import in_workspace
from workbench.paths import Workspace


@click.command()
@click.argument("name", required=False)
@click.option("--data", "source", metavar="PATH|NAME", help="Fit the preset to these images.")
@in_workspace
def presets(workspace: Workspace, name: str | None, source: str | None) -> None:
    """List the presets, or print one as a spec.toml to start from.

    \b
    workbench presets
    workbench presets convnet --data photos > spec.toml
    """
    from workbench.cli.sources import preset_spec
    from workbench.experiment.presets import PRESETS
    from workbench.experiment.toml import dump_spec

    if name:
        if not source:
            raise click.UsageError("A preset is fitted to data: add --data PATH.")
        click.echo(dump_spec(preset_spec(workspace, name, source, ())), nl=False)
        return
    width = max(map(len, PRESETS))
    for preset, about in PRESETS.items():
        click.echo(f"{preset:<{width}}  {about.title}\n{'':<{width}}  {about.expect}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(workbench completion bash)"      in ~/.bashrc
    zsh:   eval "$(workbench completion zsh)"       in ~/.zshrc
    fish:  workbench completion fish > ~/.config/fish/completions/workbench.fish
    """
    from workbench.cli.group import workbench

    maker = get_completion_class(shell)
    assert maker is not None  # click knows the three shells
    click.echo(maker(workbench, {}, "workbench", "_WORKBENCH_COMPLETE").source())


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of runs in the workspace, for the shell."""
    from workbench.errors import UserError
    from workbench.paths import find_workspace
    from workbench.runs.folder import list_runs

    try:
        folders = list_runs(find_workspace(ctx.params.get("own_workspace")))
    except UserError:
        return []
    return [folder.name for folder in folders if folder.name.startswith(incomplete)]

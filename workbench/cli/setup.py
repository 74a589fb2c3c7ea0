"""Commands around an experiment: presets, shell completion."""

import click
from click.shell_completion import get_completion_class

from workbench.cli.complete import complete_presets, complete_sources
from workbench.cli.group import in_workspace
from workbench.paths import Workspace


@click.command()
@click.argument("name", required=False, shell_complete=complete_presets)
@click.option(
    "--data",
    "source",
    shell_complete=complete_sources,
    metavar="PATH|NAME",
    help="Fit the preset to these images.",
)
@in_workspace
def presets(workspace: Workspace, name: str | None, source: str | None) -> None:
    """List the presets, or print one as a spec.toml to start from.

    \b
    workbench presets
    workbench presets convnet --data photos > spec.toml
    """
    from workbench.cli.sources import preset_spec
    from workbench.experiment.presets import BOOK_FACTS, PRESETS, preset_tree
    from workbench.experiment.toml import dump_spec, parse_spec

    if name:
        if source:
            spec = preset_spec(workspace, name, source, ())
        else:  # as it would be for photographs such as the book's cats and dogs
            spec = parse_spec(preset_tree(name, "FOLDER", BOOK_FACTS), name)
        click.echo(dump_spec(spec), nl=False)
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

"""Commands for preparation: presets, shell completion."""

import click
from click.shell_completion import get_completion_class

from workbench.cli.complete import complete_presets
from workbench.cli.group import in_workspace
from workbench.cli.options import data_option, examples
from workbench.paths import Workspace


@click.command(
    epilog=examples("workbench presets", "workbench presets convnet --data photos > spec.toml")
)
@click.argument("name", required=False, shell_complete=complete_presets)
@data_option("Fit the preset to these images.")
@in_workspace
def presets(workspace: Workspace, name: str | None, source: str | None) -> None:
    """List the presets, or print one as a spec.toml to start from."""
    from workbench.cli.sources import preset_spec
    from workbench.experiment.presets import BOOK_FACTS, PRESETS, preset_tree
    from workbench.experiment.toml import dump_spec, parse_spec

    if name:
        if source:
            spec = preset_spec(workspace, name, source, ())
        else:  # as for photographs such as the book's cats and dogs
            spec = parse_spec(preset_tree(name, "FOLDER", BOOK_FACTS), name)
        click.echo(dump_spec(spec), nl=False)
        return
    width = max(map(len, PRESETS))
    for preset, about in PRESETS.items():
        click.echo(f"{preset:<{width}}  {about.title}\n{'':<{width}}  {about.expect}")


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
    from workbench.cli.group import workbench

    maker = get_completion_class(shell)
    assert maker is not None  # click knows the three shells
    click.echo(maker(workbench, {}, "workbench", "_WORKBENCH_COMPLETE").source())

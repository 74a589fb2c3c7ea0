"""From what a person typed to a checked spec: paths, catalogue names, presets, --set."""

from pathlib import Path

from workbench.cli.show import progress_bar
from workbench.datasets.catalogue import CATALOGUE, fetch
from workbench.datasets.prepare import survey
from workbench.errors import UserError
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec, read_tree
from workbench.paths import Workspace
from workbench.text import one_of, safe_text


def find_source(workspace: Workspace, given: str, base: Path | None = None) -> Path:
    """The images named: a path, or a set of the catalogue, which is fetched where it is missing.

    Args:
        base: the folder that a relative path starts from; the current one where left out.

    Raises:
        UserError: neither a path nor a name of the catalogue, or the download failed.
    """
    path = Path(base or "", given).expanduser()
    if path.exists():
        return path.absolute()
    if given in CATALOGUE:
        with progress_bar() as progress:
            return fetch(given, workspace, progress)
    raise UserError(
        f"There is no file or folder {safe_text(given)}.",
        f"Give a path, or a set of the catalogue: {one_of(list(CATALOGUE))}.",
    )


def preset_spec(
    workspace: Workspace, preset: str, source: str, settings: tuple[str, ...]
) -> ExperimentSpec:
    """A preset fitted to the images, with settings of the command line put in.

    Raises:
        UserError: no such preset or images, or a setting that is not allowed.
    """
    path = find_source(workspace, source)
    tree = preset_tree(preset, str(path), survey(path))
    return parse_spec(apply_settings(tree, settings), "--set" if settings else preset)


def file_spec(
    workspace: Workspace, file: Path, source: str | None, settings: tuple[str, ...]
) -> ExperimentSpec:
    """The spec of a file; relative paths in it start at its folder.

    Raises:
        UserError: the file, a key or a setting is not right.
    """
    tree = apply_settings(read_tree(file), settings)
    if source is not None:
        tree = {**tree, "data": {**tree.get("data", {}), "source": source}}
    spec = parse_spec(tree, str(file))
    base = None if source is not None else file.absolute().parent
    found = find_source(workspace, spec.data.source, base)
    data = spec.data.model_copy(update={"source": str(found)})
    return spec.model_copy(update={"data": data})

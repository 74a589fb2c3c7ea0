"""From command line arguments to a validated spec: paths, catalogue names, presets, --set."""

from pathlib import Path

from workbench.bases.weights import IMAGENET, RANDOM
from workbench.cli.output import echo, progress_bar
from workbench.datasets.prepare import survey
from workbench.datasets.sources.catalogue import CATALOGUE, fetch, suggest_source
from workbench.errors import UserError
from workbench.experiment.base_choice import explain_base
from workbench.experiment.fitting import fit_preset
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import Tree
from workbench.experiment.toml import apply_settings, flat, parse_spec, read_tree
from workbench.messages import tr
from workbench.paths import Workspace, parse_path
from workbench.text import format_choices, safe_text

SOURCE_KEY = "data.source"


def resolve_source(workspace: Workspace, given: str, base: Path | None = None) -> Path:
    """Return the path of images, or of a set of the catalogue, which is downloaded if missing.

    A relative path starts from `base`, or from the current folder.

    Raises:
        UserError: neither a path nor a name of the catalogue, or the download failed.
    """
    path = parse_path(given, base)
    if path.exists():
        return path.absolute()
    if given in CATALOGUE:
        with progress_bar() as progress:
            return fetch(given, workspace, progress)
    hint = tr(
        "Give a path, or a set of the catalogue: {choices}.",
        choices=format_choices(list(CATALOGUE)),
    )
    meant = suggest_source(path, given)
    raise UserError(
        tr("There is no file or folder {given}.", given=safe_text(given)),
        f"{meant}\n{hint}" if meant else hint,
    )


def preset_spec(
    workspace: Workspace,
    preset: str,
    source: str | None,
    settings: tuple[str, ...],
    name: str | None = None,
    base: str | None = None,
    weights: str | None = None,
) -> ExperimentSpec:
    """Return the spec of a preset, fitted to the images, with settings of the command line.

    Raises:
        UserError: no such preset or images, or a setting that is not allowed.
    """
    source, settings = _source_of(source, settings)
    if source is None:
        raise UserError(
            tr("A preset needs images: add --data PATH, or a set such as --data digits.")
        )
    path = resolve_source(workspace, source)
    with progress_bar() as progress:
        facts = survey(path, progress)
    own = preset_tree(preset, str(path), facts, base, weights)
    tree = fit_preset(own, apply_settings(own, settings), flat(apply_settings({}, settings)))
    if "base" not in own and (base or weights):
        raise UserError(
            tr(
                "--base and --weights have no effect with the preset {preset}, which has no base.",
                preset=preset,
            )
        )
    spec = parse_spec(_named(tree, name), "--set" if settings else preset)
    given = base is not None or "base.name" in flat(apply_settings({}, settings))
    if spec.base and (why := explain_base(spec.base.name, given)):
        echo(why, err=True)
    return _with_weights_at(spec, Path())


def file_spec(
    workspace: Workspace,
    file: Path,
    source: str | None,
    settings: tuple[str, ...],
    name: str | None = None,
    base: str | None = None,
    weights: str | None = None,
) -> ExperimentSpec:
    """Return the spec of a file; relative paths in it start at its folder.

    Raises:
        UserError: the file, a key or a setting is invalid.
    """
    source, settings = _source_of(source, settings)
    tree = apply_settings(read_tree(file), settings)
    chosen = {"name": base, "weights": weights}
    for key, value in chosen.items():
        if value is not None and isinstance(tree.setdefault("base", {}), dict):
            tree["base"][key] = value
    if source is not None and isinstance(tree.setdefault("data", {}), dict):
        tree["data"]["source"] = source
    spec = parse_spec(_named(tree, name), str(file))
    start = None if source is not None else file.absolute().parent
    found = resolve_source(workspace, spec.data.source, start)
    data = spec.data.model_copy(update={"source": str(found)})
    spec = spec.model_copy(update={"data": data})
    return _with_weights_at(spec, file.absolute().parent if weights is None else Path())


def _source_of(source: str | None, settings: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Return source and settings, with `--set data.source=X` as `--data X`; the last counts."""
    prefix = f"{SOURCE_KEY}="
    given = [setting.removeprefix(prefix) for setting in settings if setting.startswith(prefix)]
    others = tuple(setting for setting in settings if not setting.startswith(prefix))
    return (given[-1] if given else source), others


def _with_weights_at(spec: ExperimentSpec, start: Path) -> ExperimentSpec:
    """Make the path of a weights file absolute: the worker has another working folder."""
    if spec.base is None or spec.base.weights in (IMAGENET, RANDOM):
        return spec
    path = parse_path(spec.base.weights, start).absolute()
    base = spec.base.model_copy(update={"weights": str(path)})
    return spec.model_copy(update={"base": base})


def _named(tree: Tree, name: str | None) -> Tree:
    return tree if name is None else {**tree, "name": name}

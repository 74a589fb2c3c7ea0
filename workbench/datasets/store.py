"""The folders data/<name>/: their sources, their files, and cleaning them."""

import json
import re
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.datasets.audit import AUDIT_NAME, Audit, read_audit
from workbench.datasets.scan import CACHE_NAME
from workbench.datasets.scan_pack import KEYS_NAME, ROWS_NAME
from workbench.datasets.sources.kept_listing import read_listing, write_listing
from workbench.datasets.sources.opening import forget_source, open_source, source_path
from workbench.datasets.sources.source import UNLABELLED, Source
from workbench.downloads.disk import locked
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.text import format_choices, safe_text
from workbench.words import reason_of

SOURCE_NAME = "source.json"
_LOCK_NAME = ".prepare.lock"
_FEATURES_LOCK = ".features.lock"  # shared by all that add features
_PACKS = "pack-*.npy"
_FEATURES = "features-*.npy"  # cached outputs of frozen prefixes, parts of them included
_TEMPORARY = (".*.tmp", ".*.tmp.*")  # as files.atomic_file names them; left by a killed process
_POLL_SECONDS = 0.5  # for a lock
_MAX_NAME = 48  # characters


@dataclass(frozen=True)
class DatasetSummary:
    """A summary of a data folder.

    Attributes:
        name: Of the folder.
        source: The path given by the user; "" for a mere download of the catalogue.
        kind: How the source is laid out; "" as above.
        images: Images with a label; None before the first scan.
        classes: Likewise.
        packs: Size of each pack in bytes, by file name; rows that the scan made for one included.
        features: Size of each file of cached features in bytes, by file name.
    """

    name: str
    source: str
    kind: str
    images: int | None
    classes: int | None
    packs: dict[str, int]
    features: dict[str, int]


@dataclass(frozen=True)
class CleanResult:
    """The files that `clean` removed.

    Attributes:
        freed: Bytes.
        removed: Names of the files.
    """

    freed: int
    removed: tuple[str, ...]


def dataset_folder(workspace: Workspace, source: Source, progress: Progress = silent) -> Path:
    """Return the folder of a source in the workspace, created at the first call.

    The same source has the same folder; another one of the same name gets name-2.

    Raises:
        UserError: The folder cannot be created.
    """
    try:
        workspace.data.mkdir(parents=True, exist_ok=True)
        with _waiting(workspace.data / _LOCK_NAME, tr("naming a data set"), progress):
            folder = find_folder(workspace, source.path, source.kind == UNLABELLED)
            if folder is None:
                folder = _free_folder(workspace, source.path)
                folder.mkdir(exist_ok=True)
            _write_source(folder, source)
            write_listing(folder, source)
            return folder
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr(
                "No data folder can be created in {data}: {reason}.",
                data=safe_text(workspace.data),
                reason=reason,
            ),
            tr("Choose another workspace with --workspace DIR."),
        ) from error


def open_in(workspace: Workspace, source: str | Path, progress: Progress = silent) -> Source:
    """Open a source as `open_source`, without listing it again where it has not changed.

    Raises:
        UserError: As `open_source`.
    """
    path = source_path(source)
    folder = find_folder(workspace, path)
    found = (folder and read_listing(folder, path)) or open_source(source, progress)
    forget_source()  # the data folder keeps it
    return found


def find_folder(workspace: Workspace, path: Path, unlabelled: bool = False) -> Path | None:
    """Return the folder of a source, or None where it was never prepared here.

    Args:
        workspace: Where the data folders are.
        path: Of the source.
        unlabelled: Whether the folder of its images without their labels is meant.
    """
    wanted = str(path.resolve())
    for folder in _folders(workspace):
        known = _read_source(folder)
        if known.get("resolved") == wanted and (known.get("kind") == UNLABELLED) == unlabelled:
            return folder
    return None


def source_root(folder: Path) -> Path:
    """Return where the paths of a data folder's images start, as of its last preparation."""
    return Path(_read_source(folder).get("root", ""))


@contextmanager
def building(folder: Path, progress: Progress = silent) -> Iterator[None]:
    """Hold the lock of a data folder, waiting while another process prepares the same data.

    Partial files of a killed process are removed.

    Args:
        folder: The data folder.
        progress: Reports "wait for another process" repeatedly; may raise to give up.
    """
    with _waiting(
        folder / _LOCK_NAME, tr("preparing {folder}", folder=safe_text(folder.name)), progress
    ):
        _remove(_leftovers(folder))
        yield


@contextmanager
def adding_features(folder: Path, progress: Progress = silent) -> Iterator[None]:
    """Keep others from cleaning a data folder while features are added; many may at a time.

    Arguments are those of `building`.
    """
    doing = tr("computing features of {folder}", folder=safe_text(folder.name))
    with _waiting(folder / _FEATURES_LOCK, doing, progress, shared=True):
        yield


def list_datasets(workspace: Workspace) -> list[DatasetSummary]:
    """Return all data folders of the workspace, by name."""
    return [_summary(folder) for folder in _folders(workspace)]


def describe(workspace: Workspace, name: str) -> tuple[DatasetSummary, Audit | None]:
    """Return a data set's summary, and its audit once it was prepared.

    Raises:
        UserError: There is none of this name, or its audit is damaged.
    """
    folder = _known(workspace, name)
    audit_file = folder / AUDIT_NAME
    return _summary(folder), read_audit(audit_file) if audit_file.exists() else None


def clean(
    workspace: Workspace, name: str, keep: Collection[str] = (), scan: bool = False
) -> CleanResult:
    """Remove packs, cached features, and files of interrupted preparations; never images.

    Features stay where a pack is kept that could still be trained on.

    Args:
        workspace: Where the data folder is.
        name: Of the data folder.
        keep: Names of packs that runs still need.
        scan: True to remove the results of the scan, too; the next one reads all images again.

    Raises:
        UserError: There is none of this name, it is being prepared right now or its features are
            computed, or a file cannot be removed.
    """
    folder = _known(workspace, name)
    try:
        with (
            locked(folder / _LOCK_NAME, tr("preparing {name}", name=safe_text(name))),
            locked(
                folder / _FEATURES_LOCK, tr("computing features of {name}", name=safe_text(name))
            ),
        ):
            packs = sorted(folder.glob(_PACKS))
            unneeded = [path for path in packs if path.name not in keep]
            if unneeded == packs:
                unneeded += sorted(folder.glob("features-*"))  # and what belongs to parts
            unneeded += _leftovers(folder) + [
                path for path in (folder / ROWS_NAME, folder / KEYS_NAME) if path.exists()
            ]
            unneeded += [folder / CACHE_NAME] if scan and (folder / CACHE_NAME).exists() else []
            return _remove(unneeded)
    except OSError as error:
        reason = safe_text(reason_of(error))
        raise UserError(
            tr("{folder} cannot be cleaned: {reason}.", folder=safe_text(folder), reason=reason)
        ) from error


@contextmanager
def _waiting(file: Path, doing: str, progress: Progress, shared: bool = False) -> Iterator[None]:
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(file, doing, shared))
                break
            except UserError:  # held by another process
                progress(tr("wait for another process"), 0, 0)
                time.sleep(_POLL_SECONDS)
        yield


def _free_folder(workspace: Workspace, path: Path) -> Path:
    own = _inside_workspace(workspace, path)
    if own is not None and not (own / SOURCE_NAME).exists():
        return own
    stem = _safe_name(own.name if own else path.stem if path.is_file() else path.name)
    for number in range(1, 1_000_000):
        folder = workspace.data / (stem if number == 1 else f"{stem}-{number}")
        if not folder.exists():
            return folder
    raise AssertionError("a million data sets of one name")


def _inside_workspace(workspace: Workspace, path: Path) -> Path | None:
    """Return the data folder in whose source/ the catalogue keeps this source, if it does."""
    parts = path.relative_to(workspace.data).parts if path.is_relative_to(workspace.data) else ()
    return workspace.data / parts[0] if len(parts) > 1 and parts[1] == "source" else None


def _safe_name(name: str) -> str:
    """Keep letters, digits, dots and hyphens, which every file system and shell accepts."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return plain[:_MAX_NAME].rstrip("-._") or "data"


def _folders(workspace: Workspace) -> list[Path]:
    if not workspace.data.is_dir():
        return []
    entries = (entry for entry in workspace.data.iterdir() if entry.is_dir())
    return sorted(e for e in entries if (e / SOURCE_NAME).exists() or (e / "source").is_dir())


def _known(workspace: Workspace, name: str) -> Path:
    names = [folder.name for folder in _folders(workspace)]
    if name not in names:
        raise UserError(
            tr(
                "There is no data set {name} in {data}.",
                name=safe_text(name),
                data=safe_text(workspace.data),
            ),
            tr("There is {choices}.", choices=format_choices(names))
            if names
            else tr("None was prepared there yet."),
        )
    return workspace.data / name


def _write_source(folder: Path, source: Source) -> None:
    values = {
        "source": str(source.path),
        "resolved": str(source.path.resolve()),
        "root": str(source.root),
        "kind": source.kind,
    }
    if values != _read_source(folder):
        write_atomic(folder / SOURCE_NAME, json.dumps(values, indent=1) + "\n")


def _read_source(folder: Path) -> dict[str, str]:
    """Read source.json; {} where it is missing or damaged: a new folder is created then."""
    try:
        values = json.loads((folder / SOURCE_NAME).read_text(encoding="ascii"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {str(key): str(value) for key, value in values.items()}


def _summary(folder: Path) -> DatasetSummary:
    values = _read_source(folder)
    images = classes = None
    audit_file = folder / AUDIT_NAME
    if audit_file.exists():
        found = read_audit(audit_file)
        images, classes = found.images, len(found.counts)
    return DatasetSummary(
        name=folder.name,
        source=values.get("source", ""),
        kind=values.get("kind", ""),
        images=images,
        classes=classes,
        packs=_sizes(folder, _PACKS) | _sizes(folder, ROWS_NAME),
        features=_sizes(folder, _FEATURES),
    )


def _leftovers(folder: Path) -> list[Path]:
    return sorted({path for pattern in _TEMPORARY for path in folder.glob(pattern)})


def _remove(paths: list[Path]) -> CleanResult:
    freed = 0
    for path in paths:
        freed += path.stat().st_size
        path.unlink()
    return CleanResult(freed, tuple(path.name for path in paths))


def _sizes(folder: Path, pattern: str) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.glob(pattern))}

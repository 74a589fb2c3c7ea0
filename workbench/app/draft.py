"""An experiment before its start: written to a file after every change, so a disconnect is safe.

A draft is a preset, fitted to the facts of the data, with the user's settings on top.
"""

import json
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.app.draft_writer import DraftWriter, write_file
from workbench.datasets.groups import preview_groups
from workbench.datasets.inspect_job import facts_from_dict, facts_to_dict
from workbench.datasets.store import open_in
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.fitting import fit_preset
from workbench.experiment.presets import PRESETS, preset_tree, recommend
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import flat, parse_spec, spec_tree
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import safe_text

FORMAT = 1
STEPS = ("machine", "data", "strategy", "layers")
WHERE = tr("the experiment")  # its name in error messages
# Keys that are chosen in another step, or by the preset.
FIXED = ("preset", "data.source", "model.strategy")
# Keys without a default.
OPTIONAL = ("name", "training.steps_per_epoch", "training.time_budget")
# Kept when another preset is chosen, beside the settings of the data.
KEPT = ("name", "training.gpu", "training.seed", "training.precision", "training.time_budget")
# Kept for every preset that has a base.
BASE_KEYS = ("base.name", "base.weights")
_ENDING = ".draft.json"

Tree = dict[str, Any]


@dataclass
class Draft:
    """An experiment that is not started yet.

    Attributes:
        source: the images, an absolute path; None until they are chosen.
        facts: the result of their scan.
        preset: the chosen preset; "" for the recommended one.
        settings: "training.epochs": 20, ...: the differences from the preset.
        base: the last chosen values of BASE_KEYS, kept while a preset without a base is chosen.
        completed: the completed steps.
        saved: unix seconds of the last change.
        draft_writer: writes the file in the background; None to write in the caller's thread.
    """

    workspace: Workspace
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    source: Path | None = None
    facts: DataFacts | None = None
    preset: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    completed: frozenset[str] = frozenset()
    saved: float = 0.0
    draft_writer: DraftWriter | None = None

    @property
    def path(self) -> Path:
        """The draft's file."""
        return self.workspace.drafts / f"{self.id}{_ENDING}"

    @property
    def name(self) -> str:
        """A short name of the data, safe for a terminal."""
        return safe_text(self.stem, 24) if self.source else tr("new experiment")

    @property
    def stem(self) -> str:
        """The name of a run whose spec has none, without its number."""
        return data_stem(self.workspace, self.source) if self.source else "run"

    @property
    def chosen_preset(self) -> str:
        """The preset; the recommended one until another is chosen."""
        if self.preset:
            return self.preset
        return recommend(self.facts).preset if self.facts else "convnet"

    # The resulting spec

    def spec(self) -> ExperimentSpec:
        """Return the validated spec.

        Raises:
            UserError: there are no images yet, or a setting does not fit.
        """
        return self.with_settings(self.settings)

    def error(self) -> str:
        """Return what is wrong with the settings, or ""."""
        found = self._spec_or_error(self.settings)
        return found if isinstance(found, str) else ""

    def with_settings(self, settings: Mapping[str, Any]) -> ExperimentSpec:
        """Return the spec with other settings, without changing the draft.

        Raises:
            UserError: as `spec`.
        """
        return parse_spec(self._tree(settings), WHERE)

    def defaults(self) -> dict[str, Any]:
        """Return the preset's value of every key that has an effect; {} without images."""
        # Another base has other blocks: `trainable` is the default of the chosen one.
        chosen = {k: v for k, v in self.settings.items() if k in BASE_KEYS}
        with suppress(UserError):
            values = flat(spec_tree(self.with_settings(chosen)))
            values.update({key: None for key in OPTIONAL if key not in values})
            own = flat(spec_tree(self.with_settings({})))
            return {**values, **{key: own[key] for key in chosen if key in own}}
        return {}

    def values(self) -> dict[str, Any]:
        """Return the value of every key that has an effect, invalid settings included."""
        values = self.defaults()
        with suppress(UserError):  # values that follow from the settings
            values |= flat(spec_tree(self.spec()))
        return {key: self.settings.get(key, value) for key, value in values.items()}

    def _kept(self) -> dict[str, Any]:
        """Return as many settings as fit the preset that was chosen now."""
        own = self.settings
        data = {key: value for key, value in own.items() if key.startswith("data.")}
        split = {key: value for key, value in data.items() if key.startswith("data.split.")}
        both = {**data, **{key: own[key] for key in KEPT if key in own}}
        for base in (self.base, {}):
            for candidate in (both, data, split, {}):
                with suppress(UserError):
                    self.with_settings({**candidate, **base})
                    return {**candidate, **base}
        return {}

    def _tree(self, settings: Mapping[str, Any]) -> Tree:
        if self.source is None or self.facts is None:
            raise UserError(tr("No images are chosen yet."))
        base, weights = (settings.get(key) for key in BASE_KEYS)
        own = preset_tree(self.chosen_preset, str(self.source), self.facts, base, weights)
        tree = deepcopy(own)
        for key, value in settings.items():
            put(tree, key, value)
        return fit_preset(own, tree, settings)

    def preview(self, preset: str) -> "Draft":
        """Return a copy with another preset, as `set_preset` would; nothing is written."""
        if preset == self.chosen_preset:
            return self
        other = replace(self, preset=preset)
        other.settings = other._kept()
        return other

    def preview_groups(self, pattern: str) -> list[str]:
        """Return what `data.group` would find among the images, in lines safe for a terminal."""
        try:
            return preview_groups(open_in(self.workspace, str(self.source)), pattern)
        except UserError as error:
            return [error.message]

    # Changes, each saved immediately

    def set_source(self, source: Path, facts: DataFacts | None) -> None:
        """Set the images; later steps are open again.

        `facts` is None while the scan is running.
        """
        if source != self.source or facts != self.facts:
            self.completed -= {"data", "strategy", "layers"}
        if source != self.source:
            self.settings = {k: v for k, v in self.settings.items() if not k.startswith("data.")}
        self.source, self.facts = source, facts
        if facts and not self.is_touched:
            self.settings = self._kept()
        self.save()

    @property
    def is_touched(self) -> bool:
        """Whether anything beyond the images was chosen."""
        return bool(self.preset or self.settings)

    def clear_source(self) -> None:
        """Remove images that cannot be used."""
        self.source, self.facts = None, None
        self.save()

    def set_preset(self, preset: str) -> None:
        """Choose another preset; settings that it does not have are dropped."""
        if preset == self.preset:
            return
        self.preset = preset
        self.settings = self._kept()
        self.completed -= {"strategy", "layers"}
        self.save()

    def drop_invalid_settings(self) -> str:
        """Drop settings that no longer fit; return what was wrong with them, or ""."""
        error = self.error() if self.facts else ""
        if error:
            self.settings = self._kept()
            self.save()
        return error

    def update(self, changes: Mapping[str, Any]) -> None:
        """Change keys; a value equal to the preset's own is not a setting any more."""
        settings = {**self.settings, **changes}
        if "base.name" in changes and "base.trainable" not in changes:
            settings.pop("base.trainable", None)  # the blocks of another network
        self.settings = settings
        defaults = self.defaults()
        known = {key: value for key, value in settings.items() if key in defaults}
        own = {key: value for key, value in known.items() if not _same(value, defaults[key])}
        self.settings = own if self._spec_or_error(own) == self._spec_or_error(known) else known
        if "base.name" in defaults:
            self.base = {key: self.settings[key] for key in BASE_KEYS if key in self.settings}
        self.completed -= {"strategy", "layers"}
        self.save()

    def set_spec(self, spec: ExperimentSpec) -> None:
        """Take over the settings that make this spec, which has the same preset and images."""
        new = {**dict.fromkeys(OPTIONAL), **flat(spec_tree(spec))}
        before = self.settings
        self.update({k: v for k, v in new.items() if k not in FIXED})
        for key in [key for key in self.settings if key not in before]:
            without = {name: value for name, value in self.settings.items() if name != key}
            if self._spec_or_error(without) == self._spec_or_error(
                self.settings
            ):  # it follows another
                self.settings = without
        self.save()

    def _spec_or_error(self, settings: Mapping[str, Any]) -> ExperimentSpec | str:
        """Return the spec with these settings, or what is wrong with them."""
        try:
            return self.with_settings(settings)
        except UserError as error:
            return plain_message(error)

    def complete_step(self, step: str) -> None:
        """Mark a step as completed."""
        self.completed |= {step}
        self.save()

    def save(self) -> None:
        """Write the file, directly or with the draft writer.

        Raises:
            UserError: the disk cannot be written; a draft writer reports this itself.
        """
        self.saved = time.time()
        content = {
            "format": FORMAT,
            "source": str(self.source) if self.source else None,
            "facts": facts_to_dict(self.facts) if self.facts else None,
            "preset": self.preset,
            "settings": self.settings,
            "base": self.base,
            "settled": sorted(self.completed),
            "saved": self.saved,
        }
        write = self.draft_writer.write if self.draft_writer else write_file
        write(self.path, json.dumps(content, indent=1))

    def discard(self) -> None:
        """Remove the file."""
        if self.draft_writer:
            self.draft_writer.remove(self.path)
        else:
            self.path.unlink(missing_ok=True)


def newest_draft(workspace: Workspace, draft_writer: DraftWriter | None = None) -> Draft | None:
    """Return the draft that was changed last; damaged ones are skipped.

    The `draft_writer` of the workspace is flushed first and set in the draft.
    """
    if draft_writer:
        draft_writer.flush()
    found = [_read(workspace, path) for path in workspace.drafts.glob(f"*{_ENDING}")]
    newest = max((one for one in found if one), key=lambda one: one.saved, default=None)
    return replace(newest, draft_writer=draft_writer) if newest else None


def put(tree: Tree, key: str, value: Any) -> None:
    """Set a key such as "training.epochs" in the tables; None removes it."""
    *tables, last = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
    if value is None:
        tree.pop(last, None)
    else:
        tree[last] = value


def data_stem(workspace: Workspace, source: Path) -> str:
    """Return the name of the images: the name of a catalogue set, or of the folder or file."""
    data = workspace.data
    if source.is_relative_to(data) and source != data:  # data/digits/source
        return source.relative_to(data).parts[0]
    return source.stem


def plain_message(error: UserError) -> str:
    """Return the first line of the error, without the name of what was checked."""
    return error.message.partition("\n")[0].removeprefix(f"{WHERE}: ")


def _same(one: Any, other: Any) -> bool:
    """Compare values: a list equals a tuple, True does not equal 1."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(one) == list(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _read(workspace: Workspace, path: Path) -> Draft | None:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads(path.read_text(encoding="ascii"))
        if content["format"] != FORMAT:
            return None
        preset = str(content.get("preset") or "")
        settings, base = content.get("settings"), content.get("base")
        return Draft(
            workspace,
            id=path.name.removesuffix(_ENDING),
            source=Path(content["source"]) if content.get("source") else None,
            facts=facts_from_dict(content["facts"]) if content.get("facts") else None,
            preset=preset if preset in PRESETS else "",
            settings=settings if isinstance(settings, dict) else {},
            base=base if isinstance(base, dict) else {},
            completed=frozenset(content.get("settled") or ()) & frozenset(STEPS),
            saved=float(content.get("saved") or 0.0),
        )
    return None

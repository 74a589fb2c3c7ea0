"""The experiment in the making: kept in a file after every change, so that no disconnect loses it.

A draft is a preset, fitted to the facts of the data, with settings of the person's own on top.
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

from workbench.app.draft_writer import Keeper, keep
from workbench.datasets.inspect_job import facts_as_dict, facts_from_dict
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.fitting import fitted
from workbench.experiment.presets import PRESETS, preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.strategy_texts import recommend
from workbench.experiment.toml import flat, parse_spec, spec_tree
from workbench.paths import Workspace
from workbench.text import safe_text

FORMAT = 1
STEPS = ("machine", "data", "strategy", "layers")
WHERE = "the experiment"  # what error messages call it
# Keys that another step chooses, or the preset itself.
FIXED = ("preset", "data.source", "model.strategy")
# Keys without a value unless the person gives one.
OPTIONAL = ("name", "training.steps_per_epoch")
# What is not the rung's own and stays when another rung is chosen, beside the data's settings.
KEPT = ("name", "training.gpu", "training.seed", "training.precision")
# What is taken along to every rung that has a base.
BASE_KEYS = ("base.name", "base.weights")
_ENDING = ".draft.json"

Tree = dict[str, Any]


@dataclass
class Draft:
    """An experiment that was begun and not started.

    Attributes:
        source: the images, an absolute path; None until they are chosen.
        facts: what the scan found of them.
        preset: the rung chosen; "" for the one that is recommended.
        settings: "training.epochs": 20, ...: what differs from the preset.
        base: of BASE_KEYS what was chosen last: a rung without a base does not make it forgotten.
        settled: the steps that are done with.
        saved: unix seconds of the last change.
        keeper: writes the file behind the screens; without one each change waits for the disk.
    """

    workspace: Workspace
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    source: Path | None = None
    facts: DataFacts | None = None
    preset: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()
    saved: float = 0.0
    keeper: Keeper | None = None

    @property
    def path(self) -> Path:
        """Its file."""
        return self.workspace.drafts / f"{self.id}{_ENDING}"

    @property
    def name(self) -> str:
        """What people know the data by; safe for a terminal."""
        return safe_text(self.stem, 24) if self.source else "new experiment"

    @property
    def stem(self) -> str:
        """What a nameless run is called after: its data, a set of the catalogue by its name."""
        if self.source is None:
            return "run"
        data = self.workspace.data
        if self.source.is_relative_to(data) and self.source != data:
            return self.source.relative_to(data).parts[0]
        return self.source.stem

    @property
    def chosen_preset(self) -> str:
        """The preset, the recommended one until another is chosen."""
        if self.preset:
            return self.preset
        return recommend(self.facts).preset if self.facts else "convnet"

    # What it comes to

    def spec(self) -> ExperimentSpec:
        """The checked spec.

        Raises:
            UserError: there are no images yet, or a setting does not fit, in words.
        """
        return self.with_settings(self.settings)

    def error(self) -> str:
        """What is wrong with the settings; "" where nothing is."""
        try:
            self.spec()
        except UserError as error:
            return plain_message(error)
        return ""

    def with_settings(self, settings: Mapping[str, Any]) -> ExperimentSpec:
        """The spec that other settings would make; nothing is changed.

        Raises:
            UserError: as `spec`.
        """
        return parse_spec(self._tree(settings), WHERE)

    def defaults(self) -> dict[str, Any]:
        """Every key that has an effect and what the preset says of it, {} without images."""
        # Another base has other blocks: what is told of `trainable` is told of the chosen one.
        chosen = {k: v for k, v in self.settings.items() if k in BASE_KEYS}
        with suppress(UserError):
            values = flat(spec_tree(self.with_settings(chosen)))
            values.update({key: None for key in OPTIONAL if key not in values})
            own = flat(spec_tree(self.with_settings({})))
            return {**values, **{key: own[key] for key in chosen if key in own}}
        return {}

    def values(self) -> dict[str, Any]:
        """Every key that has an effect, with its value; settings that do not fit included."""
        values = self.defaults()
        with suppress(UserError):  # what follows the settings is not what it is by itself
            values |= flat(spec_tree(self.spec()))
        return {key: self.settings.get(key, value) for key, value in values.items()}

    def _kept(self) -> dict[str, Any]:
        """The settings that still fit after another preset was chosen: as many as can be."""
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
            raise UserError("No images are chosen yet.")
        base, weights = (settings.get(key) for key in BASE_KEYS)
        own = preset_tree(self.chosen_preset, str(self.source), self.facts, base, weights)
        tree = deepcopy(own)
        for key, value in settings.items():
            put(tree, key, value)
        return fitted(own, tree, settings)

    def preview(self, preset: str) -> "Draft":
        """The same experiment on another rung, as `take_preset` would make it; nothing is kept."""
        if preset == self.chosen_preset:
            return self
        other = replace(self, preset=preset)
        other.settings = other._kept()
        return other

    # Changes, each saved at once

    def take_source(self, source: Path, facts: DataFacts | None) -> None:
        """Other images; what was settled beyond them is open again.

        Args:
            facts: None while the scan is at work.
        """
        if source != self.source or facts != self.facts:
            self.settled -= {"data", "strategy", "layers"}
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

    def forget_source(self) -> None:
        """Images that cannot be used are images no more."""
        self.source, self.facts = None, None
        self.save()

    def take_preset(self, preset: str) -> None:
        """Another rung; settings that it does not know are dropped."""
        if preset == self.preset:
            return
        self.preset = preset
        self.settings = self._kept()
        self.settled -= {"strategy", "layers"}
        self.save()

    def mend(self) -> str:
        """Drops settings that fit no more; what was wrong with them, "" where nothing was."""
        error = self.error() if self.facts else ""
        if error:
            self.settings = self._kept()
            self.save()
        return error

    def take(self, changes: Mapping[str, Any]) -> None:
        """Sets keys; what is the preset's own value is no setting any more."""
        settings = {**self.settings, **changes}
        if "base.name" in changes and "base.trainable" not in changes:
            settings.pop("base.trainable", None)  # the blocks of another network
        self.settings = settings
        defaults = self.defaults()
        known = {key: value for key, value in settings.items() if key in defaults}
        own = {key: value for key, value in known.items() if not _same(value, defaults[key])}
        self.settings = own if self._meaning(own) == self._meaning(known) else known
        if "base.name" in defaults:
            self.base = {key: self.settings[key] for key in BASE_KEYS if key in self.settings}
        self.settled -= {"strategy", "layers"}
        self.save()

    def take_spec(self, spec: ExperimentSpec) -> None:
        """The settings that make this spec, which grew from the same preset and images."""
        new = {**dict.fromkeys(OPTIONAL), **flat(spec_tree(spec))}
        before = self.settings
        self.take({k: v for k, v in new.items() if k not in FIXED})
        for key in [key for key in self.settings if key not in before]:
            without = {name: value for name, value in self.settings.items() if name != key}
            if self._meaning(without) == self._meaning(self.settings):  # it follows another one
                self.settings = without
        self.save()

    def _meaning(self, settings: Mapping[str, Any]) -> ExperimentSpec | str:
        """The spec that settings make, or what is wrong with them."""
        try:
            return self.with_settings(settings)
        except UserError as error:
            return plain_message(error)

    def settle(self, step: str) -> None:
        """A step is done with."""
        self.settled |= {step}
        self.save()

    def save(self) -> None:
        """Writes the file whole, or has the keeper do it.

        Raises:
            UserError: the disk cannot be written; a keeper tells the app instead.
        """
        self.saved = time.time()
        told = {
            "format": FORMAT,
            "source": str(self.source) if self.source else None,
            "facts": facts_as_dict(self.facts) if self.facts else None,
            "preset": self.preset,
            "settings": self.settings,
            "base": self.base,
            "settled": sorted(self.settled),
            "saved": self.saved,
        }
        write = self.keeper.write if self.keeper else keep
        write(self.path, json.dumps(told, indent=1))

    def discard(self) -> None:
        """Takes the file away."""
        if self.keeper:
            self.keeper.remove(self.path)
        else:
            self.path.unlink(missing_ok=True)


def newest_draft(workspace: Workspace, keeper: Keeper | None = None) -> Draft | None:
    """The draft that was changed last; damaged ones are passed over.

    Args:
        keeper: what writes drafts of this workspace; it will write the one that is returned too.
    """
    if keeper:
        keeper.flush()
    found = [_read(workspace, path) for path in workspace.drafts.glob(f"*{_ENDING}")]
    newest = max((one for one in found if one), key=lambda one: one.saved, default=None)
    return replace(newest, keeper=keeper) if newest else None


def put(tree: Tree, key: str, value: Any) -> None:
    """Sets "training.epochs" in the tables; None takes it away."""
    *tables, last = key.split(".")
    for table in tables:
        tree = tree.setdefault(table, {})
    if value is None:
        tree.pop(last, None)
    else:
        tree[last] = value


def plain_message(error: UserError) -> str:
    """The first line of what is wrong, without the name of what was checked."""
    return error.message.partition("\n")[0].removeprefix(f"{WHERE}: ")


def _same(one: Any, other: Any) -> bool:
    """Lists and tuples alike; true is not 1."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(one) == list(other)
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _read(workspace: Workspace, path: Path) -> Draft | None:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        told = json.loads(path.read_text(encoding="ascii"))
        if told["format"] != FORMAT:
            return None
        preset = str(told.get("preset") or "")
        settings, base = told.get("settings"), told.get("base")
        return Draft(
            workspace,
            id=path.name.removesuffix(_ENDING),
            source=Path(told["source"]) if told.get("source") else None,
            facts=facts_from_dict(told["facts"]) if told.get("facts") else None,
            preset=preset if preset in PRESETS else "",
            settings=settings if isinstance(settings, dict) else {},
            base=base if isinstance(base, dict) else {},
            settled=frozenset(told.get("settled") or ()) & frozenset(STEPS),
            saved=float(told.get("saved") or 0.0),
        )
    return None

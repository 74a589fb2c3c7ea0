"""Drafts and their files."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.app import draft_writer as writer_module
from workbench.app.draft import Draft, newest_draft
from workbench.app.draft_writer import DraftWriter
from workbench.errors import UserError
from workbench.experiment.presets import BOOK_FACTS, PRESETS
from workbench.paths import Workspace

FEW = replace(BOOK_FACTS, smallest_class=300, images=600)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def draft(workspace):
    made = Draft(workspace)
    made.set_source(Path("/photos/pets"), FEW)
    return made


def test_a_new_draft_has_no_spec_and_an_error(workspace):
    draft = Draft(workspace)
    assert draft.error() == "No images are chosen yet."
    assert draft.values() == {}


def test_it_starts_with_the_recommended_preset(draft):
    assert draft.chosen_preset == "linear-probe"
    assert draft.spec().preset == "linear-probe"
    assert draft.spec().data.source == "/photos/pets"


def test_every_change_is_on_disk(draft, workspace):
    draft.set_preset("fine-tuning")
    draft.update({"training.epochs": 7})
    draft.complete_step("data")
    again = newest_draft(workspace)
    assert again == draft
    assert again.spec().training.epochs == 7


def test_damaged_and_foreign_files_are_skipped(draft, workspace):
    drafts = workspace.drafts
    (drafts / "a.draft.json").write_text("{")
    (drafts / "b.draft.json").write_text('{"format": 99}')
    (drafts / "c.draft.json").write_text("[]")
    (drafts / "d.draft.json").write_bytes(b"\xff\xfe")
    (drafts / "e.draft.json").write_text(json.dumps({"format": 1, "facts": {"images": "?"}}))
    assert newest_draft(workspace) == draft
    draft.discard()
    assert newest_draft(workspace) is None


def test_the_newest_is_returned(draft, workspace):
    later = Draft(workspace)
    later.set_source(Path("/photos/flowers"), FEW)
    assert newest_draft(workspace).id == later.id


def test_the_presets_own_value_is_no_setting(draft):
    draft.set_preset("feature-extraction")
    epochs = draft.defaults()["training.epochs"]
    draft.update({"training.epochs": epochs + 1})
    assert draft.settings == {"training.epochs": epochs + 1}
    draft.update({"training.epochs": epochs})
    assert draft.settings == {}


def test_a_setting_that_does_not_fit_is_described(draft):
    with pytest.raises(UserError, match=r"training.batch_size: received 0; allowed"):
        draft.with_settings({"training.batch_size": 0})
    draft.settings = {"training.batch_size": 0}
    assert draft.error().startswith("training.batch_size: received 0")


def test_another_base_brings_its_own_blocks(draft):
    draft.set_preset("fine-tuning")
    draft.update({"base.trainable": ["block4", "block5"]})
    draft.update({"base.name": "mobilenetv2-1.0"})
    assert draft.settings == {"base.name": "mobilenetv2-1.0"}
    assert "top" in draft.spec().base.trainable


def test_another_preset_keeps_the_split_and_drops_unknown_settings(draft):
    split = {"data.split.train": 0.5, "data.split.validation": 0.25, "data.split.test": 0.25}
    draft.update({**split, "training.epochs": 3, "base.preprocessing": "rescale"})
    draft.set_preset("convnet")
    assert draft.settings == split
    assert not draft.error()


def test_base_and_weights_are_kept_for_every_preset_with_a_base(draft, workspace):
    base = {"base.name": "mobilenetv2-1.0", "base.weights": "/w.h5"}
    draft.set_preset("feature-extraction")
    draft.update({**base, "training.learning_rate": 0.01})
    draft.set_preset("convnet")
    assert draft.settings == {}
    assert newest_draft(workspace) == draft
    draft.set_preset("fine-tuning")
    assert draft.settings == base
    draft.update({"base.name": "vgg16", "base.weights": "imagenet"})
    draft.set_preset("feature-extraction")
    assert draft.settings == {}  # the preset's own again


def test_a_base_that_was_there_before_is_taken_with_the_first_facts(workspace):
    draft = Draft(workspace, base={"base.weights": "/w.h5"})
    draft.set_source(Path("/photos/pets"), FEW)
    assert draft.settings == {"base.weights": "/w.h5"}


def test_a_preset_that_excludes_data_settings_keeps_the_split(draft):
    draft.set_preset("convnet")
    draft.update({"data.channels": 1, "data.split.seed": 5})
    draft.set_preset("feature-extraction")  # reads three channels
    assert draft.settings == {"data.split.seed": 5}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_fits_with_what_was_set_before(draft, preset):
    draft.update({"data.image_size": [64, 64], "name": "mine"})
    assert not draft.preview(preset).error()
    assert draft.chosen_preset == "linear-probe"


def test_a_changed_spec_comes_back_as_settings(draft, workspace):
    draft.set_preset("fine-tuning")
    spec = draft.spec()
    base = spec.base.model_copy(update={"trainable": ("block4", "block5")})
    changed = spec.model_copy(update={"base": base})
    draft.set_spec(changed)
    assert draft.settings == {"base.trainable": ["block4", "block5"]}
    assert draft.spec() == changed


def test_settings_that_no_longer_fit_are_dropped_and_named(draft):
    draft.update({"data.split.seed": 5})
    draft.settings = {**draft.settings, "training.batch_size": -1}
    assert draft.drop_invalid_settings().startswith("training.batch_size: received -1")
    assert draft.settings == {"data.split.seed": 5}
    assert draft.drop_invalid_settings() == ""


def test_other_images_open_the_later_steps_again(draft):
    for step in ("data", "strategy", "layers"):
        draft.complete_step(step)
    draft.set_source(Path("/photos/flowers"), FEW)
    assert draft.completed == frozenset()


def test_a_set_of_the_catalogue_gives_its_name(workspace):
    draft = Draft(workspace, source=workspace.data / "digits" / "source")
    assert draft.stem == "digits"


def test_a_hostile_source_is_shown_safely_and_read_again(workspace):
    draft = Draft(workspace)
    draft.set_source(Path(os.fsdecode(b"/x/[/oops]\x1b[31m\xff\n")), None)
    assert "\x1b" not in draft.name
    assert newest_draft(workspace).source == draft.source


def test_a_full_disk_is_described(workspace):
    workspace.runs.write_text("a file where a folder should be")
    with pytest.raises(UserError, match="cannot be written"):
        Draft(workspace).save()


def no_error(message: str) -> None:
    raise AssertionError(message)


def test_everything_is_written_after_a_flush(tmp_path: Path) -> None:
    writer = DraftWriter(no_error)
    writer.flush()  # nothing to wait for
    kept, gone = tmp_path / "new" / "kept", tmp_path / "gone"
    gone.write_text("old")
    writer.write(kept, "text")
    writer.remove(gone)
    writer.remove(tmp_path / "was never there")
    writer.flush()
    assert kept.read_text() == "text"
    assert not gone.exists()


def test_nobody_waits_and_the_last_text_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = threading.Event(), threading.Event()
    written: list[str] = []

    def slow(path: Path, text: str) -> None:
        began.set()
        go.wait()
        written.append(text)

    monkeypatch.setattr(writer_module, "write_file", slow)
    writer = DraftWriter(no_error)
    writer.write(tmp_path, "first")
    began.wait()
    for text in ("second", "third"):
        writer.write(tmp_path, text)
    assert written == []
    go.set()
    writer.flush()
    assert written == ["first", "third"]


def test_an_error_is_shown_and_ends_nothing(tmp_path: Path) -> None:
    errors: list[str] = []
    writer = DraftWriter(errors.append)
    (tmp_path / "file").write_text("")
    writer.write(tmp_path / "file" / "below\x1b", "text")
    writer.flush()
    [message] = errors
    assert message.startswith(f"{tmp_path}/file/below")
    assert message.endswith(" cannot be written: File exists.")
    assert "\x1b" not in message
    writer.write(tmp_path / "other", "text")
    writer.flush()
    assert (tmp_path / "other").read_text() == "text"

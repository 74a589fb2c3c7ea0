"""Screens in Korean against the text that was kept; in a process of its own.

`test_korean_screens.py` runs them: a language is chosen once per process.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from screen_cases import CASES
from test_snapshots import (
    UPDATE,
    _fake_machine,
    assert_fits,
    clock,
    compare,
    draft,
    show,
    workspace,
)
from textual.app import SystemCommand

from workbench.app.draft import Draft
from workbench.app.relabel import Relabeling
from workbench.content.concepts import CONCEPTS
from workbench.runs.folder import RunFolder
from workbench.ui.commands import TITLES
from workbench.ui.palette import _plain, _score

__all__ = ["_fake_machine", "clock", "draft", "workspace"]  # fixtures
KEPT = Path(__file__).parent / "snapshots_ko"
HINT = f"Changed on purpose? {UPDATE}=1 python -m pytest tests/ui/test_korean_screens.py"
SIZE = (80, 24)
# What each shows once it is drawn, in any language.
SCREENS = {
    "home": ("cats-dogs-12",),
    "machine": ("alice python",),
    "data": ("cat-0.bmp",),
    "strategy": ("convnet", "CPU"),
    "layers": ("block1", "VGG16", "adamw"),
    "results": ("0.8533", "0.9328"),
    "review": ("▀▀▀▀", "dogs"),
    "train": ("0.942", "54"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_in_korean_is_as_it_was_kept_and_fits(name: str, draft: Draft) -> None:
    case = replace(CASES[name], words=SCREENS[name], key="", more=())
    [shown] = show(case, draft, SIZE, running="cats-dogs-12")
    compare(name, shown.text, KEPT, HINT)
    assert_fits(shown, SIZE)


@pytest.mark.parametrize("size", [(110, 32), (200, 50)])
def test_the_picture_of_a_network_fits_in_korean(draft: Draft, size: tuple[int, int]) -> None:
    case = replace(CASES["layers"], words=SCREENS["layers"])
    [shown] = show(case, draft, size, running="cats-dogs-12")
    assert [cell_len(line) for line in shown.lines] == [size[0]] * size[1]
    text = "\n".join(shown.lines)
    assert "…" not in text
    assert "파라미터마다 이미지당 약 25,515번 쓰임" in text
    # Numbers stand below the end of their title, bars behind them.
    title, block5 = (next(x for x in shown.lines if w in x) for w in ("파라미터", "] ▸ block5"))
    assert cell_len(title.partition("파라미터")[0]) + 8 == cell_len(block5.partition(" █")[0])


def test_the_log_beside_the_coach_does_not_wrap_in_korean(draft: Draft) -> None:
    case = replace(CASES["train-finished"], words=("0.943", "54"))
    [shown] = show(case, draft, (120, 40), running="cats-dogs-12")
    [title] = (line for line in shown.lines if "검증 손실" in line)
    [best] = (line for line in shown.lines if " 최적 " in line and "1.0e-05" in line)
    assert title.rstrip().endswith("학습률        시간")
    assert best.rstrip().endswith("54초")


def test_label_fixes_lie_beside_the_data_in_any_language(draft: Draft) -> None:
    CASES["review"].arguments(draft)
    marking = Relabeling(draft.workspace, RunFolder(draft.workspace.runs / "pets-1"))
    assert [fix.label for fix in marking.entries()] == ["dogs"]


@pytest.mark.parametrize("query", ["활성화", "activation", "설명", "explain", "머신 점검"])
def test_commands_are_found_by_words_of_both_languages(query: str) -> None:
    concept = CONCEPTS["activation"]
    commands = (
        SystemCommand(f"설명: {concept.label}", concept.title, print),
        SystemCommand(TITLES["machine"], "", print),
    )
    found = [_score(_plain(query).split(), one) > 0 for one in commands]
    assert found == ([False, True] if query == "머신 점검" else [True, False])

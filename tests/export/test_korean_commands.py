"""Commands in Korean, each in a process of its own: a language is chosen once per process."""

import subprocess
import sys
from pathlib import Path

import pytest
from page_reader import Page
from recorded_run import recorded_run
from rich.cells import cell_len

from workbench.paths import Workspace


def in_korean(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", "--lang", "ko", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_report_follows_the_language(workspace: Workspace, tmp_path: Path) -> None:
    recorded_run(workspace)
    page = tmp_path / "page.html"
    done = in_korean("--workspace", str(workspace.root), "report", "pets-1", "--out", str(page))
    assert done.returncode == 0, done.stderr
    found = Page(page.read_text("utf-8"))
    assert found.elements[0] == ("html", {"lang": "ko"})
    titles = ("결과", "곡선", "층", "혼동", "가장 큰 오류", "데이터", "기록", "머신과 버전", "명세")
    assert [word in found.text for word in titles] == [True] * len(titles)
    for words in (
        "pets에서 convnet: 끝남",
        "테스트 정확도",
        "0.1000~0.9000",
        "dog로 예측, 확률 75%",
    ):
        assert words in found.text, words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("bogus",), "오류: 그런 명령이 없습니다: 'bogus'."),
        (("runs", "--limit", "0"), "오류: '--limit'의 값이 잘못되었습니다: 받은 값은 0"),
    ],
)
def test_usage_errors_are_translated(words: tuple[str, ...], expected: str) -> None:
    done = in_korean(*words)
    assert done.returncode == 2
    assert expected in done.stderr


def test_help_is_translated_and_as_wide_as_the_terminal() -> None:
    done = in_korean("--help-all")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(("사용법:", "옵션:", "명령:"))]
    assert not [line for line in lines if line.startswith(("Usage", "Options", "Commands"))]
    examples = ("  workbench ", "  $ ")  # as they are typed
    assert max(cell_len(line) for line in lines if not line.startswith(examples)) <= 80
    assert any(cell_len(line) > 74 and len(line) < 60 for line in lines)  # a full line of Korean
    [usage, _, about, *_] = in_korean("stop", "--help").stdout.splitlines()
    assert usage == "사용법: workbench stop [OPTIONS] [RUN]"
    assert about.strip() == "체크포인트를 저장하고 끝내라고 실행에 요청합니다(`resume`으로 계속)."


def test_label_fixes_find_their_run(workspace: Workspace) -> None:
    recorded_run(workspace)
    done = in_korean("--workspace", str(workspace.root), "relabel", "pets-1", "--list")
    assert f"{workspace.root}/pets" in done.stderr  # never prepared here: its spec was read

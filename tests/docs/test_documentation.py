"""The reference has exactly what the code has, and every link of every page leads somewhere."""

import dataclasses
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import click
import generate
import pytest
import schemas
from join_pictures import Frame, join
from pydantic import BaseModel

from workbench.cli import workbench
from workbench.content.concepts import read_concepts
from workbench.experiment.presets import PRESETS
from workbench.experiment.spec_keys import keys
from workbench.runs import events
from workbench.runs.folder import RunFolder
from workbench.runs.folder import _Path as FolderPath
from workbench.settings import Settings
from workbench.ui.bindings import MEANINGS, binding_owners, import_screens, own_bindings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CODE = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "workbench").rglob("*.py")))


def sections(page: str, level: int = 2) -> dict[str, str]:
    """Return the texts below the headings of a level, up to the next one as high."""
    mark = "#" * level
    parts = re.split(rf"^(?=#{{2,{level}}} )", page, flags=re.M)
    return {
        part.split("\n")[0].removeprefix(f"{mark} "): part
        for part in parts
        if part.startswith(f"{mark} ")
    }


def first_cells(text: str) -> set[str]:
    """Return what stands in backticks at the beginning of the rows of tables."""
    rows = re.findall(r"^\| ((?:[^|\\]|\\.)*) \|", text, re.M)
    return {cell.replace("\\|", "|") for row in rows for cell in re.findall(r"`([^`]+)`", row)}


# --- everything has a place, and nothing else -------------------------------------------------


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from commands(f"{name} {one.name}", one)


def test_commands_and_their_options() -> None:
    found = sections(generate.commands_page())
    expected = dict(commands("workbench", workbench))
    assert set(found) == set(expected)
    for name, command in expected.items():
        options = {
            opt
            for one in command.get_params(click.Context(command))
            if isinstance(one, click.Option) and not one.hidden
            for opt in (*one.opts, *one.secondary_opts)
        }
        words = re.findall(r"(?<![\w-])--?[a-z][\w-]*", " ".join(first_cells(found[name])))
        assert set(words) == options, name


def test_keys_of_the_spec() -> None:
    page = generate.REFERENCE["spec"]()
    assert first_cells(page) == set(keys())
    without = re.findall(r"^\| `([\w.]+)` \| (?:.* \| )?\|$", page, re.M)
    assert not without, "keys without a description"
    for row in (
        "| `training.batch_size` | integer 1 to ",
        '| `data.resize` | `"stretch"`, `"crop"`, `"pad"` | `"stretch"` | ',
        "| `data.image_size` | list of 2, each integer 8 to 1,024 | `[150, 150]` | ",
        "| `data.source` | string | required | ",
        "| `name` | string | left out | ",
    ):
        assert f"\n{row}" in page


def test_presets() -> None:
    found = sections(generate.REFERENCE["presets"]())
    assert set(found) == set(PRESETS)
    for name, preset in PRESETS.items():
        assert preset.does in found[name]
        assert preset.expect in found[name]


def test_events_and_their_fields() -> None:
    page = generate.REFERENCE["events"]()
    found = sections(page)
    kinds = {kind.event: kind for kind in (*get_args(events.Known), events.Interrupted)}
    source = "".join(path.read_text("utf-8") for path in Path(events.__file__).parent.glob("*.py"))
    assert kinds.keys() == set(re.findall(r'^    event: Literal\["(\w+)"\]', source, re.M))
    assert set(found) == {*kinds, "Objects", "status.json"}
    common = fields(events.Event)
    for name, kind in kinds.items():
        assert first_cells(found[name]) == fields(kind) - common
    objects = sections(page, 3)
    assert {"ChosenGpu", "CheckedLayer", "GpuUse"} <= set(objects)
    for name, text in objects.items():
        assert first_cells(text) == fields(getattr(events, name))


def fields(kind: type[Any]) -> set[str]:
    return {one.name for one in dataclasses.fields(kind)}


def test_what_the_status_holds() -> None:
    assert set(schemas.status_kinds()) == {"preparing", "evaluating", "progress", "machine"}
    listed = sections(generate.REFERENCE["events"]())["status.json"]
    assert set(re.findall(r"\[(\w+)\]\(#\w+\)", listed)) == set(schemas.status_kinds())


def settings_keys(model: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation))
                 if isinstance(one, type) and issubclass(one, BaseModel)]  # fmt: skip
        mapping = get_origin(field.annotation) in (dict, Mapping)
        if not inner:
            yield place + name
        for one in inner:
            yield from settings_keys(one, f"{place}{name}.{'NAME.' if mapping else ''}")


def test_settings() -> None:
    page = generate.REFERENCE["settings"]()
    assert first_cells(page) == set(settings_keys(Settings))
    assert not re.findall(r"^\| `([\w.]+)` \|.*\|  \|$", page, re.M), (
        "settings without a description"
    )


def test_key_bindings() -> None:
    found = sections(generate.REFERENCE["keys"]())
    meanings = found.pop("All keys")
    for key, (meaning, _) in MEANINGS.items():
        assert f"| `{generate.key_name(key)}` | {meaning} |" in meanings
    import_screens()
    bound = {
        (one.id, generate.key_name(key))
        for owner in binding_owners()
        if not owner.__module__.startswith("test")
        for one in own_bindings(owner)
        for key in one.key.split(",")
    }
    listed = set()
    for text in found.values():
        for keys_cell, name in re.findall(r"^\| (`.*?`) \| .* \| `([\w.-]+)` \|$", text, re.M):
            listed |= {
                (name, key.replace("\\|", "|")) for key in re.findall(r"`([^`]+)`", keys_cell)
            }
    assert listed == bound
    assert {("stop", "x"), ("back", "escape"), ("concepts", "?"), ("open", "enter")} <= listed
    assert {"home", "train", "settings"} <= set(found)


@pytest.mark.parametrize("language", generate.CONCEPTS_IN)
def test_concepts(language: str) -> None:
    concepts = read_concepts(language)
    for name, concept in concepts.items():
        page = generate.concept_page(name, language)
        assert page.startswith(f"# {concept.title}\n\n{concept.text}")
        assert concept.picture in page
        assert set(re.findall(r"\(([\w-]+)\.md\)", page)) >= set(concept.related)
    listed = re.findall(r"^[\w-]+$", generate.concepts_index(language), re.M)
    assert sorted(listed) == sorted(concepts)


def test_environment_variables() -> None:
    page = (DOCS / "reference/environment.md").read_text("utf-8")
    of_shells = "WORKBENCH_COMPLETE"  # what `workbench completion` prints sets it
    of_people = r"(?<!_)WORKBENCH_[A-Z_]*[A-Z]"  # one with a "_" before is the program's own
    used = set(re.findall(of_people, CODE)) - {of_shells}
    assert {one for one in first_cells(page) if one.startswith("WORKBENCH_")} == used


def test_exit_codes() -> None:
    page = (DOCS / "reference/exit-codes.md").read_text("utf-8")
    codes = set(re.findall(r"^EXIT_\w+ = (\d+)(?![.\d])", CODE, re.M))
    assert set(re.findall(r"^\| (\d+) \|", page, re.M)) == {"0", *codes}


def test_files_of_a_run() -> None:
    page = (DOCS / "reference/folders.md").read_text("utf-8")
    run = RunFolder(Path("run"))
    paths = [name for name, one in vars(RunFolder).items() if isinstance(one, FolderPath)]
    names = {getattr(run, name).relative_to("run").parts[0] for name in paths}
    assert {"spec.toml", "events.jsonl", "control"} <= names
    assert {name for name in names if name not in page} == set()


def test_generated_pages_are_not_committed() -> None:
    listed = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    ignored = {line for line in listed if line.startswith("/docs/")}
    expected = {f"/docs/reference/{name}.md" for name in generate.REFERENCE}
    concepts = {f"/docs/{generate.concepts_place(language)}/" for language in generate.CONCEPTS_IN}
    assert ignored == expected | concepts


# --- links ------------------------------------------------------------------------------------

LINK = re.compile(r"!?\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(([^)\s]+)\)")
DIRECTIVE = re.compile(r"^```\{(?:image|figure|include)\} (\S+)$", re.M)


@pytest.fixture(scope="module")
def pages() -> list[Path]:
    """Every page in Markdown: those of the repository, and those that are generated."""
    generate.write_pages(DOCS)
    done = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    written = [ROOT / line for line in done.stdout.splitlines()]
    shown = {*written, *DOCS.rglob("*.md")}
    return sorted(page for page in shown if page.exists())


def targets(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    directives = DIRECTIVE.findall(text)
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.DOTALL)
    return [*LINK.findall(re.sub(r"`[^`\n]*`", "", text)), *directives]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_link_leads_somewhere(pages: list[Path]) -> None:
    assert {ROOT / "README.md", DOCS / "index.md", DOCS / "reference/keys.md"} <= set(pages)
    broken, links = [], 0
    for page in pages:
        for target in targets(page):
            links += 1
            path, _, anchor = target.partition("#")
            place = (page.parent / path) if path else page
            if re.match(r"[a-z]+:", target):
                good = bool(re.fullmatch(r"https?://[\w-]+(\.[\w-]+)*\.[a-z]+(/\S*)?", target))
            else:
                good = place.exists() and (not anchor or anchor in anchors(place))
            if not good:
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken
    assert links > 100


NAMED_FILE = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|toml|md))?)`")


def test_files_of_the_code_that_pages_name_are_there(pages: list[Path]) -> None:
    for_developers = [ROOT / "CONTRIBUTING.md", DOCS / "explanation/architecture.md"]
    assert set(for_developers) <= set(pages)
    named = {
        name for page in for_developers for name in NAMED_FILE.findall(page.read_text("utf-8"))
    }
    missing = [
        one for one in named if not any((at / one).exists() for at in (ROOT, ROOT / "workbench"))
    ]
    assert not missing
    assert len(named) > 20


# --- the picture that moves -------------------------------------------------------------------


def test_each_frame_is_shown_for_its_seconds() -> None:
    svg = '<svg viewBox="0 0 9 9">{}</svg>'
    joined = join([Frame(svg.format("one"), 1.0), Frame(svg.format("two"), 3.0)])
    assert ".frame { visibility: hidden; animation: 4s step-end infinite; }" in joined
    assert "frame-0 { 0.000% { visibility: visible; } 25.000% { visibility: hidden; } }" in joined
    assert "25.000% { visibility: visible; } 100.000% { visibility: hidden; } }" in joined
    assert joined.index("one") < joined.index("two")
    with pytest.raises(ValueError, match="screenshots of one size are expected"):
        join([Frame(svg.format(""), 1.0), Frame('<svg viewBox="0 0 9 8"></svg>', 1.0)])

"""The catalogue of translations: what the product says, and what it is in other languages.

    python tools/messages.py                    read the code, update the .po files, compile them
    python tools/messages.py missing [ko]       what has no translation, as JSON by file
    python tools/messages.py import FILE [ko]   take translations from JSON: {"English": "..."}

A plural is found by its form for one: "{count:,} image". The .po files are for people; without line
numbers and in the order of the code, so that changes of two branches meet in few places.
"""

import argparse
import ast
import json
import string
import sys
from collections.abc import Mapping
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

ROOT = Path(__file__).parents[1]
PRODUCT = ROOT / "workbench"
FOLDER = PRODUCT / "content" / "locale"
LANGUAGE = "ko"
WIDTH = 100
Message = str | tuple[str, str]


def messages_of(source: str) -> tuple[list[Message], list[str]]:
    """Return what a module translates, in its order: sentences, and plurals as (one, many).

    Returns:
        The messages, and the calls whose text is no literal, so that the catalogue cannot have it.
    """
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    found: dict[Message, None] = {}
    unknown = []
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        texts = {"tr": call.args[:1], "plural": call.args[1:]}.get(name, [])
        literals = [text.value for text in texts if isinstance(text, ast.Constant)]
        if len(literals) < len(texts):
            unknown.append(f"line {call.lineno}: {ast.unparse(call)}")
        elif name == "tr" and texts:
            found[literals[0]] = None
        elif texts:
            one, many = [*literals, f"{literals[0]}s"][:2]
            found[f"{{count:,}} {one}", f"{{count:,}} {many}"] = None
    return list(found), unknown


def extract() -> tuple[dict[str, list[Message]], list[str]]:
    """Return what each file of the product translates, and the places that `messages_of` names."""
    found, unknown = {}, []
    for path in sorted(PRODUCT.rglob("*.py")):
        place = str(path.relative_to(PRODUCT))
        messages, wrong = messages_of(path.read_text(encoding="utf-8"))
        unknown += [f"{place}, {line}" for line in wrong]
        if messages:
            found[place] = messages
    for path in sorted(PRODUCT.rglob("*.j2")):
        if texts := template_texts(path.read_text(encoding="utf-8")):
            found[str(path.relative_to(PRODUCT))] = texts
    for place, texts in kept_texts().items():
        found[place] = list(dict.fromkeys([*found.get(place, []), *texts]))
    return found, unknown


def template_texts(source: str) -> list[Message]:
    """Return what a Jinja template translates, in its order."""
    calls = extract_from_ast(Environment().parse(source), ("tr",))
    texts = [text[0] if isinstance(text, tuple) else text for _, _, text in calls]
    return list(dict.fromkeys(text for text in texts if text))


def kept_texts() -> dict[str, list[Message]]:
    """Return what is kept for people: titles of presets, descriptions of keys, texts of --help."""
    from workbench.cli import workbench
    from workbench.cli.usage import help_texts
    from workbench.experiment.presets import PRESETS
    from workbench.experiment.spec import ExperimentSpec

    presets = [
        text for one in PRESETS.values() for text in (one.title, one.does, one.choose, one.expect)
    ]
    schema = ExperimentSpec.model_json_schema()
    tables = [schema, *schema["$defs"].values()]
    keys = [key.get("description", "") for one in tables for key in one["properties"].values()]
    helps = [text for _, _, text in help_texts(workbench)]
    places = {
        "experiment/presets/*.toml": presets,
        "experiment/*section*.py": keys,
        "cli/*.py": helps,
    }
    return {place: list(dict.fromkeys(filter(None, texts))) for place, texts in places.items()}


def po_path(language: str) -> Path:
    """Return the file of a language that people edit."""
    return FOLDER / language / "LC_MESSAGES" / "workbench.po"


def read_catalogue(language: str) -> Catalog:
    """Return the translations of a language; none if it has no file yet."""
    path = po_path(language)
    if not path.exists():
        return Catalog(language, domain="workbench")
    with path.open("rb") as file:
        return read_po(file, language, domain="workbench")


def translations(catalogue: Catalog) -> dict[str, str]:
    """Return what is translated, plurals by their form for one."""
    found = {}
    for message in catalogue:
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and all(forms):
            found[_key(message.id)] = forms[0]
    return found


def _key(message: Message) -> str:
    return message if isinstance(message, str) else message[0]


def placeholders(sentence: str) -> list[str] | None:
    """Return the names of the values in a sentence; None if its braces are no placeholders."""
    try:
        parts = list(string.Formatter().parse(sentence))
    except ValueError:
        return None
    return sorted({name for _, name, _, _ in parts if name is not None})


def problem(english: str, translation: str) -> str:
    """Return what makes a translation unusable, "" if nothing does."""
    wanted, given = placeholders(english), placeholders(translation)
    if wanted is not None and given != wanted:
        return f"placeholders {given} instead of {wanted}"
    if english.count("\n") != translation.count("\n"):
        return "another number of lines"
    for where, edge in (("before", 0), ("after", -1)):
        if english[edge].isspace() != translation[edge].isspace():
            return f"blanks {where} the text"
    return ""


def write_catalogue(language: str, known: Mapping[str, str]) -> None:
    """Write a language's .po and .mo: every message of the code, translated where it is known."""
    catalogue = Catalog(
        language,
        domain="workbench",
        project="workbench",
        version="",
        fuzzy=False,
        header_comment="",
    )
    for place, messages in extract()[0].items():
        for message in messages:
            translated: str | tuple[str, ...] = known.get(_key(message), "")
            if not isinstance(message, str):
                translated = (str(translated),) * catalogue.num_plurals
            catalogue.add(message, translated, locations=[(f"workbench/{place}", 0)])
    path = po_path(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, WIDTH, omit_header=True, sort_by_file=True, include_lineno=False)
    header = _HEADER.format(language=language, plurals=catalogue.plural_forms)
    path.write_bytes(header.encode() + path.read_bytes())
    with path.open("rb") as file, path.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, read_po(file, language))


_HEADER = """\
# Made by `make messages` from tr() and plural() in the code; the translations are edited here.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def missing(language: str) -> dict[str, list[str]]:
    """Return what each file says that a language has no translation of, each sentence once."""
    known = set(translations(read_catalogue(language)))
    found: dict[str, list[str]] = {}
    for place, messages in extract()[0].items():
        for key in map(_key, messages):
            if key not in known:
                known.add(key)
                found.setdefault(place, []).append(key)
    return found


def add_translations(language: str, given: Mapping[str, str]) -> list[str]:
    """Put translations into a catalogue; return a line on each that was not taken."""
    wanted = {_key(message) for messages in extract()[0].values() for message in messages}
    problems = {
        english: problem(english, translation) if english in wanted else "not in the code"
        for english, translation in given.items()
    }
    taken = {english: text for english, text in given.items() if not problems[english]}
    write_catalogue(language, {**translations(read_catalogue(language)), **taken})
    return [f"{english!r}: {wrong}" for english, wrong in problems.items() if wrong]


def main() -> int:
    """Run one of the commands above."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("missing").add_argument("language", nargs="?", default=LANGUAGE)
    importing = commands.add_parser("import")
    importing.add_argument("file", type=Path)
    importing.add_argument("language", nargs="?", default=LANGUAGE)
    options = parser.parse_args()
    if options.command == "missing":
        json.dump(missing(options.language), sys.stdout, ensure_ascii=False, indent=1)
        print()
    elif options.command == "import":
        given = json.loads(options.file.read_text(encoding="utf-8"))
        refused = add_translations(options.language, given)
        print(*refused, f"{len(given) - len(refused)} taken, {len(refused)} refused", sep="\n")
        return bool(refused)
    else:
        print(*extract()[1], sep="\n", end="")
        for path in sorted(FOLDER.glob("*/LC_MESSAGES/workbench.po")):
            language = path.parts[-3]
            write_catalogue(language, translations(read_catalogue(language)))
            print(f"{language}: {sum(map(len, missing(language).values()))} without a translation")
    return 0


if __name__ == "__main__":
    sys.exit(main())

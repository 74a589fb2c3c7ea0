"""spec.toml files with every kind of wrong value."""

from typing import Any

GOOD = '[data]\nsource = "photos"\n[model]\nstrategy = "dense"\n'
DEEP = 10_000

# As they stand in TOML; no key takes any of them.
WRONG_VALUES = {
    "nan": "nan",
    "infinity": "inf",
    "a huge number": "9" * 400,
    "a huge hexadecimal number": "0x" + "f" * 6000,
    "a negative one": "-1",
    "a date": "1979-05-27T07:32:00Z",
    "a list in a list": "[[]]",
    "a table": "{x = 1}",
    "a list of tables": "[{}]",
}

REFUSED: dict[str, tuple[str | bytes, str]] = {
    "tables 10,000 deep": ("[" + ".".join("a" * DEEP) + "]\n", "more than 16 deep"),
    "lists 10,000 deep": ("a = " + "[" * DEEP + "]" * DEEP, "more than 16 deep"),
    "inline tables 5,000 deep": ("a = " + "{a=" * 5000 + "1" + "}" * 5000, "more than 16 deep"),
    "a number of 5,000 digits": (GOOD + "dropout = " + "9" * 5000, "a number of thousands"),
    "a string of 3 MB": (GOOD + f'x = "{"a" * 3_000_000}"', "larger than 32 KiB"),
    "32 KiB and a byte": (GOOD.ljust(32 * 1024) + "#", "larger than 32 KiB"),
    "a key twice": ("a = 1\na = 2\n", "is not TOML"),
    "a table twice": ("[data]\n[data]\n", "is not TOML"),
    "no UTF-8": (b'name = "caf\xe9"\n', "it is not UTF-8 text"),
    "UTF-16": (GOOD.encode("utf-16"), "it is not UTF-8 text"),
    "half a character": (b'name = "\xed\xa0\x80"\n', "it is not UTF-8 text"),
    "zero bytes": (bytes(100), "is not TOML"),
    "an escape in the text": ('a = "\x1b[31m"', "is not TOML"),
    "escapes for a key": (GOOD + r'"\u001b[2J[/oops]\u202e\n" = 1', "unknown key"),
    "escapes for a table": (r'["\u001b[2J\u202e\n".x]' + "\ny = 1\n", "unknown key"),
    "escapes for a value": (GOOD.replace("dense", r"\u001b[2J[/red]\u202e"), "model.strategy"),
    "escapes for a name": (r'name = "\u001b]0;x\u0007"' + "\n" + GOOD, "name: received"),
    "escapes for a preset": (r'preset = "\u001b[2J\u202e"' + "\n" + GOOD, "preset: received"),
    "escapes for a base": (
        '[data]\nsource = "x"\n[model]\nstrategy = "fine-tuning"\n[base]\n'
        r'name = "\u001b[2J\u202e"',
        "base.name: received",
    ),
    "escapes for a block": (
        '[data]\nsource = "x"\n[model]\nstrategy = "fine-tuning"\n[base]\nname = "vgg16"\n'
        r'trainable = ["\u001b[2J\u202e"]',
        "has no layer",
    ),
    "a thousand unknown keys": (
        GOOD + "".join(f"k{n} = 1\n" for n in range(1000)),
        "and 980 more errors",
    ),
    "true for a number": (GOOD + "[training]\nepochs = true\n", "training.epochs: received True"),
    "a number for true": (
        GOOD + "[augmentation]\nvertical_flip = 1\n",
        "vertical_flip: received 1",
    ),
    "a name that leads out": ('name = "../../etc"\n' + GOOD, "name: received '../../etc'"),
    "an empty file": ("", "data: missing"),
}


def with_value(key: str, value: str) -> str:
    """A sound spec in TOML but for one key."""
    tables: dict[str, Any] = {"data.source": '"photos"', "model.strategy": '"dense"', key: value}
    return "".join(f"{name} = {text}\n" for name, text in tables.items())

"""Korean particles behind values: 을(를), 이(가), 은(는), 와(과), (으)로 become the one that fits.

The particle depends on whether the word before it ends in a consonant. Of a Korean letter that is
known, of a digit too; of Latin letters it follows from how such words are usually read.
"""

import re

_PAIRS = {
    "을(를)": ("을", "를"),
    "이(가)": ("이", "가"),
    "은(는)": ("은", "는"),
    "과(와)": ("과", "와"),
    "와(과)": ("과", "와"),
    "(으)로": ("으로", "로"),
}
_PARTICLE = re.compile("|".join(map(re.escape, _PAIRS)))
_FIRST, _LAST, _FINALS = ord("가"), ord("힣"), 28
_L = 8  # the final consonant ㄹ, behind which 로 stands as behind a vowel
_DIGITS = {"0": 21, "1": _L, "2": 0, "3": 16, "4": 0, "5": 0, "6": 1, "7": _L, "8": _L, "9": 0}
_VOWELS = "aeiou"


def fit_particles(text: str) -> str:
    """Return a Korean text with the particles that fit the words before them."""
    if "(" not in text:
        return text
    return _PARTICLE.sub(lambda found: _fitting(text[: found.start()], found[0]), text)


def _fitting(before: str, particle: str) -> str:
    final = _final_consonant(_without_brackets(before))
    if final is None:
        return particle
    consonant = bool(final) and not (particle == "(으)로" and final == _L)
    return _PAIRS[particle][not consonant]


def _without_brackets(text: str) -> str:
    """Return a text up to its last word: a bracket at its end is not read, nor are quotes."""
    text = text.rstrip("'\"`]")
    if text.endswith(")") and "(" in text:
        return text[: text.rindex("(")].rstrip(" '\"`")
    return text


def _final_consonant(text: str) -> int | None:
    """Return the number of the final consonant of the last letter, 0 for none; None if unknown."""
    last = text[-1:]
    if last in _DIGITS and last:
        return _DIGITS[last]
    if last and _FIRST <= ord(last) <= _LAST:
        return (ord(last) - _FIRST) % _FINALS
    if last == "%":  # 퍼센트
        return 0
    if not (last.isascii() and last.isalpha()):
        return None
    lower = text[-3:].lower()
    if lower[-1] in "lmn" or lower.endswith("ng"):
        return _L if lower[-1] == "l" else 1
    # A stop behind a single vowel is a final consonant (net), else a syllable (test).
    stops = lower[-1] in "ckpt" and text[-1].islower() and lower[-2:-1] in tuple(_VOWELS)
    return int(stops and lower[-3:-2] not in tuple(_VOWELS))

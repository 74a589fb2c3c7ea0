"""Checks values against a JSON Schema: the keywords that ours use, and no other."""

from typing import Any

TYPES = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
    "object": dict, "null": type(None),
}  # fmt: skip
SAYS_NOTHING = {"$schema", "$defs", "title", "description", "default"}
KEYWORDS = SAYS_NOTHING | {
    "$ref", "type", "enum", "const", "anyOf", "oneOf", "properties", "required", "items",
    "prefixItems", "minItems", "maxItems", "additionalProperties", "minimum", "maximum",
    "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern",
}  # fmt: skip


def problems(value: Any, schema: dict[str, Any], whole: dict[str, Any], place: str = "") -> list:
    """Return what is wrong, with its place; a field that the schema does not name is wrong here."""
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema:
        return problems(
            value, whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole, place
        )
    for keyword, wanted in (("anyOf", None), ("oneOf", 1)):
        if options := schema.get(keyword):
            fit = [one for one in options if not problems(value, one, whole)]
            if not fit or (wanted and len(fit) != wanted):
                return [f"{place}: {value!r} fits {len(fit)} of {keyword}"]
    kind = schema.get("type")
    if kind and (
        not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        return [f"{place}: {value!r} is no {kind}"]
    found = []
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        found.append(f"{place}: {value!r} is not allowed")
    if isinstance(value, int | float):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        found += [] if low <= value <= high else [f"{place}: {value} is out of range"]
    if isinstance(value, list):
        parts = schema.get("prefixItems", [schema.get("items", {})] * len(value))
        found += [] if len(parts) == len(value) else [f"{place}: {len(value)} items"]
        for n, (one, part) in enumerate(zip(value, parts, strict=False)):
            found += problems(one, part, whole, f"{place}[{n}]")
    if isinstance(value, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties")
        found += [
            f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value
        ]
        for name, one in value.items():
            part = named.get(name, others if isinstance(others, dict) else None)
            if part is None and (named or others is False):
                found.append(f"{place}.{name} is not named")
            found += problems(one, part or {}, whole, f"{place}.{name}")
    return found


def check(value: Any, schema: dict[str, Any]) -> None:
    """Assert that a value fits a schema."""
    assert problems(value, schema, schema) == []

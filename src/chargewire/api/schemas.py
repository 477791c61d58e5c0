"""JSON Schema 2020-12, which msgspec writes, in the words of OpenAPI 3.0, which the reference's page reads."""

from typing import Any

_NULL = {"type": "null"}


def older(schema: Any) -> Any:
    """The same document without `type: null`, `const` and what stands beside a `$ref`."""
    if isinstance(schema, list):
        return [older(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        name: older(value) for name, value in schema.items() if name != "const" and not (name == "anyOf" and _NULL in value)
    }
    if "const" in schema:
        found["enum"] = [schema["const"]]
    if _NULL in schema.get("anyOf", ()):
        found |= _nullable([older(each) for each in schema["anyOf"] if each != _NULL])
    if "$ref" in found and len(found) > 1:
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    return found


def _nullable(rest: list[Any]) -> dict[str, Any]:
    shape = dict(rest[0]) if len(rest) == 1 else {"anyOf": rest}
    return {**shape, "nullable": True}

"""The official JSON schemas as the judge of what we write. They come with the PyPI package `ocpp`, a test dependency."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs


@cache
def _validator(name: str) -> Any:
    schema = json.loads((files("ocpp.v16") / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def faults(name: str, payload: bytes) -> list[str]:
    """What is wrong with a payload: `name` is an action, or an action + `Response`."""
    return [str(error) for error in _validator(name).iter_errors(json.loads(payload))]

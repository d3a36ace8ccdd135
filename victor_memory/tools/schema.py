"""JSON Schemas that every model and every host can read: flat, closed, without references.

pydantic writes an optional value as "this or null", shares definitions by `$ref` and titles every
field. Hosts that translate schemas for a model stumble over the first two and pay tokens for the
third, so all are written out here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel


def arguments_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of what *model* accepts: an object without additional properties."""
    return _flat(model, "validation")


def result_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of what *model* is written as, without the fields that are `None`."""
    return _flat(model, "serialization")


def _flat(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, Any]:
    schema = model.model_json_schema(mode=mode)
    definitions = schema.pop("$defs", {})
    flat: dict[str, Any] = _written_out(schema, definitions)
    flat.pop("description", None)  # the tool has one
    return flat


def _written_out(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_written_out(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _written_out({**definitions[name], **beside}, definitions)
    schema = dict(node)
    either = schema.pop("anyOf", None)
    if either is not None:
        (one,) = (option for option in either if option.get("type") != "null")
        schema = {**one, **schema}
    if isinstance(schema.get("title"), str):
        del schema["title"]
    schema.pop("format", None)  # a date without a time is one, too
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    if "properties" in schema:
        schema["properties"] = {
            name: _written_out(one, definitions) for name, one in schema["properties"].items()
        }
        schema.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if key in schema:
            schema[key] = _written_out(schema[key], definitions)
    return schema

"""FHIR's JSON written as its XML: primitives as `value`, lists as repeated elements, resources as elements of their own."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr


def as_xml(resource: dict[str, Any]) -> bytes:
    """A resource as an XML document."""
    kind = resource["resourceType"]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="http://hl7.org/fhir">{_parts(resource)}</{kind}>'.encode()


def _parts(record: dict[str, Any]) -> str:
    return "".join(_element(name, value) for name, value in record.items() if name != "resourceType")


def _element(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(_element(name, each) for each in value)
    if not isinstance(value, dict):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return f"<{name} value={quoteattr(text)}/>"
    if "resourceType" in value:
        kind = value["resourceType"]
        return f"<{name}><{kind}>{_parts(value)}</{kind}></{name}>"
    own = {key: value[key] for key in ("id", "url") if isinstance(value.get(key), str)}
    attributes = "".join(f" {key}={quoteattr(text)}" for key, text in own.items())
    inner = _parts({key: part for key, part in value.items() if key not in own})
    return f"<{name}{attributes}>{inner}</{name}>"

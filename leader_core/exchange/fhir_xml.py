"""FHIR in XML as the values that its JSON has, so that one reader serves both.

An element becomes an object, what repeats a list, `value` the value itself; the printed narrative is left out.
Documents that declare types or entities are refused, so that nothing is expanded or fetched. Source: "XML
Representation" and "JSON Representation" at hl7.org/fhir.
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from leader_core.errors import InputError
from leader_core.exchange.strict_json import DEEPEST

FHIR: Final = "http://hl7.org/fhir"
_SEPARATOR: Final = " "  # between namespace and name, as expat gives them
_LISTS: Final = frozenset(("entry", "parameter", "contained", "extension", "coding"))
"""Lists of which one alone must be a list as well; of others one alone means the same."""
_FLAGS: Final = frozenset(
    "doNotPerform notDone notPerformed notGiven wasNotGiven wasNotTaken reported reportedBoolean preferred".split()
)
"""Elements that JSON writes as true or false."""
_MOST_DIGITS: Final = 10


def read_xml(data: bytes, what: str) -> Any:
    """The JSON value that a FHIR document in XML stands for.

    Args:
        data: the file as it came.
        what: names it in errors ("The FHIR file").

    Raises:
        InputError: no well-formed XML, no FHIR, too deep, or with a document type or entities.
    """
    builder = _TreeBuilder(what)
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.refuse_type
    parser.EntityDeclHandler = builder.refuse_type
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise InputError(
            f"{what} is no well-formed XML ({expat.ErrorString(error.code)}, line {error.lineno:,}, column "
            f"{error.offset + 1:,}). Export it again."
        ) from None
    except (
        LookupError,
        ValueError,
    ):  # of the decoder: no encoding of this name, or one of several bytes a letter
        raise InputError(f"{what} declares an encoding that is not read. Save it in UTF-8.") from None
    return builder.root


class _Element:
    """An element that is being read."""

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.text = attributes.get("value")
        self.parts: dict[str, Any] = {key: attributes[key] for key in ("id", "url") if key in attributes}

    def value(self) -> Any:
        """Its own value as JSON writes it, or the object of its parts; None where there is nothing."""
        if self.text is None:
            return self.parts or None
        if self.name in _FLAGS and self.text in ("true", "false"):
            return self.text == "true"
        if self.name == "rank" and self.text.isdecimal() and len(self.text) < _MOST_DIGITS:
            return int(self.text)
        return self.text

    def put(self, name: str, value: Any) -> None:
        """Add a part; what repeats is a list."""
        before = self.parts.get(name)
        if before is None:
            self.parts[name] = [value] if name in _LISTS else value
        elif isinstance(before, list):
            before.append(value)
        else:
            self.parts[name] = [before, value]


class _TreeBuilder:
    """Builds the value while the document is read."""

    def __init__(self, what: str) -> None:
        self.root: dict[str, Any] = {}
        self._what = what
        self._open: list[_Element] = []  # the elements around
        self._foreign = 0  # depth inside something that is not FHIR's, as the narrative in XHTML

    def refuse_type(self, *_: object) -> None:
        raise InputError(
            f"{self._what} declares a document type or entities, which FHIR forbids in XML. Export it again without them."
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(_SEPARATOR)
        if self._foreign or namespace != FHIR:
            if not self._open:
                raise InputError(
                    f"{self._what} is XML, but not FHIR. Export it as FHIR R4 in JSON, NDJSON or XML."
                )
            self._foreign += 1
        elif len(self._open) >= DEEPEST:
            raise InputError(
                f"{self._what} nests more than {DEEPEST} levels deep: no FHIR resource does. Check where it comes from."
            )
        else:
            self._open.append(_Element(name, attributes))

    def end(self, _: str) -> None:
        if self._foreign:
            self._foreign -= 1
            return
        element = self._open.pop()
        resource = element.name[:1].isupper()
        if resource:
            element.parts = {"resourceType": element.name, **element.parts}
        if not self._open:
            self.root = element.parts
        elif resource:  # the only element of the one around it, which is its name in JSON
            self._open[-1].parts = element.parts
        elif (value := element.value()) is not None:
            self._open[-1].put(element.name, value)

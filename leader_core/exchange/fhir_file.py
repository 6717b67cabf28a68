"""FHIR files as they come: Bundles (also in each other), lists of resources, NDJSON, JSON after JSON, XML; gzipped; several.

Resources are read tolerantly and given the names that R4 has for the same thing; whatever cannot be read is listed.
References are looked up inside the files only; none is ever fetched.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.exchange.fhir_variants import FHIR, as_r4, read_xml
from leader_core.exchange.strict_json import read_json_values

LARGEST: Final = 20_000_000
"""Bytes of one file, unpacked."""
MOST_FILES: Final = 20
LARGEST_TOGETHER: Final = 60_000_000
MOST_RESOURCES: Final = 20_000
"""Resources that bear on a case; of what cannot be read, twice as many are listed."""
READ: Final = (
    "Patient",
    "Encounter",
    "Condition",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "Medication",
    "Coverage",
)
"""Resource types that bear on a case; others are counted and left alone."""
WHAT: Final = "The FHIR file"
EXPECTED: Final = "expected a Bundle, a list or NDJSON of one patient's visits"
_GZIP: Final = b"\x1f\x8b"
_OTHER: Final = (
    (b"MSH|", "an HL7 v2 message"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
)
"""How files of other formats begin, and what they are."""
_DECLARATION: Final = re.compile(r"\A\s*<\?xml[^>]*\?>")
_CONDITIONAL: Final = re.compile(r"[A-Z][A-Za-z]+\?identifier=(?:([^|&]*)\|)?([^|&]+)")
_KIND: Final = re.compile(r"[A-Za-z]{2,41}")
_IDENTITY: Final = re.compile(r"[A-Za-z0-9\-._]{1,64}")


@dataclass(frozen=True, slots=True)
class Listed:
    """Something of the file that the case does not hold, and why."""

    resource: str  # "Condition/c1", or "entry 12 (Condition)" where it has no usable id
    code: str  # what it is about, as far as it says
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource, under R4's names; any value may still have any shape."""

    kind: str
    label: str
    data: Mapping[str, Any]


_UNTRUE: Final[Mapping[str, Sequence[str]]] = {
    "Encounter": "planned cancelled entered-in-error".split(),
    "Procedure": "preparation not-done entered-in-error planned".split(),
    "MedicationRequest": "cancelled draft entered-in-error".split(),
    "MedicationStatement": "not-taken intended entered-in-error stopped on-hold unknown draft".split(),
    "MedicationAdministration": "not-done entered-in-error on-hold unknown".split(),
    "Coverage": "cancelled draft entered-in-error".split(),
}
"""Resource type -> statuses in which it did not take place or does not hold."""


def untrue(resource: Resource) -> str:
    """Why a resource, by its status, did not take place or does not hold; empty where it may."""
    status = word(resource.data.get("status"))
    return f"its status is {status}" if status in _UNTRUE.get(resource.kind, ()) else ""


@dataclass(slots=True)
class FhirFile:
    """What was read of one or several files."""

    resources: dict[str, list[Resource]] = field(default_factory=lambda: {kind: [] for kind in READ})
    listed: list[Listed] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)  # resource type -> how many
    versions: set[str] = field(default_factory=set)  # FHIR versions other than R4 whose names were seen
    further_pages: bool = False  # a bundle links a next page, which is not here
    _by_reference: dict[str, Resource] = field(default_factory=dict)
    _by_identifier: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def find(self, reference: object) -> Resource | None:
        """The resource of these files that a Reference names; None for another, which is not fetched."""
        if not isinstance(reference, Mapping):
            return None
        text = reference.get("reference")
        if isinstance(text, str):
            text = text.split("/_history/")[0]
            if conditional := _CONDITIONAL.fullmatch(text):
                return self._by_identifier.get((conditional[1] or "", conditional[2]))
            return self._by_reference.get(text) or self._by_reference.get("/".join(text.split("/")[-2:]))
        return next(
            (self._by_identifier[key] for key in _identifiers(reference) if key in self._by_identifier), None
        )

    def leave_out(self, resource: str, code: str, reason: str) -> None:
        """List something that the case will not hold.

        Raises:
            InputError: a file of more such things than a page could show.
        """
        self.listed.append(Listed(resource, code, reason))
        if len(self.listed) > 2 * MOST_RESOURCES:
            raise InputError(
                f"{WHAT} has more than {2 * MOST_RESOURCES:,} entries that cannot be read: {EXPECTED}. Export it again."
            )

    def add(self, where: str, address: object, raw: Mapping[str, Any]) -> None:
        """One resource as it stands in a file; `address` is its fullUrl."""
        kind, data, version = as_r4(raw)
        if kind not in READ:
            self.ignored[kind if _KIND.fullmatch(kind) else "unknown"] += 1
            return
        if version:
            self.versions.add(version)
        identity = word(data.get("id"))
        named = _IDENTITY.fullmatch(identity)
        resource = Resource(kind, f"{kind}/{identity}" if named else f"{where} ({kind})", data)
        names = [f"{kind}/{identity}"] if identity else []
        if isinstance(address, str):
            names += [address, "/".join(address.split("/")[-2:])]
        earlier = next((self._by_reference[name] for name in names if name in self._by_reference), None)
        if earlier is not None:
            if earlier.data != data:
                self.leave_out(resource.label, "", "is in the file already, in another version")
            return
        self.resources[kind].append(resource)
        for name in names:
            self._by_reference[name] = resource
        for key in _identifiers(data):
            self._by_identifier.setdefault(key, resource)
        if sum(map(len, self.resources.values())) > MOST_RESOURCES:
            raise InputError(
                f"{WHAT} has more than {MOST_RESOURCES:,} encounters, conditions, procedures and medications: "
                "expected one patient's. Export one patient."
            )


def read_files(files: Sequence[bytes]) -> FhirFile:
    """The resources of one patient's files.

    Raises:
        InputError: one sentence: too large, another format, nothing to read.
    """
    result = FhirFile()
    for data in all_unpacked(files):
        for where, value in _values(data, result):
            for place, address, raw in _resources(value, where, result):
                result.add(place, address, raw)
    if not any(result.resources.values()):
        kinds = ", ".join(sorted(result.ignored)[:3]) or "no resource"
        reason = (
            result.listed[0].reason if result.listed else f"it has {kinds}, and nothing that bears on a case"
        )
        raise InputError(f"{WHAT} has nothing to read ({reason}): {EXPECTED}.")
    return result


def is_fhir(data: bytes) -> bool:
    """Whether a file is meant as FHIR, rather than as a case file: by its first bytes and names only."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    other = tuple(start for start, _ in _OTHER)
    return head[:1] in (b"<", b"[") or head.startswith(other) or b'"resourceType"' in data


def _as_utf8(data: bytes) -> bytes:
    """A text in UTF-16 that says so by its first two bytes, as some programs write it, in UTF-8; other files as they are."""
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data
    try:
        text = data.decode("utf-16")
    except UnicodeDecodeError:
        return data
    if not text.lstrip().startswith(("{", "[", "<")):  # any bytes may look like text in UTF-16
        return data
    return _DECLARATION.sub("", text, count=1).encode()


def all_unpacked(files: Sequence[bytes]) -> list[bytes]:
    """Each file as `unpacked`; few and small enough to be held at once.

    Raises:
        InputError: too many, together too large, damaged.
    """
    if len(files) > MOST_FILES:
        raise InputError(f"{len(files)} files at once: expected at most {MOST_FILES}. Export one patient.")
    result: list[bytes] = []
    for data in files:
        result.append(unpacked(data))
        if sum(map(len, result)) > LARGEST_TOGETHER:
            raise InputError(
                f"The files have more than {LARGEST_TOGETHER / 1e6:.0f} MB together. Export one patient."
            )
    return result


def unpacked(data: bytes) -> bytes:
    """A file as UTF-8 where it is text: taken out of gzip, and out of UTF-16 that says so by its first bytes.

    Raises:
        InputError: damaged gzip, or gzip in gzip.
    """
    if not data.startswith(_GZIP):
        return _as_utf8(data)
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            text = stream.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error):
        raise InputError("The file is a gzip archive that ends early or is damaged. Copy it again.") from None
    if text.startswith(_GZIP):
        raise InputError("The file is packed twice. Unpack it once.")
    return _as_utf8(text)


def _values(data: bytes, result: FhirFile) -> Iterator[tuple[str, Any]]:
    """(where it stands, JSON value) of a file: one value, or several one after the other; of damaged NDJSON the sound lines."""
    if len(data) > LARGEST:
        raise InputError(f"{WHAT} has {len(data) / 1e6:.1f} MB: expected at most 20 MB. Export one patient.")
    if _is_xml(data):
        yield "", read_xml(data, WHAT)
        return
    lines = [line for line in data.lstrip(b"\xef\xbb\xbf").splitlines() if line.strip()]
    by_line = sum(line.startswith(b"{") for line in lines) > 1
    try:
        values = read_json_values(data, WHAT, LARGEST)
    except InputError:
        if not by_line:
            raise
    else:
        yield from (
            (f"value {number}" if len(values) > 1 else "", each) for number, each in enumerate(values, 1)
        )
        return
    for number, line in enumerate(lines, 1):
        try:
            yield from (
                (f"line {number}", each)
                for each in read_json_values(line.strip().rstrip(b","), "It", LARGEST)
            )
        except InputError as error:
            result.leave_out(f"line {number}", "", str(error)[:200])


def _is_xml(data: bytes) -> bool:
    """Whether the file is FHIR in XML.

    Raises:
        InputError: neither that nor what may be JSON.
    """
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    name = next((name for start, name in _OTHER if head.startswith(start)), "")
    if head.startswith(b"<"):
        if b"urn:hl7-org:v3" in head:
            name = "a CDA document in XML"
        elif FHIR.encode() in head:
            return True
        else:
            name = "HTML" if b"<html" in head.lower() else f"XML without the namespace {FHIR}"
    if name:
        raise InputError(f"{WHAT} is {name}, which is not read. Export it as FHIR R4 in JSON, NDJSON or XML.")
    return False


def _resources(
    value: object, where: str, result: FhirFile
) -> Iterator[tuple[str, object, Mapping[str, Any]]]:
    """(where it stands, its fullUrl, resource) of everything inside a value, bundles in bundles opened."""
    if isinstance(value, list):
        for position, item in enumerate(value, 1):
            yield from _resources(item, _place(where, position), result)
        return
    kind = value.get("resourceType") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(kind, str):
        reason = f"is {shape(value)}: expected a resource"
        if isinstance(value, Mapping):
            reason = "has no resourceType"
        result.leave_out(where or "the file", "", reason)
        return
    if kind not in ("Bundle", "Parameters"):
        yield where or "the file", None, value
        return
    if any(word(link.get("relation")) == "next" for link in items(value.get("link"))):
        result.further_pages = True
    entries = value.get("entry" if kind == "Bundle" else "parameter") or []
    if not isinstance(entries, list):
        result.leave_out(where or "the file", "", f"its entry is {shape(entries)}: expected a list")
        return
    for position, entry in enumerate(entries, 1):
        place = _place(where, position)
        resource = entry.get("resource") if isinstance(entry, Mapping) else None
        if isinstance(resource, Mapping) and resource.get("resourceType") not in ("Bundle", "Parameters"):
            yield from ((p, entry.get("fullUrl"), r) for p, _, r in _resources(resource, place, result))
        elif resource is None and isinstance(entry, Mapping) and "content" in entry:
            raise InputError(f"{WHAT} is FHIR DSTU1 of 2014, which is not read. Export it as FHIR R4.")
        else:
            yield from _resources(resource, place, result)


def _place(where: str, position: int) -> str:
    return f"{where}, entry {position}" if where else f"entry {position}"


def _identifiers(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in items(data.get("identifier")):
        if word(item.get("value")):
            yield word(item.get("system")), word(item.get("value"))


# Values of any shape


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects of a value that should be an object or a list of them."""
    if isinstance(value, Mapping):
        return [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def word(value: object) -> str:
    """A text, or a whole number as text; empty for anything else: a decimal number may have lost zeros (250.00)."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return " ".join(str(value).split())


def codings(concept: object) -> Iterator[tuple[str, str, str]]:
    """(system, code, display) of each coding of a concept, or of several, that has a code or a display."""
    for each in items(concept):
        listed = items(each.get("coding")) or ([each] if "code" in each and "coding" not in each else [])
        for coding in listed:
            code, display = word(coding.get("code")), word(coding.get("display"))
            if code or display:
                yield word(coding.get("system")), code, display


def words_of(concept: object) -> list[str]:
    """What a concept says in words: its text, then its displays."""
    texts = [word(each.get("text")) for each in items(concept)]
    return list(dict.fromkeys(filter(None, (*texts, *(display for _, _, display in codings(concept))))))


def codes_of(concept: object) -> set[str]:
    """The codes of a concept, in small letters."""
    return {code.lower() for _, code, _ in codings(concept) if code}


def shape(value: object) -> str:
    """What a JSON value is, for people.

    >>> shape([]), shape("x"), shape(None)
    ('a list', 'text', 'nothing')
    """
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")

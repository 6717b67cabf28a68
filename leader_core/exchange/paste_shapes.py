"""The shape of a pasted list: a table with a header, a list of another program, or plain lines; as lines of entries.

Nothing is read here: a row becomes one line that `paste` reads, with its system before the code where a column says it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from leader_core.errors import InputError
from leader_core.exchange.strict_json import read_json

_CODES: Final = frozenset(
    "code icd_code icd icd9 icd9_code icd9code icd10 icd10_code icd10code diagnosis_code procedure_code dx_code "
    "icd_10 icd_9 icd_9_code icd_10_code diagnosis_icd atc atc_code".split()
)
_NAMES: Final = frozenset(
    "drug drug_name medication medication_name name title long_title short_title description display diagnosis "
    "procedure condition".split()
)
_VERSIONS: Final = frozenset("icd_version version code_version icdversion".split())
_ROUTES: Final = frozenset(("route", "dose", "dose_val_rx", "dosage", "frequency"))
_OPENING: Final = ("[", "{", "(")
_CLOSING: Final = ("]", "}", ")")
_PAIR: Final = re.compile(r"""\(\s*(['"])([\w.]+)\1\s*,\s*['"]?(9|10)['"]?\s*\)""")
"""A code with its version, as Python writes a pair."""
_STRING_OR_WORD: Final = re.compile(r"""'([^'\n]*)'|"([^"\n]*)"|([^\s,\[\](){}'"]+)""")


def lines_of(text: str) -> list[str]:
    """The entries of a pasted text, one or several a line; a row of a table with a header is one entry.

    >>> lines_of("['4280', '4019']"), lines_of("icd_code,icd_version\\n4280,9")
    (['4280', '4019'], ['ICD9:4280'])
    """
    stripped = text.strip()
    listed = _listed(stripped) if stripped[:1] in _OPENING and stripped[-1:] in _CLOSING else None
    if listed is not None:
        return listed
    rows = _table(stripped)
    return [line for line in re.split(r"[\n\r]+", text) if line.strip()] if rows is None else rows


def _listed(text: str) -> list[str] | None:
    """A list of JSON or of Python; None for what only begins with a bracket."""
    try:
        value = read_json(text.encode("utf-8", "replace"), "The list", len(text) * 4)
    except InputError:
        value = None
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        names = list(dict.fromkeys(name for item in value for name in item))
        return _rows(names, [[_text(item.get(name)) for name in names] for item in value])
    if value is not None and not isinstance(value, (str, int, float)):
        return list(_leaves(value))
    if not re.search(r"""['"]""", text) and text[0] != "[":
        return None
    text = _PAIR.sub(r"'ICD\3:\2'", text)
    if re.search(r"""['"]""", text):
        entries = [" ".join(filter(None, match.groups())) for match in _STRING_OR_WORD.finditer(text)]
    else:  # without quotes the entries may hold blanks
        entries = re.split(r"[,\n]", text.strip("[](){}"))
    return [entry for entry in entries if any(c.isalnum() for c in entry)]


def _leaves(value: Any) -> Iterator[str]:
    """Every text and number inside a JSON value, names included."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(inner, (list, dict)):
                yield f"{name} {_text(inner)}"
            else:
                yield from ([] if _column(name) in _CODES | _NAMES | {"codes"} else [name])
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif text := _text(value):
        yield text


def _text(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())


def _table(text: str) -> list[str] | None:
    """The rows of a table whose first line names its columns; None where there is no such header."""
    header, *lines = text.splitlines(keepends=True) or [""]
    if not lines:
        return None
    for separator in ("\t", ";", ",", "|"):
        names = next(csv.reader([header], delimiter=separator), [])
        columns = [_column(name) for name in names]
        known = sum(column in _CODES | _NAMES | _VERSIONS | _ROUTES for column in columns)
        if any(column in _CODES for column in columns) or (known > 1 and any(c in _NAMES for c in columns)):
            try:
                rows = list(csv.reader(lines, delimiter=separator))
            except csv.Error:
                return None
            return _rows(names, [row for row in rows if any(cell.strip() for cell in row)])
    return None


def _rows(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row: its code with the system and the other words, or its name and route."""
    columns = [_column(name) for name in names]
    codes = [n for n, name in enumerate(columns) if name in _CODES]
    label = next((n for n, name in enumerate(columns) if name in _NAMES), None)
    lines = []
    for row in rows:
        cells = {n: " ".join(cell.replace(",", " ").split()) for n, cell in enumerate(row) if cell.strip()}
        version = next((cells.pop(n, "") for n, name in enumerate(columns) if name in _VERSIONS), "")
        heads = []
        for n in codes:
            system = re.search(r"9|10", version) or re.search(r"9|10", columns[n])
            if n in cells:
                heads.append(f"{f'ICD{system.group()}:' if system else ''}{cells.pop(n)}")
        if heads:
            words = [cell for n, cell in cells.items() if n >= len(columns) or columns[n] in _NAMES]
            lines += [*heads[:-1], " ".join([heads[-1], *words])]
        else:
            name = cells.pop(label, "") if label is not None else ""
            words = [cell for n, cell in cells.items() if n < len(columns) and columns[n] in _ROUTES]
            lines.append(" ".join(filter(None, (name, *words))) or " ".join(cells.values()))
    return [line for line in lines if line]


def _column(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().strip("\ufeff").lower()).strip("_")

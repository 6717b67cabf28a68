"""A folder of raw hospital tables: which files it holds, in which layout, with which columns.

Only headers are read here.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.errors import InputError, NotFoundError

SUFFIXES: Final = (".csv", ".csv.gz")
_HEADER_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class SourceLayout:
    """All that sets one source of raw tables apart, but for its SQL (`sql/<source>/`)."""

    name: str
    detected_by: tuple[str, ...]  # columns of `diagnoses_icd` that only this source has
    required: Mapping[str, tuple[str, ...]]  # table -> columns read from it; a file may hold more
    optional: Mapping[str, tuple[str, ...]]  # dictionaries that are read where they are present
    synonyms: Mapping[str, Mapping[str, str]]  # table -> {column in earlier releases: name here}
    profile_fields: tuple[str, ...]  # of a case
    icd_version: int  # the usual one, for codes that are valid in several


_CODES3: Final = ("subject_id", "hadm_id", "seq_num", "icd9_code")
_CODES4: Final = ("subject_id", "hadm_id", "seq_num", "icd_code", "icd_version")
_TITLES3: Final = ("icd9_code", "long_title")
_TITLES4: Final = ("icd_code", "icd_version", "long_title")
_VISIT: Final = ("subject_id", "hadm_id", "admittime", "dischtime", "admission_type", "insurance", "language")
_PRESCRIPTION: Final = ("subject_id", "hadm_id", "drug_type", "drug", "ndc", "route")

SOURCES: Final[Mapping[str, SourceLayout]] = {
    "mimic3": SourceLayout(
        name="MIMIC-III",
        detected_by=("icd9_code",),
        required={
            "patients": ("subject_id", "gender", "dob"),
            "admissions": (*_VISIT, "religion", "marital_status", "ethnicity"),
            "diagnoses_icd": _CODES3,
            "procedures_icd": _CODES3,
            "prescriptions": _PRESCRIPTION,
        },
        optional={"d_icd_diagnoses": _TITLES3, "d_icd_procedures": _TITLES3},
        synonyms={},
        profile_fields=(
            "insurance", "language", "religion", "marital_status", "ethnicity", "age_band", "gender",
        ),
        icd_version=9,
    ),
    "mimic4": SourceLayout(
        name="MIMIC-IV",
        detected_by=("icd_code", "icd_version"),
        required={
            "patients": ("subject_id", "gender", "anchor_age", "anchor_year"),
            "admissions": (*_VISIT, "marital_status", "race"),
            "diagnoses_icd": _CODES4,
            "procedures_icd": _CODES4,
            "prescriptions": _PRESCRIPTION,
        },
        optional={"d_icd_diagnoses": _TITLES4, "d_icd_procedures": _TITLES4},
        synonyms={"admissions": {"ethnicity": "race"}},  # releases before 2.0
        profile_fields=(
            "insurance", "language", "marital_status", "ethnicity", "admission_type", "age_band", "gender",
        ),
        icd_version=10,
    ),
}  # fmt: skip
"""A new source: an entry here, and its SQL under `sql/<source>/`."""

_TABLES: Final = frozenset(
    table for layout in SOURCES.values() for table in (*layout.required, *layout.optional)
)
_COMMON: Final = tuple(
    table
    for table in SOURCES["mimic3"].required
    if all(table in layout.required for layout in SOURCES.values())
)
"""Tables that every source has, under these names."""


@dataclass(frozen=True, slots=True)
class RawTable:
    """One raw file and its columns in file order, lower-case, under the names its layout gives them."""

    name: str  # "prescriptions"
    path: Path
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawFolder:
    """The raw tables of one source, each checked for the columns that are read from it."""

    root: Path
    source: str  # a key of `SOURCES`
    tables: Mapping[str, RawTable]

    def __getitem__(self, name: str) -> RawTable:
        return self.tables[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tables


def open_raw(root: Path, source: str = "auto") -> RawFolder:
    """Find the tables below `root` (flat, or MIMIC-IV's release with `hosp/`) and check their headers.

    Args:
        root: the folder.
        source: "mimic3", "mimic4", or "auto" to detect it from the columns.

    Raises:
        NotFoundError: no such folder, or a table is missing.
        InputError: two files for one table, an empty or unreadable file, a missing column, another layout.
    """
    root = Path(root)
    if source not in ("auto", *SOURCES):
        raise InputError(
            f"Unknown source {source!r}: expected {_listed([*map(repr, SOURCES), repr('auto')], 'or ')}."
        )
    if not root.exists():
        raise NotFoundError(f"No folder {root}: expected the raw MIMIC tables there. Check --raw.")
    if not root.is_dir():
        raise InputError(
            f"{root} is a file: expected the folder that holds the raw MIMIC tables. Check --raw."
        )
    try:
        files = _files(root)
    except OSError as error:
        raise InputError(f"The folder {root} cannot be read ({error}). Check its permissions.") from error
    missing = [name for name in _COMMON if name not in files]
    if missing:
        present = ", ".join(sorted(files)) or "none of MIMIC's tables"
        raise NotFoundError(
            f"{root} has no table {_listed(missing, 'and no ')} (.csv or .csv.gz); found: {present}. "
            "Put what is missing there; names in either letter case will do, and for MIMIC-IV the release's root."
        )
    headers = {name: _header(path) for name, path in files.items()}
    detected = _detect(files["diagnoses_icd"], headers["diagnoses_icd"])
    if source != "auto" and source != detected:
        raise InputError(
            f"{files['diagnoses_icd']} is in {SOURCES[detected].name}'s layout "
            f"(columns {', '.join(headers['diagnoses_icd'])}), not in {SOURCES[source].name}'s. "
            f"Use --source {detected} or --source auto."
        )
    return RawFolder(root, detected, _tables(detected, files, headers))


def _files(root: Path) -> dict[str, Path]:
    """Table name -> file, from the folder and its `hosp/`; names in either case."""
    folders = [root, *sorted(p for p in root.iterdir() if p.is_dir() and p.name.lower() == "hosp")]
    paths_of: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            lower = path.name.lower()
            suffix = next((s for s in reversed(SUFFIXES) if lower.endswith(s)), None)
            if suffix and path.is_file() and (name := lower.removesuffix(suffix)) in _TABLES:
                paths_of.setdefault(name, []).append(path)
    for name, paths in paths_of.items():
        if len(paths) > 1:
            raise InputError(
                f"Two files for the table {name} in {root}: "
                f"{_listed([str(p.relative_to(root)) for p in paths], 'and ')}. "
                "Keep one of them."
            )
    return {name: paths[0] for name, paths in paths_of.items()}


def _tables(
    source: str, files: Mapping[str, Path], headers: Mapping[str, tuple[str, ...]]
) -> dict[str, RawTable]:
    """The tables with their columns checked; every problem is raised together."""
    layout = SOURCES[source]
    problems: list[str] = []
    tables: dict[str, RawTable] = {}
    for name, wanted in {**layout.required, **layout.optional}.items():
        if name not in files:
            continue
        synonyms = {
            old: new for old, new in layout.synonyms.get(name, {}).items() if new not in headers[name]
        }
        columns = tuple(synonyms.get(c, c) for c in headers[name])
        if absent := [column for column in wanted if column not in columns]:
            problems.append(
                f"{files[name]} has no column {_listed(absent, 'and ')} (its header reads: {', '.join(headers[name])})"
            )
        if twice := sorted({column for column in columns if column and columns.count(column) > 1}):
            problems.append(f"{files[name]} names the column {_listed(twice, 'and ')} twice")
        tables[name] = RawTable(name, files[name], columns)
    if problems:
        raise InputError(
            f"Not {layout.name}'s layout: {'; '.join(problems)}. "
            "Give the tables as PhysioNet distributes them, with a header line; letter case does not matter."
        )
    return tables


def _detect(path: Path, header: tuple[str, ...]) -> str:
    """The source, from the columns of its diagnoses."""
    for source, layout in SOURCES.items():
        if set(layout.detected_by) <= set(header):
            return source
    expected = " nor ".join(
        f"{layout.name} (column{'s' if len(layout.detected_by) > 1 else ''} {_listed([*layout.detected_by], 'and ')})"
        for layout in SOURCES.values()
    )
    raise InputError(
        f"{path} is neither {expected}: "
        f"its header reads: {', '.join(header)}. Check that --raw names a folder of MIMIC tables with header lines."
    )


def _header(path: Path) -> tuple[str, ...]:
    """The first record's cells, lower-case.

    Raises:
        InputError: nothing in the file, not gzip, or not text in UTF-8.
    """
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path) as stream:
                start = stream.read(_HEADER_BYTES)
        else:
            with path.open("rb") as stream:
                start = stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected {_form(path)}. Download it again."
        ) from error
    if not start.strip():
        raise InputError(f"{path} is empty: expected a header line and rows. Download it again.")
    if b"\0" in start:
        raise InputError(f"{path} is not text in UTF-8: expected {_form(path)}. Save it as CSV in UTF-8.")
    try:
        # The cut may fall within a character: only the first line has to decode.
        line = start.split(b"\n", 1)[0].split(b"\r", 1)[0].decode("utf-8-sig")
        cells = next(csv.reader(io.StringIO(line), strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: the header line cannot be read ({error}). Save it as CSV in UTF-8."
        ) from error
    return tuple(cell.strip().lower() for cell in cells)


def _form(path: Path) -> str:
    return "gzip-compressed CSV" if path.name.lower().endswith(".gz") else "CSV"


def _listed(words: list[str], joint: str) -> str:
    """'a, b and c' with the joint before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint}{words[-1]}"

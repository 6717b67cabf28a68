"""A folder of raw hospital tables: which files it holds, in which layout, with which columns.

Only headers are read here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leader_core.cohort import sources
from leader_core.cohort.raw_files import PARQUET, form, plain_blocks, read_sums
from leader_core.cohort.sources import SOURCES, TABLES, check_source, listed
from leader_core.errors import InputError, NotFoundError

_HEADER_BYTES: Final = 65_536
_NO_TABLES: Final = {
    b"<!doctype html": "a web page, as a site sends in place of a file that needs a login",
    b"<html": "a web page, as a site sends in place of a file that needs a login",
    b"version https://git-lfs": "a Git LFS pointer, not the table",
    b"pk\x03\x04": "a ZIP archive or a spreadsheet's workbook under another name",
    b"\x1f\x8b": "compressed with gzip, and its name lacks .gz",
}
"""How files that are no CSV begin, and what they are."""
_SUBFOLDERS: Final = ("hosp", "core")  # of MIMIC-IV's releases; `core` until 1.0
_COPY: Final = re.compile(r" ?\([0-9]+\)| [0-9]+(?=\.|$)")  # "ADMISSIONS (1).csv", "ADMISSIONS 2.csv"
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9]+):/{1,2}[^/]", re.IGNORECASE)
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".tar.bz2", ".tar.xz")
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DECIMAL: Final = re.compile(r"[0-9]+\.0*")
_DEEPEST: Final = 3  # folders that a release may be wrapped in


@dataclass(frozen=True, slots=True)
class RawTable:
    """One raw table and its columns in file order, lower-case."""

    name: str  # "prescriptions"
    paths: tuple[Path, ...]  # one file, or the parts of a Parquet table
    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...] = ()  # as far as the first 64 KiB go; none of a Parquet file

    @property
    def path(self) -> Path:
        """The file, or the first part."""
        return self.paths[0]

    @property
    def parquet(self) -> bool:
        return form(self.path) == PARQUET

    def decimals(self) -> bool:
        """Whether ids in the first rows were written with a decimal point, as 123.0."""
        ids = [i for i, name in enumerate(self.columns) if name.endswith("_id")]
        return self.parquet or any(
            i < len(row) and _DECIMAL.fullmatch(row[i].strip()) for row in self.first_rows for i in ids
        )


@dataclass(frozen=True, slots=True)
class RawFolder:
    """The raw tables of one source, each checked for the columns that are read from it."""

    root: Path
    source: str  # a key of `SOURCES`
    tables: Mapping[str, RawTable]
    sums: Mapping[str, str]  # file name -> SHA-256, where the release's list is there
    notes: tuple[str, ...] = ()  # what the absence of optional columns and tables means

    def __getitem__(self, name: str) -> RawTable:
        return self.tables[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tables


def open_raw(root: Path, source: str = "auto") -> RawFolder:
    """Find the tables below `root` and check their headers.

    Read are a flat folder, a release with `hosp/` or `core/`, a folder of folders named like the tables, and a release
    one folder further down.

    Args:
        root: the folder.
        source: a key of `SOURCES`, or "auto" to detect it from the columns.

    Raises:
        NotFoundError: no such folder, or a table is missing.
        InputError: two files for one table, an empty or unreadable file, a missing column, another layout.
    """
    check_source(source)
    root = _folder(root)
    try:
        root, files = _locate(root)
    except OSError as error:
        raise InputError(f"The folder {root} cannot be read ({error}). Check its permissions.") from error
    _check_complete(root, files, source)
    tables = {name: _table(name, paths) for name, paths in files.items()}
    headers = {name: table.columns for name, table in tables.items()}
    detected = _detect(tables, headers)
    if source != "auto" and source != detected:
        named = SOURCES[detected].detected_by[0]
        raise InputError(
            f"{tables[named].path} is in {SOURCES[detected].name}'s layout (columns {', '.join(headers[named])}), "
            f"not in {SOURCES[source].name}'s. Use --source {detected} or --source auto."
        )
    return _checked(root, detected, tables)


def _folder(root: Path) -> Path:
    address = _ADDRESS.match(str(root))
    if address is not None:
        raise InputError(
            f"{root} is an address ({address[1]}): expected a folder of this machine, because nothing is read over the "
            "network. Copy the tables here first, and give the folder."
        )
    root = Path(root)
    if not root.exists():
        raise NotFoundError(f"No folder {root}: expected the raw tables there. Check --raw.")
    if not root.is_dir():
        remedy = "Unpack it, and give the folder of its tables." if _archive(root) else "Check --raw."
        raise InputError(f"{root} is a file: expected the folder that holds the raw tables. {remedy}")
    return root


def _locate(root: Path) -> tuple[Path, dict[str, tuple[Path, ...]]]:
    """The folder that has tables (the given one, or the only one in it, some folders down), and their files."""
    given = root
    for _ in range(_DEEPEST):
        if files := _files(root):
            return root, files
        inner = [path for path in _visible(root) if path.is_dir()]
        if len(inner) != 1:
            break
        root = inner[0]
    return given, {}


def _files(root: Path) -> dict[str, tuple[Path, ...]]:
    """Table name -> its files, from the folder and its `hosp/` and `core/`; names in either case."""
    paths_of: dict[str, list[tuple[Path, ...]]] = {}
    for folder in [root, *(p for p in _visible(root) if p.is_dir() and p.name.lower() in _SUBFOLDERS)]:
        for path in _visible(folder):
            name = _table_name(path)
            if name not in TABLES:
                continue
            if path.is_file() and form(path):
                paths_of.setdefault(name, []).append((path,))
            elif path.is_dir() and (parts := _inside(path)):
                paths_of.setdefault(name, []).append(parts)
    for name, several in paths_of.items():
        if len(several) > 1:
            raise InputError(
                f"Two files for the table {name} in {root}: "
                f"{listed([str(paths[0].relative_to(root)) for paths in several], 'and ')}. Keep one of them."
            )
    return {name: several[0] for name, several in paths_of.items()}


def _inside(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that is named like a table: one file, or the parts of a Parquet table."""
    files = [
        p for p in sorted(folder.rglob("*")) if p.is_file() and form(p) and not _hidden(p.relative_to(folder))
    ]
    if len(files) > 1 and any(form(path) != PARQUET for path in files):
        raise InputError(
            f"The folder {folder} holds several files ({', '.join(p.name for p in files[:3])}, …): expected one CSV "
            "file, or the parts of a Parquet table. Join them into one."
        )
    return tuple(files)


def _visible(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if not _hidden(Path(path.name))]


def _hidden(path: Path) -> bool:
    """Files that a system or a program writes next to others: '._ADMISSIONS.csv', '_SUCCESS', '__MACOSX'."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _table_name(path: Path) -> str:
    lower = _COPY.sub("", path.name.lower())
    suffix = form(Path(lower))
    return lower.removesuffix(suffix) if suffix else lower.split(".", 1)[0]


def _archive(path: Path) -> bool:
    return path.name.lower().endswith(_ARCHIVES)


def _check_complete(root: Path, files: Mapping[str, tuple[Path, ...]], source: str) -> None:
    """Every table of the source that the folder's tables come nearest to; what was seen instead is said.

    Raises:
        NotFoundError: one is missing.
    """
    layout = max(
        SOURCES.values() if source == "auto" else [SOURCES[source]],
        key=lambda layout: len(set(layout.required) & set(files)),
    )
    missing = [name for name in layout.required if name not in files]
    if not missing:
        return
    present = ", ".join(sorted(files)) or "none of its tables"
    folders = [root, *(root / name for name in _SUBFOLDERS if (root / name).is_dir())]
    seen = [path for folder in folders for path in _visible(folder)]
    odd = [p.name for p in seen if (_archive(p) and p.is_file()) or _table_name(p) in missing]
    hint = (
        f"Seen there and not read: {', '.join(odd[:5])}. Unpack archives, and save tables as CSV in UTF-8."
        if odd
        else "Put what is missing there; names in either letter case will do, and for MIMIC-IV the release's root."
    )
    raise NotFoundError(
        f"{root} has no table {listed(missing, 'and no ')} (.csv, .csv.gz or .parquet); found: {present}. {hint}"
    )


def _detect(tables: Mapping[str, RawTable], headers: Mapping[str, tuple[str, ...]]) -> str:
    source = sources.detect(headers)
    if source is not None:
        return source
    expected = " nor ".join(
        f"{layout.name} (column{'s' if len(layout.detected_by[1]) > 1 else ''} "
        f"{listed([*layout.detected_by[1]], 'and ')})"
        for layout in SOURCES.values()
        if layout.detected_by[0] in tables
    )
    table = next(tables[t] for t, _ in (layout.detected_by for layout in SOURCES.values()) if t in tables)
    raise InputError(
        f"{table.path} is neither {expected}: its header reads: {', '.join(table.columns)}. "
        "Check that --raw names a folder of raw tables with header lines."
    )


def _checked(root: Path, source: str, tables: Mapping[str, RawTable]) -> RawFolder:
    """The source's own tables with their columns checked; every problem is raised together."""
    layout = SOURCES[source]
    wanted = (*layout.required, *layout.dictionaries)
    own = {name: tables[name] for name in wanted if name in tables}
    problems = [
        f"{table.path} {problem}"
        for name, table in own.items()
        for problem in sources.problems(source, name, table.columns)
    ]
    if problems:
        raise InputError(
            f"Not {layout.name}'s layout: {'; '.join(problems)}. "
            "Give the tables as PhysioNet distributes them, with a header line; letter case does not matter."
        )
    notes = [
        f"{table.path.name} lacks {absence}."
        for name, table in own.items()
        for absence in sources.absences(source, name, table.columns)
    ]
    notes += sources.absent_tables(source, own)
    folders = {root, root.parent, *(table.path.parent for table in own.values())}
    return RawFolder(root, source, own, read_sums(sorted(folders)), tuple(notes))


def _table(name: str, paths: tuple[Path, ...]) -> RawTable:
    if form(paths[0]) == PARQUET:
        return RawTable(name, paths, _parquet_columns(paths[0]))
    header, rows = _start(paths[0])
    return RawTable(name, paths, header, rows)


def _parquet_columns(path: Path) -> tuple[str, ...]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return tuple(name.lower() for name in parquet.read_schema(path).names)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).split("\n", 1)[0]
        raise InputError(f"{path} cannot be read ({reason}): expected Parquet. Download it again.") from error


def _start(path: Path) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The header's cells, lower-case, and the rows after it as far as the first 64 KiB go.

    Raises:
        InputError: nothing in the file, not what its name says, or not text in UTF-8.
    """
    start = b""
    for block in plain_blocks(path):
        start += block
        if len(start) >= _HEADER_BYTES:
            break
    start = start[:_HEADER_BYTES]
    if not start.strip():
        raise InputError(f"{path} is empty: expected a header line and rows. Download it again.")
    other = next((what for begin, what in _NO_TABLES.items() if start.lstrip().lower().startswith(begin)), "")
    if other:
        raise InputError(f"{path} is {other}: expected CSV with a header line. Download it again.")
    if b"\0" in start:
        raise InputError(f"{path} is not text in UTF-8: expected CSV. Save it as CSV in UTF-8.")
    try:
        # The cut may fall within a character: only the first line has to decode.
        line, _, rest = start.replace(b"\r\n", b"\n").replace(b"\r", b"\n").partition(b"\n")
        cells = next(csv.reader(io.StringIO(line.decode("utf-8-sig")), strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: the header line cannot be read ({error}). Save it as CSV in UTF-8."
        ) from error
    if len(cells) == 1 and (
        apart := next((name for sign, name in _SEPARATORS.items() if sign in cells[0]), "")
    ):
        raise InputError(
            f"{path}: {apart} stand between its cells, where commas are expected. Save it as CSV with commas."
        )
    return tuple(cell.strip().lower() for cell in cells), tuple(_rows(rest.decode("utf-8", "replace")))


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    """The whole lines of a text as cells, as far as they can be read."""
    try:
        yield from map(tuple, csv.reader(io.StringIO(text.rpartition("\n")[0])))
    except csv.Error:
        return

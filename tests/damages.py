"""A generator of damaged raw tables: every way in which a file was seen to arrive, and what reading must make of it.

Each kind is one damage to the hand-written hospital. "same": the rows are read as if nothing had happened; "counted": some
lines or cells are set aside and counted, the others are read; "refused": one sentence says what is wrong.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from tests import raw_tables

TABLES = ("PATIENTS", "ADMISSIONS", "DIAGNOSES_ICD", "PROCEDURES_ICD", "PRESCRIPTIONS")
Change = Callable[[bytes], bytes]
Work = Callable[[Path], object]


@dataclass(frozen=True)
class Damage:
    """One damage to one table, or to the folder."""

    kind: str
    outcome: str  # "same", "counted" or "refused"
    apply: Work  # damages a folder that `raw_tables.write` wrote
    table: str = ""  # the one whose file is damaged; "" for the folder, or where cells of a sound file are
    expected: str = ""  # the reason that is counted, or words of the refusal
    layout: str = "mimic3"

    def write(self, raw: Path) -> Path:
        """The damaged tables."""
        tables = raw_tables.mimic3() if self.layout == "mimic3" else raw_tables.mimic4()
        self.apply(raw_tables.write(raw, tables))
        return raw


def _replaced(table: str, suffix: str, change: Change) -> Work:
    """The table's file with other bytes under another suffix."""

    def damage(raw: Path) -> None:
        path = raw / f"{table}.csv"
        data = path.read_bytes()
        path.unlink()
        path.with_name(f"{table}{suffix}").write_bytes(change(data))

    return damage


def edit(table: str, old: bytes, new: bytes, count: int = 1) -> Work:
    """Other bytes in place of the first of these in a table."""

    def damage(raw: Path) -> None:
        path = raw / f"{table}.csv"
        data = path.read_bytes()
        assert old in data
        path.write_bytes(data.replace(old, new, count))

    return damage


def append(table: str, *lines: bytes) -> Work:
    """Further lines at the end of a table."""
    return lambda raw: (raw / f"{table}.csv").open("ab").write(b"\n".join(lines) + b"\n")


def _instead(table: str, make: Callable[[Path], object]) -> Work:
    """Something else where the table's file was."""

    def damage(raw: Path) -> None:
        (raw / f"{table}.csv").unlink()
        make(raw / f"{table}.csv")

    return damage


def _lines(data: bytes) -> list[bytes]:
    return data.splitlines()


def _line_ends(*ends: bytes) -> Change:
    """The line ends by turns."""
    return lambda data: b"".join(line + ends[i % len(ends)] for i, line in enumerate(_lines(data)))


def _last_line(change: Change) -> Change:
    def damage(data: bytes) -> bytes:
        lines = _lines(data)
        return b"\n".join([*lines[:-1], change(lines[-1])]) + b"\n"

    return damage


def _header(change: Change) -> Change:
    def damage(data: bytes) -> bytes:
        first, _, rest = data.partition(b"\n")
        return change(first) + b"\n" + rest

    return damage


def _flip(at: float) -> Change:
    """One bit of the packed bytes turned over, at this share of their length."""

    def damage(data: bytes) -> bytes:
        packed = bytearray(gzip.compress(data, mtime=0))
        packed[int(len(packed) * at)] ^= 1
        return bytes(packed)

    return damage


def _zip(*names: str, flip: bool = False) -> Change:
    def pack(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(name, data)
        packed = bytearray(stream.getvalue())
        if flip:
            packed[packed.index(data[-20:])] ^= 1
        return bytes(packed)

    return pack


def _zst(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def _parquet(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    text = csv.ConvertOptions(strings_can_be_null=True, include_missing_columns=True)
    names = data.split(b"\n", 1)[0].decode().split(",")
    text.column_types = {name: pa.string() for name in names}
    parquet.write_table(csv.read_csv(io.BytesIO(data), convert_options=text), sink)
    return bytes(sink.getvalue())


def _width(data: bytes) -> int:
    return len(data.split(b"\n")[0].split(b","))


def _quoted(data: bytes) -> bytes:
    return b"\n".join(b",".join(b'"%s"' % cell for cell in line.split(b",")) for line in _lines(data)) + b"\n"


def _reordered(data: bytes) -> bytes:
    return b"\n".join(b",".join(reversed(line.split(b","))) for line in _lines(data)) + b"\n"


def _only_header(table: str) -> Work:
    return lambda raw: _replaced(table, ".csv", lambda data: data.split(b"\n")[0] + b"\n")(raw)


SAME: dict[str, tuple[str, Change]] = {
    "windows line ends": (".csv", _line_ends(b"\r\n")),
    "old Mac line ends": (".csv", _line_ends(b"\r")),
    "line ends by turns": (".csv", _line_ends(b"\r\n", b"\n")),
    "one line end of another kind": (".csv", _last_line(lambda line: line + b"\r")),
    "three kinds of line end": (".csv", _line_ends(b"\n", b"\r\n", b"\r")),
    "mixed line ends, packed": (".csv.gz", lambda data: gzip.compress(_line_ends(b"\r\n", b"\n")(data))),
    "a byte order mark": (".csv", lambda data: b"\xef\xbb\xbf" + data),
    "no last line end": (".csv", lambda data: data.rstrip(b"\n")),
    "blank lines": (".csv", lambda data: data.replace(b"\n", b"\n\n")),
    "every cell quoted": (".csv", _quoted),
    "columns in another order": (".csv", _reordered),
    "a lower-case header": (".csv", _header(bytes.lower)),
    "blanks in the header": (".csv", _header(lambda line: line.replace(b",", b" , "))),
    "an upper-case suffix": (".CSV", bytes),
    "gzip": (".csv.gz", gzip.compress),
    "gzip in two members": (".csv.gz", lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:])),
    "gzip padded with zeros": (".csv.gz", lambda data: gzip.compress(data) + bytes(512)),
    "zip": (".csv.zip", _zip("table.csv")),
    "zip named after the table": (".zip", _zip("table.csv")),
    "zip of a Mac": (".csv.zip", _zip("table.csv", "__MACOSX/._table.csv")),
    "zstandard": (".csv.zst", _zst),
    "bzip2": (".csv.bz2", bz2.compress),
    "xz": (".csv.xz", lzma.compress),
    "Parquet": (".parquet", _parquet),
    "a browser's second copy": (" (1).csv", bytes),
    "ids as decimals": (".csv", lambda data: data.replace(b",10,", b",10.0,").replace(b",20,", b",20.0,")),
    "UTF-16": (".csv", lambda data: data.decode().encode("utf-16")),
    "lines in another order": (
        ".csv",
        lambda data: b"\n".join([_lines(data)[0], *reversed(_lines(data)[1:])]) + b"\n",
    ),
    "UTF-16 from the high byte, packed": (
        ".csv.gz",
        lambda data: gzip.compress(("\ufeff" + data.decode()).encode("utf-16-be")),
    ),
}
COUNTED: dict[str, tuple[Change, str]] = {
    "a line of too few cells": (lambda data: data + b"1,20\n", "too few cells"),
    "a line of too many cells": (lambda data: data + b"1,2,3,4,5,6,7,8,9,10,11,12\n", "too many cells"),
    "a line that is not UTF-8": (lambda data: data + b",".join([b"\xe9"] * _width(data)) + b"\n", "not UTF-8"),
    "a line with a stray quote": (
        lambda data: data + b'"a"b' + b"," * (_width(data) - 1) + b"\n", "quotes do not match",
    ),
    "a download cut within a line": (lambda data: data.rstrip(b"\n").rpartition(b",")[0], "too few cells"),
}  # fmt: skip
REFUSED: dict[str, tuple[str, Change]] = {
    "a checksum that is wrong": (".csv.gz", lambda data: gzip.compress(data)[:-8] + bytes(4) + gzip.compress(data)[-4:]),
    "a length that is wrong": (".csv.gz", lambda data: gzip.compress(data)[:-4] + b"\1\1\1\1"),
    "a bit turned over early": (".csv.gz", _flip(0.3)),
    "a bit turned over in the middle": (".csv.gz", _flip(0.5)),
    "a bit turned over late": (".csv.gz", _flip(0.8)),
    "gzip cut in half": (".csv.gz", lambda data: gzip.compress(data)[: len(gzip.compress(data)) // 2]),
    "gzip without its end": (".csv.gz", lambda data: gzip.compress(data)[:-6]),
    "gzip with other bytes after it": (".csv.gz", lambda data: gzip.compress(data) + b"more"),
    "plain text named gzip": (".csv.gz", bytes),
    "gzip named plain text": (".csv", gzip.compress),
    "zip with a wrong checksum": (".csv.zip", _zip("table.csv", flip=True)),
    "zip of two tables": (".csv.zip", _zip("a.csv", "b.csv")),
    "zip cut short": (".csv.zip", lambda data: _zip("table.csv")(data)[:-10]),
    "an empty zip": (".csv.zip", _zip()),
    "zstandard cut short": (".csv.zst", lambda data: _zst(data)[:-9]),
    "bzip2 cut short": (".csv.bz2", lambda data: bz2.compress(data)[:-9]),
    "xz cut short": (".csv.xz", lambda data: lzma.compress(data)[:-9]),
    "Parquet cut short": (".parquet", lambda data: _parquet(data)[:-9]),
    "text named Parquet": (".parquet", bytes),
    "a zero byte": (".csv", _last_line(lambda line: line + b"\0")),
    "a block of zeros at the end": (".csv", lambda data: data + bytes(4096)),
    "a block of zeros for rows": (".csv", lambda data: data.split(b"\n")[0] + b"\n" + bytes(4096)),
    "UTF-16 cut short": (".csv", lambda data: data.decode().encode("utf-16")[:-1]),
    "UTF-16 without a mark": (".csv", lambda data: data.decode().encode("utf-16-be")),
    "UTF-32": (".csv", lambda data: data.decode().encode("utf-32")),
    "nothing in the file": (".csv", lambda data: b""),
    "nothing in the gzip": (".csv.gz", lambda data: gzip.compress(b"")),
    "only blanks": (".csv", lambda data: b" \n\n"),
    "no header": (".csv", lambda data: data.partition(b"\n")[2]),
    "semicolons": (".csv", lambda data: data.replace(b",", b";")),
    "tabs": (".csv", lambda data: data.replace(b",", b"\t")),
    "a page of a web server": (".csv", lambda data: b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"),
    "a pointer of a version control": (".csv", lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
    "a header whose quote stays open": (".csv", lambda data: b'"' + data),
    "a quote that stays open": (".csv", lambda data: data + b'"x,' + b"1,20,2160-01-01,MAIN,Warfarin,,PO\n" * 500),
    "the patient's column is gone": (".csv", lambda data: data.replace(b"SUBJECT_ID", b"PERSON", 1)),
    "the patient's column twice": (".csv", lambda data: data.replace(b"\n", b",1\n").replace(b",1\n", b",SUBJECT_ID\n", 1)),
}  # fmt: skip


WORDS = {
    "semicolons": "semicolons stand between its cells",
    "UTF-16 without a mark": "not text in UTF-8",
    "plain text named gzip": "cannot be read",
    "gzip cut in half": "cannot be read",
    "nothing in the gzip": "is empty",
    "nothing in the file": "is empty",
    "only blanks": "is empty",
    "a quote that stays open": "a quotation mark opens",
    "a page of a web server": "is a web page",
    "a pointer of a version control": "is a Git LFS pointer",
    "gzip named plain text": "its name lacks .gz",
}
"""What the refusals of some of these say."""
FOLDERS: dict[str, tuple[Work, str]] = {
    "a table is missing": (lambda raw: (raw / "PRESCRIPTIONS.csv").unlink(), "no table prescriptions"),
    "two tables are missing": (
        lambda raw: [(raw / f"{n}.csv").unlink() for n in ("PATIENTS", "ADMISSIONS")],
        "no table patients and no admissions",
    ),
    "a table stands twice": (
        lambda raw: (raw / "patients.csv.gz").write_bytes(gzip.compress((raw / "PATIENTS.csv").read_bytes())),
        "Two files for the table patients",
    ),
    "a download that did not end": (
        lambda raw: (raw / "PATIENTS.csv").rename(raw / "PATIENTS.csv.part"), "no table patients",
    ),
    "a link to nothing": (_instead("PATIENTS", lambda path: path.symlink_to("nowhere")), "Seen there and not read: PATIENTS.csv"),
    "a folder named like a table": (_instead("PATIENTS", lambda path: path.mkdir()), "Seen there and not read: PATIENTS.csv"),
    "a pipe named like a table": (_instead("PATIENTS", lambda path: os.mkfifo(path)), "no table patients"),
    "one table's rows in another's file": (
        lambda raw: (raw / "PRESCRIPTIONS.csv").write_bytes((raw / "PATIENTS.csv").read_bytes()), "no column",
    ),
    "a file that the list of checksums does not know so": (
        lambda raw: (raw / "SHA256SUMS.txt").write_text(f"{'0' * 64}  PATIENTS.csv\n"), "SHA256SUMS.txt lists",
    ),
    "a list of checksums that is no text": (
        lambda raw: (raw / "SHA256SUMS.txt").write_bytes(b"\xff\xfe\x00"), "SHA256SUMS.txt cannot be read",
    ),
    "a column is missing": (edit("PRESCRIPTIONS", b"DRUG,", b"NAME,"), "no column drug "),
    "several columns are missing": (edit("ADMISSIONS", b"HADM_ID,ADMITTIME", b"A,B"), "hadm_id and admittime"),
    "a column stands twice": (edit("PRESCRIPTIONS", b"STARTDATE", b"DRUG"), "the column drug twice"),
    "no header where the layout shows": (
        edit("DIAGNOSES_ICD", b"SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE\n", b""), "neither MIMIC-III",
    ),
    "another layout": (edit("DIAGNOSES_ICD", b"ICD9_CODE", b"CODE"), "neither MIMIC-III"),
    "layouts are mixed": (edit("DIAGNOSES_ICD", b"ICD9_CODE", b"ICD_CODE,ICD_VERSION"), "Not MIMIC-IV's layout"),
    "no orders": (_only_header("PRESCRIPTIONS"), "header line and no rows"),
    "no admissions": (_only_header("ADMISSIONS"), "header line and no rows"),
    "visits without diagnoses": (
        lambda raw: (raw / "DIAGNOSES_ICD.csv").write_bytes(b"SUBJECT_ID,HADM_ID,SEQ_NUM,ICD9_CODE\n7,77,1,4280\n"),
        "No visit is left",
    ),
    "a marker that is no JSON": (lambda raw: (raw / "SYNTHETIC.json").write_text("yes"), "SYNTHETIC.json"),
    "most of a table's ids are words": (edit("PRESCRIPTIONS", b"\n1,", b"\none,", 9), "of 14 rows"),
    "a header between the rows, and more that is unreadable": (
        append("PRESCRIPTIONS", *[b"SUBJECT_ID,HADM_ID,STARTDATE,DRUG_TYPE,DRUG,NDC,ROUTE"] * 4), "4 of 18 rows",
    ),
}  # fmt: skip
LINE = "unreadable line: "
ID = "unreadable patient or admission id"
NO_ID = "missing patient or admission id"
NO_TIME = "missing or unreadable admission time"


def _diagnosis(patient: str, visit: str, number: str = "9", code: str = "4280") -> Work:
    return append("DIAGNOSES_ICD", f"{patient},{visit},{number},{code}".encode())


def _order(patient: str, visit: str) -> Work:
    return append("PRESCRIPTIONS", f"{patient},{visit},2160-05-01,MAIN,Warfarin,,PO".encode())


def _stay(admitted: str, discharged: str = "", patient: str = "1", visit: str = "91") -> Work:
    return append("ADMISSIONS", f"{patient},{visit},{admitted},{discharged},EMERGENCY,,,,,".encode())


CELLS: dict[str, dict[str, tuple[Work, str]]] = {
    "PRESCRIPTIONS": {
        "an admission id in words": (_order("1", "abc"), ID),
        "an order without an admission": (_order("1", ""), NO_ID),
        "an order of the admission NULL": (_order("1", "NULL"), NO_ID),
        "an order of no known admission": (_order("1", "21"), "unknown admission"),
        "a header between the rows": (
            append("PRESCRIPTIONS", b"SUBJECT_ID,HADM_ID,STARTDATE,DRUG_TYPE,DRUG,NDC,ROUTE"), ID,
        ),
        "one line of two of an open quote": (append("PRESCRIPTIONS", b'1,20,2160,MAIN,"Warf,,PO'), f"{LINE}quotes do not match"),
        "the other line": (append("PRESCRIPTIONS", b'1,20,2160,MAIN,War"f,,PO'), f"{LINE}quotes do not match"),
    },
    "DIAGNOSES_ICD": {
        "an admission id with a fraction": (_diagnosis("1", "20.5"), ID),
        "an id in scientific notation": (_diagnosis("1", "2e1"), ID),
        "an id too long for a number": (_diagnosis("1", "99999999999999999999"), ID),
        "an id with a thousands separator": (_diagnosis("1", '"2,020"'), ID),
        "an id in base 16": (_diagnosis("1", "0x14"), ID),
        "an id in another script's digits": (_diagnosis("1", "٢٠"), ID),
        "an id below zero": (_diagnosis("1", "-20"), "unknown admission"),
        "an id of zero": (_diagnosis("1", "0"), "unknown admission"),
        "an id of \\N": (_diagnosis("1", "\\N"), NO_ID),
        "another patient's admission": (_diagnosis("2", "20"), "admission of another patient"),
        "a sequence number in words": (_diagnosis("1", "20", "two"), "unreadable sequence number"),
        "a code that is none": (_diagnosis("1", "20", code="4-28"), "not an ICD code"),
        "a code in words": (_diagnosis("1", "20", code="heart failure"), "not an ICD code"),
        "a code of NaN": (_diagnosis("1", "20", code="nan"), "missing code"),
    },
    "ADMISSIONS": {
        "an admission time that is none": (_stay("2170-13-01"), NO_TIME),
        "an admission time of another age": (_stay("0001-01-01", visit="92"), NO_TIME),
        "a missing admission time": (_stay("", visit="93"), NO_TIME),
        "an admission time of NaT": (_stay("NaT", visit="94"), NO_TIME),
        "the 30th of February": (_stay("2170-02-30 00:00:00", visit="95"), NO_TIME),
        "an hour of 25": (_stay("2170-01-01 25:00:00", visit="96"), NO_TIME),
        "a time in seconds": (_stay("6311433600", visit="97"), NO_TIME),
        "a discharge that is none": (_stay("2170-01-01", "soon", visit="98"), "unreadable discharge time"),
        "a discharge before admission": (_stay("2170-01-01", "2169-01-01", visit="99"), "discharge before admission"),
        "an admission twice": (_stay("2199-01-01", visit="20"), "duplicate admission"),
        "an admission of nobody": (_stay("2199-01-01", patient="8", visit="80"), "unknown patient"),
    },
    "PATIENTS": {
        "a date of birth that is none": (edit("PATIENTS", b"2100-06-01 00:00:00", b"June"), "unreadable date of birth"),
        "a birth after admission": (edit("PATIENTS", b"2150-01-01", b"2199-01-01"), "birth after admission"),
        "a patient twice": (append("PATIENTS", b"9,1,M,2100-06-01"), "duplicate patient"),
        "a patient id in words": (append("PATIENTS", b"9,x,M,2100-06-01"), "unreadable patient id"),
    },
    "diagnoses_icd": {
        "a version of the ICD that is none": (append("diagnoses_icd", b"1,20,9,4280,11"), "unknown ICD version"),
    },
    "patients": {
        "a birth after admission, by age and year": (edit("patients", b"20,2170", b"0,2199"), "birth after admission"),
    },
}  # fmt: skip
"""By table, in small letters for MIMIC-IV's: damage to single cells, and the reason under which it is counted."""


def damages() -> Iterator[Damage]:
    """Every kind of damage; those to a whole file in one of the tables by turns."""
    number = 0
    for outcome, kinds in (("same", SAME), ("counted", COUNTED), ("refused", REFUSED)):
        for kind in kinds:
            yield of_table(kind, outcome, TABLES[number % len(TABLES)])
            number += 1
    for kind, (work, expected) in FOLDERS.items():
        yield Damage(kind, "refused", work, expected=expected)
    for table, cells in CELLS.items():
        for kind, (work, reason) in cells.items():
            yield Damage(
                kind, "counted", work, expected=reason, layout="mimic3" if table.isupper() else "mimic4"
            )


def of_table(kind: str, outcome: str, table: str) -> Damage:
    """A damage to a whole file, of this table."""
    if outcome == "counted":
        change, reason = COUNTED[kind]
        work, expected = _replaced(table, ".csv", change), f"{LINE}{reason}"
    else:
        suffix, change = (SAME if outcome == "same" else REFUSED)[kind]
        work, expected = (
            _replaced(table, suffix, change),
            WORDS.get(kind, table if outcome == "refused" else ""),
        )
    return Damage(f"{kind}: {table}", outcome, work, table, expected)

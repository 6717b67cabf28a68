"""A generator of damaged raw tables: every way in which a file was seen to arrive, and what reading must make of it.

Each kind is one damage to one table of the hand-written hospital. "same": the rows are read as if nothing had happened;
"counted": some lines are set aside and counted, the others are read; "refused": one sentence names the file.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

TABLES = ("PATIENTS", "ADMISSIONS", "DIAGNOSES_ICD", "PROCEDURES_ICD", "PRESCRIPTIONS")
Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Damage:
    """One damage to one table."""

    kind: str
    table: str
    outcome: str  # "same", "counted" or "refused"
    suffix: str
    change: Change

    def apply(self, raw: Path) -> None:
        """Damage the table of a folder that `raw_tables.write` wrote."""
        path = raw / f"{self.table}.csv"
        data = path.read_bytes()
        path.unlink()
        path.with_name(f"{self.table}{self.suffix}").write_bytes(self.change(data))


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
    "UTF-16 from the high byte, packed": (
        ".csv.gz",
        lambda data: gzip.compress(("\ufeff" + data.decode()).encode("utf-16-be")),
    ),
}
COUNTED: dict[str, tuple[str, Change]] = {
    "a line of too few cells": (".csv", lambda data: data + b"1,20\n"),
    "a line of too many cells": (".csv", lambda data: data + b"1,2,3,4,5,6,7,8,9,10,11,12\n"),
    "a line that is not UTF-8": (
        ".csv",
        lambda data: data + b",".join([b"\xe9"] * len(data.split(b"\n")[0].split(b","))) + b"\n",
    ),
    "a line with a stray quote": (
        ".csv",
        lambda data: data + b'"a"b' + b"," * data.split(b"\n")[0].count(b",") + b"\n",
    ),
    "a download cut within a line": (".csv", lambda data: data.rstrip(b"\n").rpartition(b",")[0]),
}
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


def damages() -> Iterator[Damage]:
    """Every kind of damage, each to two tables by turns."""
    number = 0
    for outcome, kinds in (("same", SAME), ("counted", COUNTED), ("refused", REFUSED)):
        for kind, (suffix, change) in kinds.items():
            for step in range(2):
                table = TABLES[(number + 2 * step) % len(TABLES)]
                yield Damage(f"{kind}: {table}", table, outcome, suffix, change)
            number += 1

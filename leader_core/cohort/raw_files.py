"""One raw file before it is read: its form, its SHA-256, its checksum and line ends; what is no plain CSV is unpacked.

DuckDB reads gzipped CSV itself, but on one core and without checking its checksum, and it does not survive mixed line
ends.
"""

from __future__ import annotations

import bz2
import codecs
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from leader_core.errors import InputError
from leader_core.files import sha256_file

PARQUET: Final = ".parquet"
SUFFIXES: Final = (".csv", ".csv.gz", ".csv.zip", ".zip", ".csv.zst", ".csv.bz2", ".csv.xz", PARQUET)
SUMS: Final = "SHA256SUMS.txt"
_BLOCK: Final = 1 << 20
_BROKEN: Final = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    RuntimeError,
    UnicodeError,
)
_SUM_LINE: Final = re.compile(r"([0-9a-fA-F]{64}) [ *](.+)")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A raw file that may be read."""

    path: Path  # what to read: the file itself, or its text unpacked
    digest: str  # sha256 of the file as given
    note: str | None = None  # what a person should know of it


def check_file(path: Path, folder: Path, sums: Mapping[str, str]) -> CheckedFile:
    """Read a file once from end to end, before anything is taken from it.

    Args:
        path: the file.
        folder: for the text of a file that is no plain CSV.
        sums: file name -> SHA-256 that the release's own list gives.

    Raises:
        InputError: a file that is damaged, or not the one that the release lists.
    """
    digest = sha256_file(path)
    expected = sums.get(path.name.lower())
    if expected is not None and expected != digest:
        raise InputError(
            f"{path} is not the file that {SUMS} lists: its SHA-256 is {digest[:12]}…, expected {expected[:12]}…. "
            f"Download it again; if it was changed on purpose, move {SUMS} away."
        )
    if form(path) == PARQUET:
        return CheckedFile(path, digest)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{path.name}.plain.csv"
    with copy.open("wb") if form(path) != ".csv" else nullcontext() as stream:
        scan = _scan(path, stream)
    if scan.line_ends or scan.recoded:
        with copy.open("wb") as stream:
            for block in _one_line_end(plain_blocks(path)) if scan.line_ends else plain_blocks(path):
                stream.write(block)
    note = f"{path.name} mixes kinds of line end; each was read as the end of a line." if scan.mixed else None
    return CheckedFile(copy if copy.exists() else path, digest, note)


def form(path: Path) -> str:
    """The suffix of `SUFFIXES` that a file's name ends in; '' for another."""
    lower = path.name.lower()
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if lower.endswith(suffix)), "")


def plain_blocks(path: Path) -> Iterator[bytes]:
    """The text of a CSV file in UTF-8, decompressed, in pieces.

    Raises:
        InputError: a compressed file that is damaged, encrypted, or holds several files; UTF-16 that breaks off.
    """
    try:
        with path.open("rb") as stream:
            yield from _as_utf8(_blocks(path, stream))
    except _BROKEN as error:
        raise InputError(
            f"{path} cannot be read ({error}): expected {_called(path)}. Download it again."
        ) from error


def read_sums(folders: list[Path]) -> dict[str, str]:
    """File name (lower-case) -> SHA-256, from the lists that releases carry; a name listed twice is left out.

    Raises:
        InputError: a list that cannot be read.
    """
    sums: dict[str, str] = {}
    twice: set[str] = set()
    for path in [folder / SUMS for folder in folders if (folder / SUMS).is_file()]:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read ({error}). Download it again, or move it away."
            ) from error
        for match in filter(None, map(_SUM_LINE.fullmatch, map(str.strip, lines))):
            name = match[2].replace("\\", "/").rsplit("/", 1)[-1].lower()
            if sums.setdefault(name, match[1].lower()) != match[1].lower():
                twice.add(name)
    return {name: digest for name, digest in sums.items() if name not in twice}


@dataclass(frozen=True, slots=True)
class _Scan:
    line_ends: bool  # other line ends than one kind the reader takes
    mixed: bool  # several kinds
    recoded: bool  # a plain file in UTF-16


def _scan(path: Path, copy: IO[bytes] | None) -> _Scan:
    """Line ends, and bytes that no text has, in one pass that also writes the text into `copy`."""
    alone = pairs = ends = size = 0
    before = b""
    for block in plain_blocks(path):
        if b"\0" in block:
            at = size + block.index(b"\0")
            raise InputError(
                f"{path} holds a zero byte (at byte {at:,}), which no text has: the file is damaged, or not text in "
                "UTF-8. Download it again, or save it as CSV in UTF-8."
            )
        size += len(block)
        if copy is not None:
            copy.write(block)
        if b"\r" in block or before == b"\r":
            pairs += (before + block).count(b"\r\n")
            alone += block.count(b"\r")
            ends += block.count(b"\n")
        elif not ends or pairs:
            ends += block.count(b"\n")  # counting goes on only where a \r was seen: most files have none
        before = block[-1:]
    odd = bool(alone) and not alone == pairs == ends
    return _Scan(odd, odd and bool(ends), copy is None and size != path.stat().st_size)


def _as_utf8(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Text in UTF-16 that begins with a byte order mark, as spreadsheets and PowerShell save it, in UTF-8; other as it is."""
    first = next(blocks, b"")
    if not first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield first
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder("utf-16")()
    for block in chain((first,), blocks):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _one_line_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    r"""The same text with `\n` at the end of every line."""
    held = b""
    for block in blocks:
        text = held + block
        held = b"\r" if text.endswith(b"\r") else b""
        yield text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if held:
        yield b"\n"


def _blocks(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    kind = form(path)
    if kind == ".csv.gz":
        yield from _gunzip(stream)
        return
    if kind in (".zip", ".csv.zip"):
        yield from _unzip(path)
        return
    with _decompressor(kind)(stream) as opened:
        while block := opened.read(_BLOCK):
            yield block


def _decompressor(kind: str) -> Callable[[IO[bytes]], Any]:
    if kind == ".csv.zst":
        import pyarrow as pa

        return lambda stream: pa.CompressedInputStream(pa.PythonFile(stream), "zstd")
    return {".csv.bz2": bz2.BZ2File, ".csv.xz": lzma.LZMAFile}.get(kind, nullcontext)


def _gunzip(stream: IO[bytes]) -> Iterator[bytes]:
    """Every member of a gzip, its checksum and length checked; zeros after the last are padding, as for `gzip -t`.

    No piece is larger than a block, however far the file was packed.
    """
    decoder = zlib.decompressobj(31)
    while data := stream.read(_BLOCK):
        while data:
            if decoder.eof:
                if not (data := data.lstrip(b"\0")):
                    break
                decoder = zlib.decompressobj(31)
            if text := decoder.decompress(data, _BLOCK):
                yield text
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if not decoder.eof:
        raise EOFError("the file ends before its end marker")


def _unzip(path: Path) -> Iterator[bytes]:
    """The only file in an archive."""
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not _hidden(m.filename)]
        if len(members) != 1:
            names = ", ".join(m.filename for m in members[:8]) or "nothing"
            raise InputError(
                f"{path} holds {names}: expected one CSV file. Unpack the archive, and give the folder of its files."
            )
        with archive.open(members[0]) as stream:
            while block := stream.read(_BLOCK):
                yield block


def _hidden(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")


def _called(path: Path) -> str:
    names = {".csv": "CSV", ".csv.gz": "gzip-compressed CSV", PARQUET: "Parquet"}
    return names.get(form(path), "one compressed CSV file")

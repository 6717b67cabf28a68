"""The words of a PDF as `dashboard.report.pdf` writes it: its pages unpacked, glyphs read back by the fonts' own tables.

Reads what fpdf2 writes and no more: fonts named F1, F2 and so on in the order of their tables, text as pairs of bytes.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

_STREAM: Final = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_LETTER: Final = re.compile(rb"<([0-9A-F]{4})> <([0-9A-F]+)>")
_PIECE: Final = re.compile(rb"/F(\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_LETTERS: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def words(data: bytes) -> str:
    """Everything that stands on the pages, in the order it was written."""
    return " ".join(pages(data))


def pages(data: bytes) -> list[str]:
    """The words of each page."""
    streams = [_unpacked(result) for result in _STREAM.findall(data)]
    tables = [_table(stream) for stream in streams if b"beginbfchar" in stream]
    return [" ".join(_texts(stream, tables)) for stream in streams if b" Tj" in stream]


def _unpacked(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return stream


def _table(stream: bytes) -> dict[int, str]:
    """A font's glyphs as letters."""
    return {
        int(glyph, 16): bytes.fromhex(to.decode()).decode("utf-16-be")
        for glyph, to in _LETTER.findall(stream)
    }


def _texts(stream: bytes, tables: list[dict[int, str]]) -> list[str]:
    font, result = 0, []
    for chosen, shown in _PIECE.findall(stream):
        if chosen:
            font = int(chosen) - 1
            continue
        raw = _ESCAPED.sub(lambda match: _LETTERS.get(match[1], match[1]), shown)
        glyphs = (int.from_bytes(raw[i : i + 2]) for i in range(0, len(raw), 2))
        result.append("".join(tables[font].get(glyph, "?") for glyph in glyphs))
    return result

"""Title vectors stored in a folder, so that students of one cohort read its titles once.

A stored file is a pure function of the base and the titles, both of which
stand in its name as a digest; it can be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from leader_core.files import replacing_file
from leader_core.student.titles import TitleEncoder, TitleVectors
from leader_core.teacher.config import DEFAULT_BASE


class KeptTitles:
    """Another reader's vectors, looked up in `folder` before they are computed."""

    def __init__(self, reader: TitleVectors, folder: Path) -> None:
        self._reader, self._folder = reader, folder
        self.id, self.sha256 = reader.id, reader.sha256

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self._reader.width

    def encode(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """(n, width); a file that is damaged or of another shape is computed again."""
        digest = hashlib.sha256("\0".join((self.sha256, *titles)).encode()).hexdigest()
        path = self._folder / f"titles-{digest[:16]}.safetensors"
        try:
            vectors = load_file(path)["vectors"]
        except (OSError, SafetensorError, KeyError):
            vectors = np.zeros((0, 0), np.float32)
        if vectors.shape != (len(titles), self.width):
            vectors = self._reader.encode(titles)
            with replacing_file(path) as temporary:
                save_file({"vectors": np.ascontiguousarray(vectors)}, temporary)
        return vectors


class SharedTitles:
    """Another reader's vectors, each title read once for several students of one process."""

    def __init__(self, reader: TitleVectors) -> None:
        self._reader = reader
        self.id, self.sha256 = reader.id, reader.sha256
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return self._reader.width

    def encode(self, titles: Sequence[str]) -> NDArray[np.float32]:
        """(n, width)"""
        new = [title for title in dict.fromkeys(titles) if title not in self._known]
        if new:
            self._known.update(zip(new, self._reader.encode(new), strict=True))
        return np.stack([self._known[title] for title in titles])


def kept_titles(folder: Path | None) -> TitleVectors:
    """The default base's reader, keeping its vectors where a folder is given."""
    reader = TitleEncoder(DEFAULT_BASE)
    return reader if folder is None else KeptTitles(reader, folder)

"""What codes mean: ICD titles and hierarchy, ATC classes, drug strings to ATC."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ASSETS: Final = Path(__file__).parents[2] / "assets" / "terminology"


def table_rows(file: str, folder: Path = ASSETS) -> Iterator[dict[str, str]]:
    """The rows of one of our tables."""
    with (folder / file).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)

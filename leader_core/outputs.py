"""What the commands write, and how an existing file or folder is recognised as one of them.

`leader_core.files` replaces a target only where it is of the same kind: by a model's manifest, the index of teacher states,
a database's own tables, a file's metadata. A folder counts only where it holds nothing but what its description lists.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, Final

from leader_core import sql
from leader_core.files import OutputKind

_LONGEST_JSON: Final = 256 << 20
_DUCKDB: Final = b"DUCK"
DRAW_COLUMNS: Final = ("drug", "route", "expected", "verdict", "remark")
"""Of a draw of drug strings to be judged (`mapping --sample`)."""


def _json_file(path: Path) -> dict[str, Any]:
    """The object of a JSON file; empty where there is none."""
    try:
        if path.stat().st_size > _LONGEST_JSON:
            return {}
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _names(value: Any) -> set[str]:
    """The strings of a JSON list or the keys of a JSON object."""
    return {each for each in value if isinstance(each, str)} if isinstance(value, list | dict) else set()


def _foreign(folder: Path, listed: Collection[str]) -> str:
    """A file of a folder that its description does not list, as a reason; "" where there is none."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in listed and not (path.is_dir() and not path.is_symlink()):
            return f"the folder also holds {name}"
    return ""


def _model(kind: str) -> Callable[[Path], str]:
    def problem(folder: Path) -> str:
        record = _json_file(folder / "manifest.json")
        if record.get("kind") != kind:
            other = record.get("kind")
            return f"it is a {other}'s" if isinstance(other, str) else "its manifest.json names no model"
        return _foreign(folder, {"manifest.json", *_names(record.get("files"))})

    return problem


def _states(folder: Path) -> str:
    record = _json_file(folder / "index.json")
    if "teacher_digest" not in record or not isinstance(record.get("shards"), list):
        return "its index.json lists no teacher states"
    shards = (entry.get("name") for entry in record["shards"] if isinstance(entry, dict))
    return _foreign(folder, {"index.json", *(name for name in shards if isinstance(name, str))})


def _unfinished_states(folder: Path) -> str:
    for path in sorted(folder.iterdir()):
        if not path.name.removeprefix(".").startswith(("states-", "run.json", "index.json")):
            return f"the folder also holds {path.name}"
    return ""


def _baseline(folder: Path) -> str:
    if "validation_prauc" not in _json_file(folder / "baseline.json"):
        return "its baseline.json names no baseline"
    scores = {
        p.relative_to(folder).as_posix()
        for p in (folder / "scores.parquet", *folder.glob("*/scores.parquet"))
    }
    return _foreign(folder, {"baseline.json", *scores})


def _raw_tables(folder: Path) -> str:
    record = _json_file(folder / "SYNTHETIC.json")
    if record.get("synthetic") is not True:
        return "it has no SYNTHETIC.json"
    written = _names(record.get("files")) or {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.csv.gz")
    }
    return _foreign(folder, {"SYNTHETIC.json", *written})


def _database(*tables: str) -> Callable[[Path], str]:
    def problem(path: Path) -> str:
        import duckdb

        with path.open("rb") as stream:
            if stream.read(12)[8:] != _DUCKDB:
                return "it is no DuckDB database"
        try:
            with sql.connect(path, read_only=True) as connection:
                query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
                present = {row[0] for row in connection.execute(query).fetchall()}
        except duckdb.Error as error:
            return f"it cannot be opened ({str(error).splitlines()[0]})"
        missing = sorted({*tables} - present)
        return f"it lacks the table {missing[0]}" if missing and present else ""

    return problem


def _safetensors(*keys: str) -> Callable[[Path], str]:
    def problem(path: Path) -> str:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                return "" if {*keys} <= (file.metadata() or {}).keys() else "it is another file"
        except (OSError, SafetensorError):
            return "it is another file"

    return problem


def _predictions(path: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return "it is no Parquet file"
    return "" if b"leader" in metadata else "it is a Parquet file of something else"


def _result(*keys: str) -> Callable[[Path], str]:
    def problem(path: Path) -> str:
        return "" if {*keys} <= _json_file(path).keys() else "it is another file"

    return problem


def _draw(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.reader(stream)
            if tuple(next(rows, ())) != DRAW_COLUMNS:
                return "it is another file"
            if any(row[3] not in ("", "unmapped") for row in rows if len(row) > 3):
                return "somebody has filled in its column verdict"
    except (ValueError, csv.Error):
        return "it is another file"
    return ""


def _progress(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            first = json.loads(stream.readline(10_000))
    except (ValueError, RecursionError):
        return "it is another file"
    return "" if isinstance(first, dict) and "event" in first else "it is another file"


def _results_page(path: Path) -> str:
    with path.open("rb") as stream:
        return "" if stream.readline().startswith(b"# The demo models") else "it is another file"


COHORT: Final = OutputKind(
    "a cohort database", False, _database("patients", "visits", "visit_codes", "meta"), private=True
)
SCORES: Final = OutputKind(
    "a database of stored scores", False, _database("case_scores", "models", "codes", "meta"), private=True
)
SIMILAR: Final = OutputKind(
    "an index of similar patients", False, _safetensors("student", "cohort", "about"), private=True
)
MODELS: Final = {
    kind: OutputKind(f"a {kind}'s model folder", True, _model(kind)) for kind in ("teacher", "student")
}
CHECKPOINT: Final = OutputKind("the state of a training", False, _safetensors("progress"))
STATES: Final = OutputKind("a folder of teacher states", True, _states, private=True)
UNFINISHED_STATES: Final = OutputKind("unfinished teacher states", True, _unfinished_states, private=True)
BASELINE: Final = OutputKind("a baseline's folder", True, _baseline, private=True)
RAW_TABLES: Final = OutputKind("the tables of a synthetic hospital", True, _raw_tables)
PREDICTIONS: Final = OutputKind("a file of predictions", False, _predictions, private=True)
EXPORTED_SCORES: Final = OutputKind("a file of exported scores", False, _predictions, private=True)
EVALUATION: Final = OutputKind("a result of evaluate", False, _result("model", "cohort", "split", "groups"))
DEMO_EVALUATION: Final = OutputKind("an evaluation of the demo", False, _result("cohorts", "reference"))
FAITHFULNESS: Final = OutputKind("a result of faithfulness", False, _result("model", "deletion", "insertion"))
REAL_DATA: Final = OutputKind("a result of realdata", False, _result("cohort", "folds", "models"))
BENCHMARK: Final = OutputKind("a result of benchmark", False, _result("machine"))
DRAW: Final = OutputKind("a draw of drug strings that nobody has judged", False, _draw)
PROGRESS: Final = OutputKind("a file of a command's progress", False, _progress, private=True)
RESULTS_PAGE: Final = OutputKind("a page of the demo's results", False, _results_page)

Outputs = Iterable[tuple[Path, OutputKind]]

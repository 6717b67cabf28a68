"""Reading stored scores into arrays: one SQL file per question, Arrow in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core import sql
from leader_core.error_analysis.frame import (
    PROFILE,
    Bools,
    Choices,
    Column,
    Frame,
    StoredMetrics,
    age_column,
    band_column,
    flag_column,
    rows_of,
    text_column,
)
from leader_core.evaluation.metrics import ratio

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_FOLDER: Final = "leader_core.error_analysis"
_BLOCK: Final = 8192  # cases read at a time
_MOST_CHAPTERS: Final = 63

ShareProgress = Callable[[float], object]


def _relation(cursor: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None) -> Any:
    """The result of `sql/NAME.sql`, not yet fetched: a relation goes to Arrow without a copy between."""
    return cursor.sql(sql.statement(_FOLDER, name), params=dict(values or {}))


def _table(cursor: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, Any] | None = None) -> Any:
    """A query's result as an Arrow table."""
    return _relation(cursor, name, values).to_arrow_table()


def read_frame(
    cursor: duckdb.DuckDBPyConnection,
    chapters: Sequence[str],
    profile: Sequence[str],
    truncated_by: str | None,
) -> Frame:
    """The scored cases.

    Args:
        cursor: on the cohort, with stored scores attached.
        chapters: of its diagnoses.
        profile: the source's own fields; others are left out of the groupings.
        truncated_by: the model whose cut cases count as cut; None where there is none.
    """
    table = _table(cursor, "cases")
    visit_ids = table["visit_id"].to_numpy()
    numbers = {
        "age": _floats(table["age"]),
        "visits": _floats(table["visit_no"]),
        **{name: _floats(table[name]) for name in ("diagnoses", "procedures", "prescribed")},
    }
    given = numbers["prescribed"]
    return Frame(
        visit_ids=visit_ids,
        patient_ids=table["patient_id"].to_numpy(),
        columns=_columns(table, numbers, profile, _cut(cursor, visit_ids, truncated_by)),
        numbers=numbers,
        chapters=tuple(chapters[:_MOST_CHAPTERS]),
        chapter_bits=_chapter_bits(cursor, visit_ids, chapters[:_MOST_CHAPTERS]),
        real_pairs=(given * (given - 1) / 2).astype(np.float32),
        real_interacting=_floats(table["statistical"]),
    )


def _columns(
    table: pa.Table, numbers: Mapping[str, NDArray[np.float32]], profile: Sequence[str], truncated: Bools
) -> dict[str, Column]:
    columns: dict[str, Column] = {
        "history": flag_column("history", numbers["visits"] > 1, "first visit", "earlier visits"),
        "visits": band_column("visits", numbers["visits"]),
        "age_band": age_column(numbers["age"]),
    }
    for name in (*(n for n in PROFILE if n in profile), "chapter"):
        columns[name] = text_column(name, table[name])
    for name in ("diagnoses", "prescribed"):
        columns[name] = band_column(name, numbers[name])
    columns["truncated"] = flag_column("truncated", truncated, "read whole", "cut to fit")
    columns["split"] = text_column("split", table["split"])
    return columns


def _cut(cursor: duckdb.DuckDBPyConnection, visit_ids: NDArray[np.int64], model: str | None) -> Bools:
    """(N,) which cases a model had to cut."""
    truncated = np.zeros(len(visit_ids), bool)
    if model is not None:
        table = _table(cursor, "case_metrics", {"model": model})
        truncated[rows_of(visit_ids, table["visit_id"].to_numpy())] = table["truncated"].to_numpy()
    return truncated


def _chapter_bits(
    cursor: duckdb.DuckDBPyConnection, visit_ids: NDArray[np.int64], chapters: Sequence[str]
) -> NDArray[np.int64]:
    out = np.zeros(len(visit_ids), np.int64)
    if chapters:
        table = _table(cursor, "chapters", {"chapters": list(chapters)})
        ids, bits = table["visit_id"].to_numpy(), table["bits"].to_numpy()
        scored = np.isin(ids, visit_ids)
        out[rows_of(visit_ids, ids[scored])] = bits[scored]
    return out


def read_metrics(cursor: duckdb.DuckDBPyConnection, frame: Frame, model: str) -> StoredMetrics:
    """One model's metrics of all cases."""
    table = _table(cursor, "case_metrics", {"model": model})
    rows = frame.rows(table["visit_id"].to_numpy())
    scored = np.zeros(len(frame), bool)
    scored[rows] = True

    def spread(values: NDArray[Any]) -> NDArray[np.float32]:
        out = np.full(len(frame), np.nan, np.float32)
        out[rows] = values
        return out

    selected, prescribed, hits = (
        table[name].to_numpy().astype(np.int32) for name in ("selected", "prescribed", "hits")
    )
    agree = (selected == 0) & (prescribed == 0)
    return StoredMetrics(
        scored=scored,
        prauc=spread(_floats(table["prauc"])),
        jaccard=spread(_floats(table["jaccard"])),
        f1=spread(_floats(table["f1"])),
        precision=spread(ratio(hits, selected, agree)),
        recall=spread(ratio(hits, prescribed, agree)),
        medications=spread(selected),
        pairs=spread(selected * (selected - 1) / 2),
        interacting=spread(_floats(table["statistical"])),
    )


_MAP: Final = "SELECT visit_id, x, y FROM stored_scores.case_map"


def read_map(cursor: duckdb.DuckDBPyConnection, frame: Frame) -> NDArray[np.float32]:
    """(N, 2) where each case stands on the map; NaN where none is stored."""
    points = np.full((len(frame), 2), np.nan, np.float32)
    table = cursor.sql(_MAP).to_arrow_table()
    ids = table["visit_id"].to_numpy()
    scored = np.isin(ids, frame.visit_ids)
    places = np.stack([_floats(table["x"]), _floats(table["y"])], axis=1)
    points[frame.rows(ids[scored])] = places[scored]
    return points


def read_choices(
    cursor: duckdb.DuckDBPyConnection, frame: Frame, models: Sequence[str], prescribed: str, classes: int
) -> Choices:
    """What was prescribed and what each model chose, in one list."""
    chosen = [_chosen(cursor, frame, model) for model in (prescribed, *models)]
    parts: list[tuple[NDArray[Any], ...]] = []
    for start in range(0, len(frame), _BLOCK):
        end = min(start + _BLOCK, len(frame))
        bits = np.zeros((end - start, classes), np.uint16)
        for bit, (owners, starts, values) in enumerate(chosen):
            first, last = np.searchsorted(owners, (start, end))
            own = values[starts[first] : starts[last]]
            rows = np.repeat(owners[first:last] - start, np.diff(starts[first : last + 1]))
            bits[rows, own] |= np.uint16(1 << bit)
        rows, numbers = np.nonzero(bits)
        parts.append(((rows + start).astype(np.int32), numbers.astype(np.int16), bits[rows, numbers]))
    if not parts:
        parts = [(np.zeros(0, np.int32), np.zeros(0, np.int16), np.zeros(0, np.uint16))]
    return Choices(tuple(models), *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _chosen(
    cursor: duckdb.DuckDBPyConnection, frame: Frame, model: str
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int16]]:
    """Rows of the frame (rising), where each row's classes begin, and the classes."""
    table = _table(cursor, "chosen", {"model": model})
    lists = table["chosen"].combine_chunks()
    offsets: NDArray[np.int32] = lists.offsets.to_numpy()
    return frame.rows(table["visit_id"].to_numpy()), offsets - offsets[:1], lists.flatten().to_numpy()


def read_probabilities(
    cursor: duckdb.DuckDBPyConnection,
    frame: Frame,
    model: str,
    classes: int,
    progress: ShareProgress | None = None,
) -> NDArray[np.float32]:
    """(N, A) probabilities, 0 where the model has not scored the case; 4 bytes per case and class."""
    out = np.zeros((len(frame), classes), np.float32)
    done = 0
    for batch in _relation(cursor, "probabilities", {"model": model}).to_arrow_reader(_BLOCK):
        rows = frame.rows(batch.column(0).to_numpy())
        scores: NDArray[np.float32] = batch.column(1).flatten().to_numpy(zero_copy_only=False)
        out[rows] = scores.reshape(-1, classes)
        done += len(rows)
        if progress is not None:
            progress(min(1.0, done / max(1, len(frame))))
    return out


def _floats(column: Any) -> NDArray[np.float32]:
    """A column of numbers, NaN where there is none."""
    import pyarrow as pa

    values: NDArray[np.float32] = (
        column.cast(pa.float32()).combine_chunks().to_numpy(zero_copy_only=False).astype(np.float32)
    )
    return values

"""A cohort as large as one likes, with stored scores: a small one repeated under fresh ids, made once and kept.

What is found for one copy is found for every copy, so that texts match as large a share as in the source. Refuses to
know what is measured on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leader_core import sql
from leader_core.cohort import Cohort
from leader_core.errors import LeaderError
from leader_core.files import replacing_file
from leader_core.model_folder import read_manifest
from leader_core.scores import scores_path
from leader_core.scores.store import run as run_scores
from train.console import Report

if TYPE_CHECKING:
    import duckdb

_ROOM: Final = "train.benchmark"
TABLES: Final = (
    "patients",
    "visits",
    "visit_codes",
    "orders",
    "patient_codes",
    "worklist",
    "concepts",
    "meta",
    "accounting",
    "attrition",
    "interactions",
    "ndc_check",
    "rejects",
    "unmapped",
)
SCORE_TABLES: Final = ("meta", "codes", "models", "case_scores")


@dataclass(frozen=True, slots=True)
class Crowd:
    """The repeated cohort and what became of the source."""

    cohort: Path
    patients: int
    copies: int
    made_up_teacher: bool  # its stored scores are the student's of other patients


def crowd(source: Path, models: Path, patients: int, work: Path, report: Report) -> Crowd:
    """A cohort of at least `patients`, with stored scores beside it; what lies in `work` from earlier is used again.

    Raises:
        NotFoundError: no such cohort, or no student in `models`.
    """
    opened = Cohort.open(source)
    here, digest = opened.fingerprint.patients, opened.fingerprint.digest
    opened.close()
    copies = max(1, -(-patients // here))
    work.mkdir(parents=True, exist_ok=True)
    small = scores_path(source)
    if not small.is_file():
        small = work / f"{digest[:12]}.scores.duckdb"
        if not small.is_file():
            report.line(f"scoring {here:,} patients with the student, once")
            _score(source, models, small, report)
    out = work / f"{digest[:12]}-{copies}.duckdb"
    if not out.is_file():
        report.line(f"repeating {here:,} patients {copies} times, once")
        _repeat(source, copies, out)
    if not scores_path(out).is_file():
        _repeat_scores(source, small, models, copies, out)
    return Crowd(out, here * copies, copies, _without_teacher(small))


def _run(
    connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    return sql.run(_ROOM, connection, name, values)


def _score(source: Path, models: Path, out: Path, report: Report) -> None:
    """The student's scores of the source; a teacher would take an hour on a processor."""
    from train.cli import call, parse

    words = ["scores", "--cohort", str(source), "--models", str(models), "--only", "student"]
    call(parse([*words, "--out", str(out)]), report)


def _repeat(source: Path, copies: int, out: Path) -> None:
    import duckdb

    with replacing_file(out) as temporary, duckdb.connect(str(temporary)) as connection:
        _run(connection, "crowd/source", {"path": str(source)})
        _run(connection, "crowd/copies", {"copies": copies})
        for name in TABLES:
            _run(connection, f"crowd/{name}", {"copies": copies})


def _repeat_scores(source: Path, small: Path, models: Path, copies: int, cohort: Path) -> None:
    import duckdb

    opened = Cohort.open(cohort)
    digest = opened.fingerprint.digest
    opened.close()
    values = {"copies": copies, "digest": digest, "teacher_digest": _teacher_digest(models)}
    with replacing_file(scores_path(cohort)) as temporary, duckdb.connect(str(temporary)) as connection:
        _run(connection, "crowd/source", {"path": str(source)})
        _run(connection, "crowd_scores/source", {"path": str(small)})
        _run(connection, "crowd/copies", {"copies": copies})
        for name in SCORE_TABLES:
            _run(connection, f"crowd_scores/{name}", values)
        run_scores(connection, "overview")


def _teacher_digest(models: Path) -> str:
    """The teacher's digest, so that its page takes the stored scores for its own; "" where there is none."""
    try:
        return read_manifest(models / "teacher", kind="teacher").digest
    except LeaderError:
        return ""


def _without_teacher(small: Path) -> bool:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        run_scores(connection, "attach", {"path": str(small)})
        return "teacher" not in {row[0] for row in run_scores(connection, "read_models").fetchall()}

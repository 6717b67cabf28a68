"""A cohort of any size with stored scores: a small one repeated under fresh ids, written once and reused.

A search that matches a patient matches every copy, so that texts match as large a share as in the source.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leader_core import sql
from leader_core.cohort import Cohort
from leader_core.cohort.seal import seal_again
from leader_core.errors import LeaderError
from leader_core.files import replacing_file
from leader_core.model_folder import read_manifest
from leader_core.outputs import COHORT, SCORES
from leader_core.stored_scores import scores_path
from leader_core.stored_scores.store import run as run_scores
from train.console import Report

if TYPE_CHECKING:
    import duckdb

_PACKAGE: Final = "train.benchmark"
TABLES: Final = (
    "patients",
    "visits",
    "visit_codes",
    "orders",
    "patient_codes",
    "worklist",
    "visit_alerts",
    "concepts",
    "meta",
)
UNCHANGED: Final = (
    "CREATE TABLE accounting AS SELECT * FROM source.accounting",
    "CREATE TABLE attrition AS SELECT * FROM source.attrition",
    "CREATE TABLE interactions AS SELECT * FROM source.interactions",
    "CREATE TABLE ndc_check AS SELECT * FROM source.ndc_check",
    "CREATE TABLE rejects AS SELECT * FROM source.rejects",
    "CREATE TABLE unmapped AS SELECT * FROM source.unmapped",
)
"""Nothing in these is counted in patients."""
SCORE_CODES: Final = "CREATE TABLE codes AS SELECT * FROM source_scores.codes"
SCORE_MAP: Final = "CREATE TABLE case_map AS SELECT * FROM source_scores.case_map LIMIT 0"
SCORE_META: Final = """CREATE TABLE meta AS
SELECT m.key, CASE WHEN m.key = 'cohort' THEN $digest ELSE m.value END AS value
FROM source_scores.meta AS m"""


@dataclass(frozen=True, slots=True)
class RepeatedCohort:
    """The repeated cohort and what became of the source."""

    cohort: Path
    patients: int
    copies: int
    made_up_teacher: bool  # its stored scores are the student's of other patients


def repeated_cohort(source: Path, models: Path, patients: int, work: Path, report: Report) -> RepeatedCohort:
    """A cohort of at least `patients`, with stored scores; what is in `work` from an earlier run is used again.

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
    return RepeatedCohort(out, here * copies, copies, _without_teacher(small))


def _run(
    connection: duckdb.DuckDBPyConnection, name: str, values: dict[str, object] | None = None
) -> duckdb.DuckDBPyConnection:
    return sql.run(_PACKAGE, connection, name, values)


def _score(source: Path, models: Path, out: Path, report: Report) -> None:
    """The student's scores of the source; a teacher would take an hour on a processor."""
    from train.cli import call, parse

    words = ["scores", "--cohort", str(source), "--models", str(models), "--only", "student"]
    call(parse([*words, "--out", str(out)]), report)


def _repeat(source: Path, copies: int, out: Path) -> None:
    with replacing_file(out, COHORT) as temporary, sql.connect(temporary) as connection:
        sql.attach(connection, source, "source")
        _run(connection, "crowd/copies", {"copies": copies})
        for name in TABLES:
            _run(connection, f"crowd/{name}", {"copies": copies})
        for statement in UNCHANGED:
            connection.execute(statement)
        seal_again(connection)


def _repeat_scores(source: Path, small: Path, models: Path, copies: int, cohort: Path) -> None:
    opened = Cohort.open(cohort)
    digest = opened.fingerprint.digest
    opened.close()
    teacher_digest, threshold = _served_teacher(models)
    values = {"copies": copies, "teacher_digest": teacher_digest, "teacher_threshold": threshold}
    with replacing_file(scores_path(cohort), SCORES) as temporary, sql.connect(temporary) as connection:
        sql.attach(connection, source, "source")
        sql.attach(connection, small, "source_scores")
        _run(connection, "crowd/copies", {"copies": copies})
        connection.execute(SCORE_META, {"digest": digest})
        connection.execute(SCORE_CODES)
        connection.execute(SCORE_MAP)
        for name in ("models", "case_scores"):
            _run(connection, f"crowd_scores/{name}", values)
        run_scores(connection, "overview")


def _served_teacher(models: Path) -> tuple[str, float]:
    """Digest and threshold of the teacher served, so that the page takes the stored scores for its own; ("", 0.5)
    where there is none."""
    try:
        manifest = read_manifest(models / "teacher", kind="teacher")
    except LeaderError:
        return "", 0.5
    return manifest.digest, manifest.threshold


def _without_teacher(small: Path) -> bool:
    with sql.connect() as connection:
        sql.attach(connection, small, "stored_scores")
        models = connection.execute("SELECT model FROM stored_scores.models").fetchall()
        return "teacher" not in {model for (model,) in models}

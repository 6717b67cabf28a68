"""Reading stored scores: which models, when they scored, and their scores of a case.

The file is attached to the cohort's database as `stored_scores`, so that worklist and analysis join it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from leader_core import sql
from leader_core.errors import ArtifactError

FORMAT: Final = "2"
_MODELS: Final = (
    "SELECT model, digest, threshold, cases, scored_at, known FROM stored_scores.models ORDER BY model"
)
_CODES: Final = "SELECT code FROM stored_scores.codes ORDER BY code_no"
_CASE: Final = """
SELECT probabilities, truncated FROM stored_scores.case_scores
WHERE visit_id = $visit_id AND model = $model AND probabilities IS NOT NULL
"""
PRESCRIBED: Final = "prescribed"
"""The pseudo-model whose choice is what was really given."""

run = partial(sql.run, "leader_core.stored_scores")
"""Execute `sql/NAME.sql` of this package on a connection; see `leader_core.sql.run`."""


def scores_path(cohort: Path) -> Path:
    """Where the scores of a cohort's database are looked for: next to it."""
    return cohort.with_name(f"{cohort.stem}.scores.duckdb")


@dataclass(frozen=True, slots=True)
class ScoredModel:
    """A model whose scores are stored."""

    name: str  # "teacher", "student", or a baseline's name
    digest: str  # of its weights; "" where it has none
    threshold: float  # its cut-off when it scored
    cases: int
    scored_at: datetime
    known: tuple[bool, ...]  # which of the store's classes it can name


class ScoreStore:
    """Stored scores of one cohort, read through the cohort's own database."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, models: Mapping[str, ScoredModel], codes: tuple[str, ...]
    ) -> None:
        self._connection = connection
        self.models = dict(models)
        self.codes = codes

    @classmethod
    def attach(cls, connection: duckdb.DuckDBPyConnection, path: Path, digest: str) -> Self:
        """Attach a file read-only.

        Raises:
            ArtifactError: no file of stored scores, one of another format, or of another cohort.
        """
        remake = "Make them again: python -m train scores."
        try:
            sql.attach(connection, path, "stored_scores")
            try:
                meta = dict(connection.execute("SELECT key, value FROM stored_scores.meta").fetchall())
                if meta.get("format") != FORMAT:
                    raise ArtifactError(
                        f"The stored scores {path.name} have format {meta.get('format')!r}, expected {FORMAT!r}. {remake}"
                    )
                if meta.get("cohort") != digest:
                    raise ArtifactError(f"The stored scores {path.name} are of another cohort. {remake}")
                models = [_model(row) for row in connection.execute(_MODELS).fetchall()]
                codes = tuple(row[0] for row in connection.execute(_CODES).fetchall())
            except BaseException:
                connection.execute("DETACH stored_scores")
                raise
        except duckdb.Error as error:
            raise ArtifactError(
                f"{path.name} holds no stored scores that can be read ({str(error).splitlines()[0]}). {remake}"
            ) from error
        return cls(connection, {model.name: model for model in models}, codes)

    def case(self, visit_id: int, model: str) -> tuple[dict[str, float], bool] | None:
        """Score of every class that the model can name, and whether the case was cut to fit; None if not scored."""
        row = self._connection.cursor().execute(_CASE, {"visit_id": visit_id, "model": model}).fetchone()
        if row is None:
            return None
        scores, truncated = row
        named = self.models[model].known
        return {code: scores[i] for i, code in enumerate(self.codes) if named[i]}, truncated


def _model(row: tuple[Any, ...]) -> ScoredModel:
    name, digest, threshold, cases, scored_at, known = row
    return ScoredModel(name, digest, threshold, cases, scored_at, tuple(known))


def attach_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """An empty overview in place of stored scores, so that the worklist's query is the same with and without them."""
    connection.execute("ATTACH ':memory:' AS stored_scores")
    run(connection, "nothing/overview")

"""Writing a file of stored scores: blocks of cases in, one DuckDB file out, moved into place when complete.

The map of cases (`project`): the student's representation of each in the two directions of the largest variance, computed
exactly from the covariance with a fixed sign, so that the same cases always give the same map. Neighbours on it are alike to
the student; the axes themselves mean nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from leader_core import sql
from leader_core.domain import GRADED
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.evaluation.metrics import case_metrics
from leader_core.files import replacing_file
from leader_core.interactions import InteractionTable
from leader_core.interactions.visit_alerts import VisitAlerts, as_columns
from leader_core.outputs import SCORES
from leader_core.stored_scores.store import FORMAT, PRESCRIBED, run

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


_MAP: Final = "CREATE TABLE case_map (visit_id BIGINT PRIMARY KEY, x FLOAT NOT NULL, y FLOAT NOT NULL)"
_CODES: Final = "CREATE TABLE codes (code_no SMALLINT PRIMARY KEY, code VARCHAR NOT NULL UNIQUE)"


@dataclass(frozen=True, slots=True)
class CaseBlock:
    """B cases as one model scored them, over the writer's A classes (zero for what the model cannot name)."""

    visit_ids: NDArray[np.int64]  # (B,)
    patient_ids: NDArray[np.int64]  # (B,)
    scores: NDArray[np.float32]  # (B, A) probabilities
    truth: NDArray[np.bool_]  # (B, A) what was prescribed
    truncated: NDArray[np.bool_]  # (B,) whether some of the case was cut to fit


class ScoreWriter:
    """Collects models' scores of one cohort's cases; use `ScoreWriter.writing`.

    Every case's prescription is written once, as the pseudo-model "prescribed"; models may score different cases.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        codes: Sequence[str],
        table: InteractionTable,
        alerts: VisitAlerts | None,
    ) -> None:
        self._connection = connection
        self._codes = tuple(codes)
        self._statistical = table.statistical_matrix(self._codes).astype(np.float32)
        self._alerts = alerts
        self._written: set[str] = set()
        self.targets = ""  # of a file that is continued
        self._prescribed: NDArray[np.int64] = np.zeros(0, np.int64)  # visits whose prescription is written

    @classmethod
    @contextmanager
    def writing(
        cls,
        path: Path,
        digest: str,
        targets: str,
        codes: Sequence[str],
        table: InteractionTable,
        alerts: VisitAlerts | None = None,
    ) -> Iterator[Self]:
        """A writer whose file replaces `path` when the block ends without an error.

        Args:
            path: the file.
            digest: of the cohort that is scored.
            targets: "last" or "all", which of a patient's visits are cases.
            codes: the A classes of all models and prescriptions.
            table: pairs at the level of these codes.
            alerts: counts the alerts of what is chosen among these codes; without, those columns stay empty.
        """
        with replacing_file(path, SCORES) as temporary:
            connection = sql.connect(temporary)
            try:
                connection.execute("CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)")
                run(connection, "models")
                run(connection, "case_scores")
                connection.execute(_MAP)
                connection.execute(_CODES)
                for fact in (("format", FORMAT), ("cohort", digest), ("targets", targets)):
                    connection.execute("INSERT INTO meta VALUES (?, ?)", fact)
                numbers = list(range(len(codes)))
                connection.execute("INSERT INTO codes SELECT unnest(?), unnest(?)", (numbers, list(codes)))
                yield cls(connection, codes, table, alerts)
                run(connection, "overview")
                sql.complete(connection)
            finally:
                connection.close()

    @classmethod
    @contextmanager
    def adding(
        cls,
        path: Path,
        digest: str,
        table: InteractionTable,
        alerts: Callable[[Sequence[str]], VisitAlerts] | None = None,
    ) -> Iterator[Self]:
        """A writer of further models into a copy of a file, which replaces it when the block ends without an error.

        Args:
            path: a file of stored scores.
            digest: of the cohort that is scored.
            table: pairs at the level of its codes.
            alerts: gives the counter of alerts for its codes; see `writing`.

        Raises:
            NotFoundError: no such file.
            ArtifactError: no stored scores of this cohort.
        """
        if not path.is_file():
            raise NotFoundError(
                f"No stored scores {path} to add to. Store both models' first: python -m train scores --models DIR."
            )
        with replacing_file(path, SCORES, alone=True) as temporary:  # of two at once, one's would be lost
            shutil.copyfile(path, temporary)
            connection = sql.connect(temporary)
            try:
                yield cls._continued(connection, path, digest, table, alerts)
                connection.execute("DROP TABLE overview")
                run(connection, "overview")
                sql.complete(connection)
            finally:
                connection.close()

    @classmethod
    def _continued(
        cls,
        connection: duckdb.DuckDBPyConnection,
        path: Path,
        digest: str,
        table: InteractionTable,
        alerts: Callable[[Sequence[str]], VisitAlerts] | None,
    ) -> Self:
        import duckdb

        try:
            facts, codes, models, prescribed = (
                connection.execute(query).fetchall()
                for query in (
                    "SELECT key, value FROM meta",
                    "SELECT code FROM codes ORDER BY code_no",
                    "SELECT model FROM models",
                    "SELECT visit_id FROM case_scores WHERE model = 'prescribed'",
                )
            )
        except duckdb.Error as error:
            raise ArtifactError(f"{path} holds no stored scores ({str(error).splitlines()[0]}).") from error
        meta = dict(facts)
        if (meta.get("format"), meta.get("cohort")) != (FORMAT, digest):
            raise ArtifactError(
                f"The stored scores {path} are of another cohort or format. Make them again: python -m train scores."
            )
        known = [row[0] for row in codes]
        writer = cls(connection, known, table, alerts(known) if alerts is not None else None)
        writer._written = {row[0] for row in models}
        writer._prescribed = np.array([row[0] for row in prescribed], np.int64)
        writer.targets = meta["targets"]
        return writer

    @property
    def codes(self) -> tuple[str, ...]:
        """The A classes of the file."""
        return self._codes

    def add(
        self,
        model: str,
        digest: str,
        threshold: float,
        known: NDArray[np.bool_],
        blocks: Iterator[CaseBlock],
        scored_at: datetime | None = None,
    ) -> int:
        """Write all cases of one model; returns how many.

        Args:
            model: "teacher", "student" or a baseline's name.
            digest: of its weights.
            threshold: at or above it a class is chosen.
            known: (A,) false for classes that the model cannot name.
            blocks: each case that the model scores, once.
            scored_at: when it scored them, in UTC without a zone; now by default.

        Raises:
            InputError: a model that stands in the file already.
        """
        if model in self._written:
            raise InputError(f"The scores of {model!r} are written already: name each model once.")
        first = not self._written
        self._written |= {model, PRESCRIBED}
        everything = np.ones_like(known)
        cases = 0
        for block in blocks:
            self._insert(model, block, block.scores, threshold, known)
            new = np.flatnonzero(~np.isin(block.visit_ids, self._prescribed))
            if len(new):
                fresh = CaseBlock(**{f.name: getattr(block, f.name)[new] for f in fields(block)})
                self._insert(PRESCRIBED, fresh, fresh.truth.astype(np.float32), 0.5, everything)
                self._prescribed = np.concatenate([self._prescribed, fresh.visit_ids])
            cases += len(block.visit_ids)
        self._add_model(model, digest, threshold, cases, known, scored_at)
        if not first:
            self._connection.execute("DELETE FROM models WHERE model = ?", (PRESCRIBED,))
        self._add_model(PRESCRIBED, "", 0.5, len(self._prescribed), everything)
        return cases

    def add_map(self, visit_ids: NDArray[np.int64], points: NDArray[np.float32]) -> None:
        """Where the cases stand on a map (see `project`), in place of an earlier one.

        Args:
            visit_ids: (N,) each once.
            points: (N, 2).
        """
        import pyarrow as pa

        self._connection.execute("DELETE FROM case_map")
        cursor = self._connection.cursor()
        cursor.register("points", pa.table({"visit_id": visit_ids, "x": points[:, 0], "y": points[:, 1]}))
        cursor.execute("INSERT INTO case_map BY NAME SELECT * FROM points")
        cursor.close()

    def _add_model(
        self,
        model: str,
        digest: str,
        threshold: float,
        cases: int,
        known: NDArray[np.bool_],
        scored_at: datetime | None = None,
    ) -> None:
        moment = scored_at or datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        values = (model, digest, threshold, cases, moment, known.tolist())
        self._connection.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?)", values)

    def _insert(
        self,
        model: str,
        block: CaseBlock,
        scores: NDArray[np.float32],
        threshold: float,
        known: NDArray[np.bool_],
    ) -> None:
        """Write the rows of one block."""
        import pyarrow as pa

        chosen = (scores >= threshold) & known
        rows = len(scores)
        columns: dict[str, pa.Array] = {
            "model": pa.array([model] * rows, pa.string()),
            "visit_id": pa.array(block.visit_ids),
            "patient_id": pa.array(block.patient_ids),
            "chosen": _lists(chosen.sum(1), np.nonzero(chosen)[1].astype(np.int16)),
            "selected": pa.array(chosen.sum(1).astype(np.int16)),
            "prescribed": pa.array(block.truth.sum(1).astype(np.int16)),
            "hits": pa.array((chosen & block.truth).sum(1).astype(np.int16)),
            "truncated": pa.array(block.truncated),
        }
        if model != PRESCRIBED:
            columns["probabilities"] = _lists(np.full(rows, scores.shape[1]), scores.ravel())
            metrics = case_metrics(scores, block.truth, threshold, None, known=known)
            for name in ("jaccard", "f1", "prauc"):
                columns[name] = pa.array(getattr(metrics, name).astype(np.float32), from_pandas=True)
        statistical = ((chosen @ self._statistical) * chosen).sum(1) / 2
        columns["statistical"] = pa.array(statistical.astype(np.int16))
        if self._alerts is None:
            columns |= {severity: pa.nulls(rows, pa.int16()) for severity in GRADED}
        else:
            counts = self._alerts.suggested(block.visit_ids, chosen).sum(1)
            columns |= {name: pa.array(values) for name, values in as_columns(counts).items()}
        cursor = self._connection.cursor()
        cursor.register("block", pa.table(columns))
        cursor.execute("INSERT INTO case_scores BY NAME SELECT * FROM block")
        cursor.close()


def _lists(lengths: NDArray[np.int64], values: NDArray[np.generic]) -> pa.ListArray:
    """Ragged rows from their lengths and all their values."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def project(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(N, H) vectors -> (N, 2) their first two principal components; zeros for fewer than three vectors.

    >>> points = project(np.array([[0.0, 0, 0], [4, 0, 0], [0, 1, 0], [4, 1, 0]]))
    >>> np.abs(points).round(2).tolist()
    [[2.0, 0.5], [2.0, 0.5], [2.0, 0.5], [2.0, 0.5]]
    """
    from sklearn.decomposition import PCA  # a second to import, needed by one command

    if len(vectors) < 3 or vectors.shape[1] < 2:
        return np.zeros((len(vectors), 2), np.float32)
    points: NDArray[np.float32] = (
        PCA(n_components=2, svd_solver="covariance_eigh").fit_transform(vectors).astype(np.float32)
    )
    return points

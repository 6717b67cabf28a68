"""Scores as a Parquet file: one row per case and medication, written block by block, and read back as a model.

The file carries what an evaluation must know of the model in its metadata: name, cut-off and where it came from, the
cohort it was trained on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core.domain import Fingerprint
from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import replacing_file
from leader_core.outputs import PREDICTIONS
from leader_core.scorer import BLOCK, CaseScores, Scorer, blocks_of
from leader_core.vocabulary import Vocabulary
from train.console import Report
from train.evaluation.inputs import Scores, prescriptions

if TYPE_CHECKING:
    import pyarrow as pa

    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns
    from leader_core.model_folder import Manifest

ABOUT: Final = b"leader"
NEEDED: Final = ("visit_id", "code", "probability", "selected")


def write_predictions(
    out: Path, model: Scorer, cohort: Cohort, columns: CohortColumns, threshold: float, report: Report
) -> None:
    """Stream the scores of all cases into `out`; an earlier file stays until the new one is complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    about = {
        "name": model.name,
        "threshold": threshold,
        "threshold_rule": model.threshold_rule,
        "trained_on": dataclasses.asdict(model.trained_on),
        "scored": cohort.fingerprint.digest,
    }
    schema = pa.schema(
        [
            ("patient_id", pa.int64()),
            ("visit_id", pa.int64()),
            ("code", pa.string()),
            ("probability", pa.float32()),
            ("selected", pa.bool_()),
            ("prescribed", pa.bool_()),
        ],
        metadata={ABOUT: json.dumps(about, ensure_ascii=False)},
    )
    codes = pa.array(model.medications.codes, pa.string())
    total = -(-len(columns) // BLOCK)
    with (
        replacing_file(out, PREDICTIONS) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        for rows, scores in report.progress(model.blocks(columns), total=total, label="scoring"):
            writer.write_table(_table(schema, codes, columns, rows, scores.probabilities, threshold))


def _table(
    schema: pa.Schema,
    codes: pa.Array,
    columns: CohortColumns,
    rows: np.ndarray,
    scores: np.ndarray,
    threshold: float,
) -> pa.Table:
    """The rows of one block."""
    import pyarrow as pa

    width = len(codes)
    real = prescriptions(columns, columns.current[rows], codes.to_pylist())
    return pa.table(
        [
            np.repeat(columns.patient_ids[rows], width),
            np.repeat(columns.visit_ids[rows], width),
            codes.take(pa.array(np.tile(np.arange(width), len(rows)))),
            scores.ravel(),
            (scores >= threshold).ravel(),
            real.ravel(),
        ],
        schema=schema,
    )


class StoredScores:
    """A file of `predict` or `baseline` as a model: it scores the visits that it holds."""

    manifest: Manifest | None = None

    def __init__(self, path: Path, cohort: Cohort) -> None:
        """Read a file whole (4 bytes per case and class).

        Raises:
            NotFoundError: no such file.
            ArtifactError: not such a file, one whose cases do not all have the same classes in the same order, a cut-off
                outside [0, 1], or a probability that is no number.
        """
        self._path = path
        about, table = _read(path)
        self.name = str(about.get("name", path.stem))
        visits, codes, scores = (table[name] for name in NEEDED[:3])
        width = len(dict.fromkeys(codes.tolist()))
        medications = Vocabulary.of(codes[:width].tolist())
        whole = len(visits) % max(1, width) == 0 and len(medications) == width
        if not whole or (codes.reshape(-1, width) != np.array(medications.codes, dtype=object)).any():
            raise ArtifactError(
                f"{path}: expected every case to have one row for each of the same classes, sorted by code. "
                "Write the file again with `python -m train predict`."
            )
        self.medications = medications
        self._visits = visits.reshape(-1, width)[:, 0]
        self._order = np.argsort(self._visits, kind="stable")
        self._scores: Scores = scores.reshape(-1, width).astype(np.float32)
        if not np.isfinite(self._scores).all():
            raise ArtifactError(f"{path} holds a probability that is no number. Write the file again.")
        self.threshold, self.threshold_rule = _threshold(about, scores, table["selected"])
        if not 0 <= self.threshold <= 1:
            raise ArtifactError(
                f"{path} has the cut-off {self.threshold!r}: expected 0 to 1. Write the file again."
            )
        trained = about.get("trained_on")
        self.trained_on = Fingerprint(**trained) if trained else cohort.fingerprint

    def describe(self, manifest: Manifest) -> None:
        """Take these for the scores of a model: its cut-off counts, and its calibration is applied."""
        self.manifest = manifest
        self.threshold, self.threshold_rule = manifest.threshold, manifest.threshold_rule
        if manifest.calibration is not None:
            self._scores = manifest.calibration.apply(self._scores)

    @property
    def visit_ids(self) -> NDArray[np.int64]:
        """The visits that the file holds."""
        return self._visits

    def blocks(self, columns: CohortColumns) -> Iterator[tuple[NDArray[np.int64], CaseScores]]:
        """The stored scores of the cases' current visits.

        Raises:
            InputError: visits that the file does not hold, naming the first.
        """
        for rows in blocks_of(len(columns)):
            wanted = columns.visit_ids[rows]
            ranks = np.searchsorted(self._visits, wanted, sorter=self._order)
            positions = self._order[np.minimum(ranks, len(self._order) - 1)]
            missing = self._visits[positions] != wanted
            if missing.any():
                raise InputError(
                    f"{self._path} holds no scores of {int(missing.sum()):,} visits (first: {wanted[missing][0]}). "
                    "It was written for another cohort, split or targets: name the same ones."
                )
            yield rows, CaseScores(self._scores[positions], np.zeros(len(rows), dtype=bool), len(rows))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise NotFoundError(f"No scores at {path}. Write them with `python -m train predict` or `baseline`.")
    try:
        table = pq.read_table(path, columns=list(NEEDED), read_dictionary=["code"])
        about = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
        if not isinstance(about, dict) or not isinstance(about.get("threshold", 0), int | float):
            raise ValueError("its description is no table with a number as cut-off")
        if not table.num_rows:
            raise ValueError("no rows")
        columns = {name: table[name].to_numpy() for name in NEEDED if name != "code"}
        coded = table["code"].combine_chunks()
        names = np.array(coded.dictionary.to_pylist(), dtype=object)
        columns["code"] = names[coded.indices.to_numpy()]
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise ArtifactError(
            f"{path} is not a file of scores ({error}): expected columns {', '.join(NEEDED)}. Write it again."
        ) from error
    return about, columns


def _threshold(about: dict[str, Any], scores: np.ndarray, selected: np.ndarray) -> tuple[float, str]:
    """The cut-off that the file names, or the lowest one that explains what is selected in it."""
    if "threshold" in about:
        return about["threshold"], str(about.get("threshold_rule", "unknown"))
    lowest = float(scores[selected.astype(bool)].min()) if selected.any() else 1.0
    return lowest, "as selected in the file"

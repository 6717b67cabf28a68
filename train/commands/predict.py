"""`predict`: one row a case and medication, as Parquet, written block by block and moved into place when complete."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.errors import InputError
from leader_core.fsio import replacing_file
from train.report import Report
from train.scoring import SPLITS, Labels, SplitModel, blocks_of, open_model, prescriptions

if TYPE_CHECKING:
    import pyarrow as pa

    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns

ROW_GROUP: Final = 2048  # cases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cohort", type=Path, required=True, metavar="FILE", help="a cohort database")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="a teacher's or student's folder"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="the file to write")
    parser.add_argument(
        "--split", choices=SPLITS, default="all", help="which patients (default: %(default)s)"
    )
    parser.add_argument(
        "--targets", choices=("last", "all"), default="last", help="which visits (default: %(default)s)"
    )
    parser.add_argument("--threshold", type=float, help="another cut-off than the one kept with the model")


def run(arguments: argparse.Namespace, report: Report) -> dict[str, Any]:
    from leader_core.cohort import Cohort

    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise InputError(f"--threshold {arguments.threshold}: expected 0 to 1.")
    cohort = Cohort.open(arguments.cohort)
    model = open_model(arguments.model, arguments.device, cohort)
    columns = cohort.columns(arguments.split, arguments.targets)
    threshold = model.threshold if arguments.threshold is None else arguments.threshold
    write_predictions(arguments.out, model, cohort, columns, threshold, report)
    missed = sum(
        int(Labels.of(columns.take(rows), model.medications).missed.sum()) for rows in blocks_of(len(columns))
    )
    if missed:
        report.line(f"{missed:,} prescriptions are of classes that the model cannot name: they have no row")
    report.line(f"{len(columns):,} cases by {len(model.medications)} medications written to {arguments.out}")
    return {
        "file": str(arguments.out),
        "cases": len(columns),
        "medications": len(model.medications),
        "rows": len(columns) * len(model.medications),
        "threshold": threshold,
        "unnamed_prescriptions": missed,
    }


def write_predictions(
    out: Path, model: SplitModel, cohort: Cohort, columns: CohortColumns, threshold: float, report: Report
) -> None:
    """Stream the scores of all cases into `out`; an earlier file stays until the new one is complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("patient_id", pa.int64()),
            ("visit_id", pa.int64()),
            ("code", pa.string()),
            ("probability", pa.float32()),
            ("selected", pa.bool_()),
            ("prescribed", pa.bool_()),
        ]
    )
    codes = pa.array(model.medications.codes, pa.string())
    total = -(-len(columns) // ROW_GROUP)
    with replacing_file(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for rows, scores in report.progress(model.blocks(cohort, columns), total=total, label="scoring"):
            writer.write_table(_table(schema, codes, columns, rows, scores, threshold))


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

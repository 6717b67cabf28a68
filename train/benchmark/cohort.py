"""Raw tables to cohort on this machine: rows a second, from given tables or those of a synthetic hospital."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from leader_core.cohort import Cohort, build_cohort
from train.benchmark.measure import rounded
from train.cli import call, parse
from train.console import Report


def run(raw: Path | None, patients: int, seed: int) -> dict[str, Any]:
    """Build one cohort from `raw`, or from a synthetic hospital of `patients`."""
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:
        source = raw or Path(folder) / "raw"
        if raw is None:
            words = ["synthesize", "--layout", "mimic3", "--patients", str(patients), "--seed", str(seed)]
            call(parse([*words, "--out", str(source)]), Report(quiet=True))
        out = Path(folder) / "cohort.duckdb"
        start = time.perf_counter()
        build_cohort(source, out, seed=seed)
        seconds = time.perf_counter() - start
        accounting = Cohort.open(out).accounting()
        rows = accounting.groupby("source_table")["rows"].sum()
        prescriptions = int(rows[[name for name in rows.index if name.lower() == "prescriptions"]].sum())
        return {
            "source": str(raw) if raw else f"synthetic, {patients:,} patients",
            "seconds": rounded(seconds),
            "rows": int(rows.sum()),
            "prescriptions": prescriptions,
            "rows_per_second": rounded(float(rows.sum()) / seconds),
            "prescriptions_per_second": rounded(prescriptions / seconds),
            "database_mib": rounded(out.stat().st_size / 1024 / 1024),
        }

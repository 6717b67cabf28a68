"""The error analysis on this machine: simulated scores of many cases, and everything that its page computes from them.

The cohort is a small one repeated under other ids. Generating and analysing are processes of their own, so that the
memory reported is that of analysing.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from leader_core import sql
from train.benchmark.measure import isolated, rounded

CLASSES: Final = 150
SCORED_MODELS: Final = ("teacher", "student", "popularity")
PRESCRIBED: Final = 0.12  # share of the classes in a case
CUT: Final = 0.5
BLOCK: Final = 8192
REPEAT: Final = (
    """INSERT INTO visit_codes
SELECT c.* REPLACE (c.visit_id + n * $step AS visit_id, c.patient_id + n * $step AS patient_id)
FROM visit_codes AS c CROSS JOIN generate_series(1, $copies) AS r (n) WHERE c.kind = 'diagnosis'""",
    """INSERT INTO visits
SELECT v.* REPLACE (v.visit_id + n * $step AS visit_id, v.patient_id + n * $step AS patient_id)
FROM visits AS v CROSS JOIN generate_series(1, $copies) AS r (n)""",
    """INSERT INTO patients SELECT p.* REPLACE (p.patient_id + n * $step AS patient_id)
FROM patients AS p CROSS JOIN generate_series(1, $copies) AS r (n)""",
)
"""The same patients again under other ids. Of their codes the analysis reads the diagnoses alone."""
LAST_VISITS: Final = """SELECT v.visit_id, v.patient_id FROM visits AS v
INNER JOIN patients AS p ON p.patient_id = v.patient_id AND p.visits = v.visit_no
ORDER BY v.visit_id LIMIT $cases"""


def measure(cohort: Path, cases: int) -> dict[str, Any]:
    """Generate in a temporary folder, then analyse."""
    with tempfile.TemporaryDirectory(prefix="leader-benchmark-") as folder:
        path = Path(folder) / "many.duckdb"
        generated = isolated("train.benchmark.analysis", "generate", cohort, path, cases)
        analysed = isolated("train.benchmark.analysis", "analyse", path)
    return {"generating_seconds": generated["seconds"], "file_mib": generated["file_mib"], **analysed}


def run(what: str, *arguments: Any) -> dict[str, Any]:
    """One of the two processes."""
    return generate(*arguments) if what == "generate" else analyse(*arguments)


def generate(cohort: Path, path: Path, cases: int) -> dict[str, Any]:
    """A cohort of many patients, and three models' scores of their last visits."""

    from leader_core.cohort import Cohort
    from leader_core.cohort.seal import seal_again
    from leader_core.stored_scores import ScoreWriter, scores_path

    began = time.perf_counter()
    shutil.copyfile(cohort, path)
    source = Cohort.open(cohort)
    digest, table = source.fingerprint.digest, source.interactions
    codes = tuple(sorted(source.titles("medication")))[:CLASSES]
    copies = max(0, -(-cases // source.fingerprint.patients) - 1)
    source.close()
    with sql.connect(path) as connection:
        for statement in REPEAT:
            connection.execute(statement, {"copies": copies, "step": 1_000_000_000})
        seal_again(connection)
        ids = connection.execute(LAST_VISITS, {"cases": cases}).fetchnumpy()
    with ScoreWriter.writing(scores_path(path), digest, "last", codes, table) as writer:
        for number, model in enumerate(SCORED_MODELS):
            known = np.ones(len(codes), bool)
            writer.add(model, "", CUT, known, _blocks(ids["visit_id"], ids["patient_id"], len(codes), number))
    return {
        "seconds": rounded(time.perf_counter() - began),
        "file_mib": round(scores_path(path).stat().st_size / 2**20),
    }


def _blocks(visits: np.ndarray, patients: np.ndarray, classes: int, model: int) -> Iterator[Any]:
    from leader_core.stored_scores import CaseBlock

    truths, noise = np.random.default_rng(0), np.random.default_rng(model + 1)
    for start in range(0, len(visits), BLOCK):
        own = slice(start, start + BLOCK)
        shape = len(visits[own]), classes
        truth = truths.random(shape, np.float32) < PRESCRIBED
        scores = (0.6 * noise.random(shape, np.float32) + 0.3 * truth).astype(np.float32)
        yield CaseBlock(visits[own], patients[own], scores, truth, noise.random(shape[0]) < 0.1)


def analyse(path: Path) -> dict[str, Any]:
    """Seconds of every computation, each for the first time, after what it shares with others was read."""
    import psutil

    from leader_core.cohort import Cohort
    from leader_core.error_analysis import FIELDS, Analysis, Selection, find

    cohort = Cohort.open(path)
    result: dict[str, Any] = {}

    def timed(name: str, call: Callable[[], Any]) -> Any:
        began, computed = time.perf_counter(), time.process_time()
        value = call()
        result[f"{name}_seconds"] = rounded(time.perf_counter() - began)
        result[f"{name}_processor_seconds"] = rounded(time.process_time() - computed)
        return value

    analysis = Analysis.of(cohort)
    frame = timed("cases_read", lambda: analysis.frame)
    timed("metrics_read", lambda: [analysis.metrics(model) for model in SCORED_MODELS])
    timed("choices_read", lambda: analysis.choices)
    everybody = np.ones(len(frame), bool)
    result |= {"cases": len(frame), "classes": len(analysis.codes), "models": len(SCORED_MODELS)}
    fields = [field for field in FIELDS if field in frame.columns]
    times = {}
    for field in fields:
        began = time.perf_counter()
        analysis.by(field, SCORED_MODELS)
        times[field] = time.perf_counter() - began
    slowest = max(times, key=lambda f: times[f])
    result |= {"grouping_slowest": slowest, "grouping_slowest_seconds": rounded(times[slowest])}
    result["grouping_median_seconds"] = rounded(float(np.median(list(times.values()))))
    timed("grouping_again", lambda: analysis.by(slowest, SCORED_MODELS))
    timed("two_fields", lambda: analysis.heat_map("ethnicity", "age_band", "student", "jaccard", everybody))
    timed("tree_depth_3", lambda: analysis.tree("student", everybody, depth=3))
    timed("tree_depth_4", lambda: analysis.tree("student", everybody, depth=4))
    timed("classes", lambda: analysis.class_counts("student", everybody))
    timed("two_models", lambda: analysis.agreement("teacher", "student", everybody))
    timed("drift", lambda: analysis.shifts(everybody, frame.columns["history"].codes == 0))
    timed("selection_to_patients", lambda: analysis.patients(Selection.of("age:ge:65,chapter:has:0")))
    timed("probabilities_read", lambda: analysis.probabilities("student"))
    timed("truth", lambda: analysis.truth)
    timed("reliability", lambda: analysis.reliability("student", everybody))
    timed("sweep", lambda: analysis.sweep("student", everybody))
    opened = Analysis.of(cohort)  # nothing read: what the first view of the page waits for
    timed("first_view_metrics", lambda: opened.by_masks("", SCORED_MODELS, {"": everybody}))
    timed("first_view_findings", lambda: find(opened, "student", "teacher", everybody))
    result["memory_mib"] = round(psutil.Process().memory_info().rss / 2**20)
    return result

"""Stored scores as one Parquet file: to score on one machine and look on another, and to ship with the demo.

The file holds what models cost to compute: probabilities, which cases were cut, where each stands on the map. Metrics and
alerts are computed anew when it is read, by the rules of that day. One row per model and case; the metadata says of which
cohort, and of which models with which cut-offs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from leader_core.errors import ArtifactError, InputError, NotFoundError
from leader_core.files import replacing_file
from leader_core.interactions.visit_alerts import VisitAlerts
from leader_core.outputs import EXPORTED_SCORES
from leader_core.scorer import blocks_of
from leader_core.stored_scores import CaseBlock, ScoreWriter
from leader_core.stored_scores.store import PRESCRIBED, ScoreStore
from train.evaluation.inputs import prescriptions
from train.evaluation.predictions import ABOUT

if TYPE_CHECKING:
    import pyarrow as pa

    from leader_core.cohort import Cohort
    from leader_core.cohort.columns import CohortColumns

FORMAT: Final = 1
_ROWS: Final = """
SELECT s.model, s.visit_id, s.probabilities, s.truncated, m.x, m.y
FROM stored_scores.case_scores AS s
LEFT JOIN stored_scores.case_map AS m ON m.visit_id = s.visit_id AND s.model = 'student'
WHERE s.model <> 'prescribed'
ORDER BY s.model, s.visit_id
"""


def export_scores(cohort: Cohort, out: Path) -> int:
    """Write a cohort's stored scores into one file; returns how many rows.

    Raises:
        NotFoundError: no scores are stored for this cohort.
    """
    import pyarrow.parquet as pq

    store = cohort.scores
    if store is None:
        raise NotFoundError(
            f"No scores are stored for {cohort.path}. {cohort.scores_note} Store them first: python -m train scores."
        )
    targets = _targets(cohort)
    about = {
        "format": FORMAT,
        "cohort": cohort.fingerprint.digest,
        "targets": targets,
        "codes": store.codes,
        "models": {
            name: {
                "digest": m.digest,
                "threshold": m.threshold,
                "known": m.known,
                "scored_at": m.scored_at.isoformat(),
            }
            for name, m in store.models.items()
            if name != PRESCRIBED
        },
    }
    table = cohort.reader().sql(_ROWS).to_arrow_table()
    with replacing_file(out, EXPORTED_SCORES) as temporary:
        pq.write_table(
            table.replace_schema_metadata({ABOUT: json.dumps(about)}), temporary, compression="zstd",
            compression_level=15, use_byte_stream_split=["probabilities.list.element"], use_dictionary=["model"],
        )  # fmt: skip
    return int(table.num_rows)


def import_scores(
    path: Path, cohort: Cohort, out: Path, alerts: Callable[[Sequence[str]], VisitAlerts]
) -> dict[str, int]:
    """Store the scores of a file next to a cohort; how many cases of each model.

    Scores that are there are left where they hold more cases of these very models.

    Raises:
        NotFoundError: no such file.
        ArtifactError: no such scores, or of another version.
        InputError: scores of another cohort.
    """
    import pyarrow.compute as pc

    table, about = _read(path)
    if about["cohort"] != cohort.fingerprint.digest:
        raise InputError(
            f"{path} holds scores of another cohort (digest {about['cohort'][:12]}…, {cohort.path.name} has "
            f"{cohort.fingerprint.digest[:12]}…). Score this one: python -m train scores --cohort {cohort.path} --models DIR."
        )
    names, codes = list(about["models"]), tuple(about["codes"])
    own = {name: table.filter(pc.field("model") == name) for name in names}
    if cohort.scores is not None and _covers(cohort.scores, about["models"], own):
        return {name: cohort.scores.models[name].cases for name in names}
    columns = cohort.columns("all", about["targets"])
    digest, targets = cohort.fingerprint.digest, about["targets"]
    done: dict[str, int] = {}
    with ScoreWriter.writing(out, digest, targets, codes, cohort.interactions, alerts(codes)) as writer:
        for name, model in about["models"].items():
            blocks = _blocks(own[name], columns, codes, path)
            known = np.array(model["known"], bool)
            moment = datetime.fromisoformat(model["scored_at"])
            done[name] = writer.add(name, model["digest"], model["threshold"], known, blocks, moment)
        placed = table.filter(table["x"].is_valid())
        if len(placed):
            points = np.stack([placed["x"].to_numpy(), placed["y"].to_numpy()], axis=1)
            writer.add_map(placed["visit_id"].to_numpy(), points)
    return done


def _targets(cohort: Cohort) -> str:
    row = cohort.reader().execute("SELECT value FROM stored_scores.meta WHERE key = 'targets'").fetchone()
    return str(row[0]) if row else "last"


def _covers(store: ScoreStore, models: dict[str, Any], own: dict[str, pa.Table]) -> bool:
    """Whether what is stored has more cases of the same models, and lacks none of them."""
    return all(
        name in store.models
        and store.models[name].digest == model["digest"]
        and store.models[name].cases >= len(own[name])
        for name, model in models.items()
    ) and any(store.models[name].cases > len(own[name]) for name in models)


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise NotFoundError(
            f"No exported scores at {path}. Write them: python -m train scores --export FILE."
        )
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[ABOUT])
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r}, expected {FORMAT}")
        if about["targets"] not in ("last", "all") or not {"cohort", "codes", "models"} <= about.keys():
            raise ValueError("metadata without cohort, codes or models")
        table = table.select(["model", "visit_id", "probabilities", "truncated", "x", "y"])
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path} is not a file of exported scores ({error}). Write it again: python -m train scores --export FILE."
        ) from error
    return table, about


def _blocks(table: pa.Table, columns: CohortColumns, codes: Sequence[str], path: Path) -> Iterator[CaseBlock]:
    """The cases of one model, block by block, with what was prescribed in each."""
    visit_ids = table["visit_id"].to_numpy()
    order = np.argsort(columns.visit_ids, kind="stable")
    places = np.searchsorted(columns.visit_ids, visit_ids, sorter=order)
    rows = order[np.minimum(places, len(order) - 1)]
    scores = table["probabilities"].combine_chunks().flatten().to_numpy().astype(np.float32)
    if (columns.visit_ids[rows] != visit_ids).any() or scores.size != len(rows) * len(codes):
        raise ArtifactError(f"{path} names visits that this cohort lacks, or scores that are not whole.")
    truncated = table["truncated"].to_numpy(zero_copy_only=False).astype(bool)
    for part in blocks_of(len(rows)):
        own = rows[part]
        yield CaseBlock(
            visit_ids=columns.visit_ids[own],
            patient_ids=columns.patient_ids[own],
            scores=scores.reshape(len(rows), len(codes))[part],
            truth=prescriptions(columns, columns.current[own], codes),
            truncated=truncated[part],
        )

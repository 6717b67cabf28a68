"""The workspace of earlier versions, a DuckDB file, read once into rows of the present table; it is left as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from leader_core import sql
from leader_core.errors import ArtifactError

NEWEST: Final = 2
"""The last version of the DuckDB file."""

Row = tuple[Any, ...]  # kind, key, revision, refused, deleted, patient_id, visit_id, author, created_at, body


def import_duckdb(path: Path) -> list[Row]:
    """Every version of everything in an earlier workspace: notes, cohorts, variants, decisions, stars and tags.

    Raises:
        ArtifactError: a damaged file, one that is no workspace, one of a newer version, or one that is in use.
    """
    try:
        with sql.connect(path, read_only=True, plain=True) as connection:
            facts = dict(connection.execute("SELECT key, value FROM about").fetchall())
            version = int(facts["schema"])
            if version > NEWEST:
                raise ArtifactError(
                    f"The earlier workspace {path} has version {version}, and versions up to {NEWEST} can be taken over. "
                    "Open it with the program that wrote it, or move it away."
                )
            rows = [*_about(facts), *_entries(connection), *_stars(connection)]
            return [*rows, *_tags(connection)] if version > 1 else rows
    except (duckdb.Error, KeyError, ValueError) as error:
        problem = str(error).splitlines()[0][:160]
        if "lock" in problem.lower():
            raise ArtifactError(
                f"The earlier workspace {path} is open in another server: close that one, so that its notes can be taken over."
            ) from error
        raise ArtifactError(
            f"The earlier workspace {path} cannot be read ({problem}). Move it away to begin an empty one; "
            "it was not changed."
        ) from error


def _about(facts: dict[str, str]) -> Iterator[Row]:
    if "cohort_digest" in facts:
        begun = datetime.fromisoformat(facts.get("created_at") or "1970-01-01T00:00:00+00:00")
        body = {"digest": facts["cohort_digest"], "label": facts.get("cohort_label", "")}
        yield ("about", "cohort", 1, False, False, None, None, "", _time(begun), _json(body))


def _entries(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    query = (
        "SELECT kind, entry_id, version, state, patient_id, visit_id, author, written_at, name, body, tags "
        "FROM entries ORDER BY entry_id, version"
    )
    for kind, key, version, state, patient, visit, author, moment, name, body, tags in connection.execute(
        query
    ).fetchall():
        content = {"text": body, "tags": list(tags)} if kind == "note" else {**json.loads(body), "name": name}
        yield (
            kind, key, version, state == "refused", state == "removed", patient, visit, author, _time(moment),
            _json(content),
        )  # fmt: skip


def _stars(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    for patient, author, moment in connection.execute(
        "SELECT patient_id, author, starred_at FROM stars"
    ).fetchall():
        yield ("star", str(patient), 1, False, False, patient, None, author, _time(moment), "{}")


def _tags(connection: duckdb.DuckDBPyConnection) -> Iterator[Row]:
    kinds = "SELECT kind_id, version, name, meaning, removed, author, written_at FROM error_kinds"
    for key, version, name, meaning, removed, author, moment in connection.execute(kinds).fetchall():
        body = {"name": name, "meaning": meaning}
        yield ("error_kind", key, version, False, removed, None, None, author, _time(moment), _json(body))
    answers = "SELECT visit_id, patient_id, author, version, kinds, written_at FROM annotations"
    for visit, patient, author, version, chosen, moment in connection.execute(answers).fetchall():
        body = {"kinds": list(chosen or ())}
        yield (
            "annotation", f"{visit}/{author}", version, False, chosen is None, patient, visit, author, _time(moment),
            _json(body),
        )  # fmt: skip


def _time(moment: datetime) -> str:
    """UTC, as the present table writes it; the old one left the zone out."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def _json(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True)

"""What stands in an entry's body, as JSON: filters, lists of patients, cases and choices, to text and back.

Refuses to know how versions are kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from leader_core.cohort.query import PatientQuery
from leader_core.domain import Case
from leader_core.errors import ArtifactError, LeaderError
from leader_core.exchange.case_json import case_from_record, case_to_record
from leader_core.workspace.entries import Current
from leader_core.workspace.values import Decision, Parent, SavedCohort, Stage, Variant


def write_cohort(what: PatientQuery | Sequence[int]) -> str:
    """A filter without its page, or distinct ids in their order."""
    if isinstance(what, PatientQuery):
        return _text({"query": {k: v for k, v in asdict(what).items() if k != "page"}})
    return _text({"ids": list(dict.fromkeys(int(number) for number in what))})


def read_cohort(found: Current) -> SavedCohort:
    """
    Raises:
        ArtifactError: a filter that this version does not know.
    """
    version, body = found.version, json.loads(found.version.body)
    return SavedCohort(
        cohort_id=version.entry_id,
        version=version.version,
        name=version.name,
        query=_query(body["query"], version.name) if "query" in body else None,
        patient_ids=tuple(body.get("ids", ())),
        author=version.author,
        created_at=found.created_at,
        edited_at=version.written_at,
    )


def _query(record: dict[str, Any], name: str) -> PatientQuery:
    """A filter from its fields; one that is absent takes its default, so that old filters go on working."""
    strange = sorted(set(record) - {f.name for f in fields(PatientQuery)})
    if strange:
        raise ArtifactError(
            f"The saved cohort {name!r} filters by {', '.join(strange)}, which this version does not know. "
            "Open it with the newer version that saved it, or save it again."
        )
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
    }
    try:
        return PatientQuery(**values)
    except (LeaderError, TypeError) as error:
        raise ArtifactError(f"The saved cohort {name!r} cannot be asked any more: {error}") from error


def write_variant(case: Case, parent: Parent) -> str:
    """A case with its ids, and where it came from."""
    return _text({"case": case_to_record(case, identified=True), "parent": asdict(parent)})


def read_variant(found: Current) -> Variant:
    """
    Raises:
        InputError: a case that this version cannot read.
    """
    version, body = found.version, json.loads(found.version.body)
    return Variant(
        variant_id=version.entry_id,
        version=version.version,
        name=version.name,
        case=case_from_record(body["case"], what=f"variant {version.name!r}"),
        parent=Parent(**body["parent"]),
        author=version.author,
        created_at=found.created_at,
        edited_at=version.written_at,
    )


def write_decision(stage: Stage, codes: Sequence[str], comment: str) -> str:
    """The classes chosen, in their order."""
    return _text({"stage": stage, "codes": list(dict.fromkeys(codes)), "comment": comment})


def read_decision(found: Current) -> Decision:
    version, body = found.version, json.loads(found.version.body)
    return Decision(
        decision_id=version.entry_id,
        version=version.version,
        patient_id=version.patient_id or 0,
        visit_id=version.visit_id or 0,
        author=version.author,
        stage=body["stage"],
        codes=tuple(body["codes"]),
        comment=body["comment"],
        decided_at=version.written_at,
    )


def _text(record: object) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True)

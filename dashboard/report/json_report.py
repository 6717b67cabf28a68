"""A report as JSON: the case, both models' scores, and what is needed to make them again. Its case can be imported.

Refuses to know how the other formats look.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from dashboard.report.content import CLASSES_ONLY, ModelPart, Report
from dashboard.report.similar_and_trust import SimilarPart, TrustPart
from dashboard.scores.evidence_text import ABOUT_SIMILAR
from dashboard.shared import wording
from leader_core import __version__
from leader_core.exchange.case_json import REPORT_SCHEMA, case_to_record


def write_json(report: Report) -> bytes:
    """UTF-8 JSON, indented."""
    return (json.dumps(record(report), indent=2, ensure_ascii=False) + "\n").encode()


def record(report: Report) -> dict[str, Any]:
    """The report as plain JSON values; probabilities are not rounded."""
    rows = [row for _, members in report.groups for row in members]
    return {
        "schema": REPORT_SCHEMA,
        "notice": f"{wording.NOT_A_DEVICE} {CLASSES_ONLY.format(level=report.fingerprint.atc_level)}",
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "program": f"LEADER {__version__}",
        "source": report.title,
        "prescribed_hidden": report.hidden,
        "case": case_to_record(report.case, identified=report.identified),
        "cohort": asdict(report.fingerprint),
        "models": {part.name: _model(part) for part in report.models},
        "notes": [*report.notices, *report.absent],
        "medications": [
            {
                "code": row.code,
                "title": row.title,
                "teacher": row.teacher,
                "teacher_selected": row.teacher_selected,
                "student": row.student,
                "student_selected": row.student_selected,
                **({"prescribed": row.prescribed} if report.prescribed_known else {}),
                **({"orders": report.orders[row.code]} if row.code in report.orders else {}),
            }
            for row in rows
        ],
        "interactions": [
            {**asdict(pair), "among": [name.lower() for name in holders]}
            for pair, holders in report.interactions
        ],
        "interactions_note": report.interaction_note,
        "similar_patients": _similar(report.similar),
        "trust": {
            "about": dict(report.trust_facts),
            "models": {part.name: _trust(part) for part in report.trust},
        },
    }


def _similar(part: SimilarPart) -> dict[str, Any]:
    """Neighbours of the training split, and how many of them were given each class."""
    return {"split": "train", "note": ABOUT_SIMILAR, **asdict(part)}


def _trust(part: TrustPart) -> dict[str, Any]:
    """What validation says of each class under the cut-off; the set with a stated coverage."""
    about = part.about
    promised = None if about.promised is None else sorted(about.promised)
    return {
        "told": list(part.told),
        "set": {"share": about.share, "confidence": about.confidence, "classes": promised},
        "classes": {code: asdict(trust) for code, trust in part.classes.items()},
    }


def _model(part: ModelPart) -> dict[str, Any]:
    found = part.recommendation
    return {
        "cut_off": found.threshold,
        "own_cut_off": part.own_cut_off,
        "about": dict(part.facts),
        "figures": dict(part.figures),
        "profile_read": list(found.profile_read),
        "unseen": [asdict(code) for code in found.unseen],
        "truncated": found.truncated,
    }

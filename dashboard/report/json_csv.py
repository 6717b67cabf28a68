"""Two exports of a report: JSON, whose case can be imported again, and the comparison table as CSV."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from dashboard.report.content import CaseReport, ModelPart, TrustPart
from dashboard.scores.trust_text import ABOUT_SIMILAR
from dashboard.shared import comparison, wording
from dashboard.shared.csv_table import Cell, write_csv
from leader_core import __version__
from leader_core.exchange.case_json import REPORT_SCHEMA, case_to_record
from leader_core.interactions import Alert


def write_json(report: CaseReport) -> bytes:
    """UTF-8 JSON, indented."""
    return (json.dumps(record(report), indent=2, ensure_ascii=False) + "\n").encode()


def record(report: CaseReport) -> dict[str, Any]:
    """The report as plain JSON values; probabilities are not rounded."""
    return {
        "schema": REPORT_SCHEMA,
        "notice": f"{wording.NOT_A_DEVICE} {report.scope}",
        "made_at": report.made_at.isoformat(timespec="seconds"),
        "program": f"LEADER {__version__}",
        "source": report.title,
        "ordered_hidden": report.hidden,
        "case": case_to_record(report.case, identified=report.identified),
        "cohort": asdict(report.fingerprint),
        "models": {part.name: _model(part) for part in report.models},
        "notes": [*report.notices, *report.absent],
        "written_notes": [
            {
                "author": note.author,
                "edited_at": note.edited_at.isoformat(timespec="seconds"),
                "visit_id": note.visit_id,
                "text": note.text,
            }
            for note in report.written
        ],
        "medications": [_medication(report, row) for group in report.groups for row in group.rows],
        "alerts": [
            _alert(report, alert)
            for part in (*report.review.carried, *report.review.if_chosen)
            for alert in part.alerts
        ],
        "alert_counts": {name.lower(): text for name, text in report.review.counts},
        "signals": [asdict(signal) for signal in report.review.signals],
        "interactions_note": report.review.note,
        "similar_patients": {"split": "train", "note": ABOUT_SIMILAR, **asdict(report.similar)},
        "trust": {
            "about": dict(report.trust_facts),
            "models": {part.name: _trust(part) for part in report.trust},
        },
    }


def _medication(report: CaseReport, row: comparison.Row) -> dict[str, Any]:
    return {
        "code": row.code,
        "title": row.title,
        "teacher": row.scores.get("teacher"),
        "teacher_selected": "teacher" in row.suggested,
        "student": row.scores.get("student"),
        "student_selected": "student" in row.suggested,
        **({"ordered": row.prescribed} if report.prescribed_known else {}),
        **(
            {"reasons": [asdict(r) for r in report.reasons.get(row.code, ())]}
            if report.reasons is not None
            else {}
        ),
        **({"orders": report.orders[row.code]} if row.code in report.orders else {}),
    }


def _alert(report: CaseReport, alert: Alert) -> dict[str, Any]:
    """An alert as the tables have it; `rank` is what it is shown and counted as."""
    return {
        "title": alert.title,
        **asdict(alert),
        "carried": alert.carried,
        "among": [name.lower() for name in report.review.sets_of(alert)],
    }


def _trust(part: TrustPart) -> dict[str, Any]:
    """What validation says of each class under the cut-off; the set with a stated coverage."""
    about = part.about
    promised = None if about.promised is None else sorted(about.promised)
    return {
        "lines": list(part.lines),
        "set": {"share": about.share, "confidence": about.confidence, "classes": promised},
        "classes": {code: asdict(trust) for code, trust in part.classes.items()},
    }


def _model(part: ModelPart) -> dict[str, Any]:
    recommendation = part.recommendation
    return {
        "cut_off": recommendation.threshold,
        "own_cut_off": part.own_threshold,
        "about": dict(part.facts),
        "figures": dict(part.metrics),
        "profile_read": list(recommendation.profile_read),
        "unseen": [asdict(code) for code in recommendation.unseen],
        "read_as": [asdict(code) for code in recommendation.read_as],
        "truncated": recommendation.truncated,
    }


def comparison_csv(report: CaseReport) -> bytes:
    """Every class with both scores, as the comparison table shows them."""
    headings = [
        "code", "title", "therapeutic area", "teacher", "teacher suggests", "student", "student suggests",
        *(["ordered"] if report.prescribed_known else []),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            row.code, row.title, comparison.area(row.code),
            _rounded(row.scores.get("teacher")), "teacher" in row.suggested,
            _rounded(row.scores.get("student")), "student" in row.suggested,
            *([row.prescribed] if report.prescribed_known else []),
        ]
        for group in report.groups
        for row in group.rows
    ]  # fmt: skip
    return write_csv(headings, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

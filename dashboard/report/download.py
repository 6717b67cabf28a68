"""The Export menu of a case: its report as HTML, PDF or JSON, and its table as CSV. What a report says is in `content`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

import streamlit as st

from dashboard.report.content import CaseReport, compose
from dashboard.report.html import write_html
from dashboard.report.json_csv import comparison_csv, write_json
from dashboard.scores.trust_text import NOT_SEARCHED, SimilarResult
from dashboard.server import audit
from dashboard.server.service import Service
from dashboard.server.workspace import get_workspace
from dashboard.shared import markup, session
from dashboard.shared.session import Subject
from leader_core import Case, LeaderError, Recommendation
from leader_core.domain import ModelName
from leader_core.explain import Outcomes, leave_one_out
from leader_core.workspace import Note


def _write_pdf(report: CaseReport) -> bytes:
    from dashboard.report.pdf import write_pdf  # slow to import, and not needed at start-up

    return write_pdf(report)


_FORMATS: Final[tuple[tuple[str, str, str, str, Callable[[CaseReport], bytes]], ...]] = (
    ("Report to read and print (HTML)", "html", "text/html", ":material/description:", write_html),
    ("Report on paper (PDF)", "pdf", "application/pdf", ":material/picture_as_pdf:", _write_pdf),
    ("Case and scores (JSON)", "json", "application/json", ":material/data_object:", write_json),
    ("Comparison table (CSV)", "csv", "text/csv", ":material/table:", comparison_csv),
)


def show(
    service: Service,
    subject: Subject,
    recommendations: Mapping[ModelName, Recommendation],
    near: SimilarResult = NOT_SEARCHED,
    held: Collection[str] = (),
) -> None:
    """A popover with one download per format; a file is written only when its button is clicked.

    Args:
        service: the engine behind the page.
        subject: the case.
        recommendations: under the cut-offs that the page shows; models without scores are left out.
        near: the case's neighbours in the training split, as the page has them.
        held: classes that were taken out of the suggestions for the patient's conditions.
    """
    hidden = session.hidden(subject)

    def writing(write: Callable[[CaseReport], bytes]) -> Callable[[], bytes]:
        return lambda: write(
            compose(
                service.engine, subject.case, recommendations, patient_id=subject.patient_id, hide=hidden,
                made_at=datetime.now(UTC), near=near, drugs=subject.drugs, held=held,
                outcomes=_outcomes(service, subject.case), notes=_notes(service, subject.patient_id),
                student_name=service.student_name,
            )
        )  # fmt: skip

    name = file_name(subject, datetime.now(UTC))
    with st.popover("Export", icon=":material/download:", key="export"), st.container(gap=None):
        if hidden:
            st.html(markup.note("What was ordered is hidden here, and left out of the files."))
        for label, ending, mime, icon, write in _FORMATS:
            target, file = f"{subject.audit_name}, as {ending}", f"{name}.{ending}"
            audit.download_button(
                label, target, writing(write), file, mime, key=f"export-{ending}", icon=icon
            )


def _notes(service: Service, patient_id: int | None) -> tuple[Note, ...]:
    return () if patient_id is None else get_workspace(service).notes(patient_id)


def _outcomes(service: Service, case: Case) -> Outcomes | None:
    """The student's scores with each thing of the case left out: about 0.1 s; None where it is not ready."""
    if service.status("student").readiness != "ready":
        return None
    try:
        return leave_one_out(service.engine, case, "student")
    except LeaderError:
        return None


def file_name(subject: Subject, moment: datetime) -> str:
    """A file's name without an ending: letters, digits and hyphens."""
    if subject.source == "draft":
        return f"leader-entered-case-{moment:%Y-%m-%d}"
    visit = f"-visit-{subject.visit_no}" if subject.visit_no else ""
    return f"leader-patient-{subject.patient_id}{visit}-{moment:%Y-%m-%d}"

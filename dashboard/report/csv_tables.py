"""The comparison of a case as CSV."""

from __future__ import annotations

from dashboard.report.content import Report
from dashboard.shared import comparison
from dashboard.shared.csv_table import Cell, write_csv


def comparison_csv(report: Report) -> bytes:
    """Every class with both scores, as the comparison table shows them."""
    headings = [
        "code",
        "title",
        "therapeutic area",
        "teacher",
        "teacher suggests",
        "student",
        "student suggests",
    ]
    if report.prescribed_known:
        headings.append("prescribed")
    rows: list[list[Cell]] = []
    for row in (row for _, members in report.groups for row in members):
        cells: list[Cell] = [row.code, row.title, comparison.area(row.code)]
        cells += [_rounded(row.teacher), row.teacher_selected, _rounded(row.student), row.student_selected]
        rows.append([*cells, row.prescribed] if report.prescribed_known else cells)
    return write_csv(headings, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)

"""Similar training patients and trust in a report's HTML: tables and lists, the long ones folded.

Everything that comes from data is escaped. Refuses to know what is said, which `beside` owns.
"""

from __future__ import annotations

from dashboard.report.content import Report
from dashboard.report.similar_and_trust import SIMILAR, TRUST, GivenPart, NeighbourPart, TrustPart
from dashboard.scores.evidence_text import ABOUT_SIMILAR
from dashboard.shared import theme, wording
from dashboard.shared.formatting import count, escape, listing, tag

SHOWN = 10
"""Classes that stand open; the others are folded."""


def similar_section(report: Report) -> str:
    """What the neighbours were given, and who they are."""
    part = report.similar
    made = tag("h2", escape(SIMILAR)) + tag("p", escape(part.told), css="note")
    if part.filters:
        made += tag("p", escape(f"Filters: {listing(part.filters)}."), css="note")
    if not part.neighbours:
        return made
    made += _given(part.given[:SHOWN])
    if more := part.given[SHOWN:]:
        made += tag("details", tag("summary", escape(f"{len(more)} more")), _given(more), css="rest")
    everybody = tag("ol", *(_neighbour(n) for n in part.neighbours))
    patients = tag("summary", escape(count(len(part.neighbours), "training patient")))
    return made + tag("details", patients, everybody) + tag("p", escape(ABOUT_SIMILAR), css="note")


def _given(parts: tuple[GivenPart, ...]) -> str:
    head = tag("tr", tag("th", "Class", scope="col"), tag("th", "Given to", scope="col"),
               tag("th", "Suggested here by", scope="col"))  # fmt: skip
    rows = "".join(
        tag(
            "tr",
            tag("td", f"{escape(p.title)} {tag('span', escape(p.code), css='code')}"),
            tag("td", escape(f"{p.count} of {p.of}")),
            tag("td", escape(listing(f"{theme.MODEL_ICONS[n]} {n}" for n in p.suggested) or "neither")),
        )
        for p in parts
    )
    return tag("table", tag("thead", head), tag("tbody", rows))


def _neighbour(part: NeighbourPart) -> str:
    told = f"Patient {part.patient_id}, similarity {part.similarity:.2f}: {part.about}."
    body = tag("strong", escape(told))
    for label, codes in (("Diagnoses of both", part.shared), ("Given", part.given)):
        if codes:
            body += tag("div", escape(f"{label}: {listing(title for title, _ in codes)}."), css="detail")
    return tag("li", body)


def trust_section(report: Report) -> str:
    """What is unusual about the case, and what validation says of every class."""
    made = tag("h2", escape(TRUST))
    if report.trust_facts:
        made += tag("dl", *(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in report.trust_facts))
    if not report.trust:
        return made + tag("p", "There is no score to trust.", css="note")
    return made + "".join(_model(report, part) for part in report.trust)


def _model(report: Report, part: TrustPart) -> str:
    shape = tag("span", theme.MODEL_ICONS[part.name], css="shape", aria_hidden="true")
    made = tag("h3", f"{shape} {escape(wording.MODEL_NAMES[part.name])}")
    made += tag("ul", *(tag("li", escape(line)) for line in part.told))
    if part.sentences:
        rows = (
            tag("dt", escape(f"{report.titles.get(code, code)} {code}")) + tag("dd", escape(text))
            for code, text in part.sentences.items()
        )
        summary = tag("summary", "What validation says of each class")
        made += tag("details", summary, tag("dl", *rows), css="rest")
    return tag("section", made, css=part.name)

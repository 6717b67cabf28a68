"""The open checker: drugs and conditions as anybody writes them, reviewed without a case or a model.

What is typed stays in this session: it never enters the link.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.interactions import alert_list, alerts
from dashboard.server import audit
from dashboard.server.service import Service
from dashboard.shared import markup, navigation, session, start_cases, url_state
from dashboard.shared.case_text import tables_cover
from dashboard.shared.formatting import count, listing
from dashboard.shared.page_case import titles_of
from leader_core import Case, Visit
from leader_core.errors import InputError
from leader_core.exchange.code_lists import read_diagnoses, read_drugs

CHECK: Final = "check"
"""The URL parameter that asks for the checker where a case is open."""
_ENTRY: Final = "_check"
_EXAMPLE: Final = (
    "Coumadin 5 mg PO daily\namiodarone; TMP/SMX DS\nmetoprolol succinate ER",
    "AF, CHF\nN17.9",
)


def wanted() -> bool:
    """Whether the link asks for the checker, or names no case to show."""
    query = session.url_query()
    return bool(st.query_params.get(CHECK)) or not (query.get(session.PATIENT) or query.get(session.CASE))


def open_button() -> None:
    """A way to the checker from a case: a button, for Streamlit forgets the parameters of a link to the open page."""
    st.button("Check other drugs", icon=":material/pill:", type="tertiary", key="to-checker", on_click=_open)


def _open() -> None:
    st.query_params.from_dict({CHECK: "1"})


def draw(service: Service) -> None:
    """The form on the left, the review on the right."""
    st.html(
        markup.title("Interactions", "check any drugs and conditions; nothing typed here enters the link")
    )
    left, right = st.columns([1, 1.9], gap="large")
    with left:
        _form()
        st.html(markup.note("Or open a case, to see what was ordered and what the models suggest:"))
        navigation.case_links()
        start_cases.show(service)
    with right:
        _answer(service)
    url_state.publish("interactions", {CHECK: "1"} if st.query_params.get(CHECK) else {})


def _form() -> None:
    before: tuple[str, str] = st.session_state.get(_ENTRY, ("", ""))
    with st.form("check", border=False):
        drugs = st.text_area(
            "Drugs, one a line or separated by ; or ,",
            before[0],
            height=170,
            placeholder=_EXAMPLE[0],
            help="Any hospital's spelling, brands, with or without doses and routes; or ATC codes.",
        )
        conditions = st.text_area(
            "Conditions (optional)",
            before[1],
            height=100,
            placeholder=_EXAMPLE[1],
            help="ICD-9 or ICD-10 codes, or words: heart failure, CHF, I50.9.",
        )
        if st.form_submit_button("Check", type="primary", icon=":material/fact_check:"):
            st.session_state[_ENTRY] = (str(drugs or ""), str(conditions or ""))
    if any(before) and st.button("Start again", type="tertiary", icon=":material/restart_alt:"):
        st.session_state.pop(_ENTRY, None)
        st.rerun()


def _answer(service: Service) -> None:
    drugs, conditions = st.session_state.get(_ENTRY, ("", ""))
    if not drugs.strip():
        text = (
            "Type the drugs that somebody takes or would get, and press Check. With conditions, what they speak "
            "against is listed too."
        )
        st.html(markup.empty("Nothing checked yet", text))
        return
    try:
        read, present = read_drugs(drugs), read_diagnoses(conditions)
    except InputError as error:
        st.html(markup.callout(str(error), "warn"))
        return
    alert_list.not_understood((*read.unknown, *present.unknown))
    if not read.codes:
        st.html(
            markup.empty(
                "None of the drugs was understood", "Check their spelling; brand names and ATC codes work."
            )
        )
        return
    case = Case(current=Visit(diagnoses=tuple(each.code for each in present.codes)))
    review = service.engine.review(case, [each.code for each in read.codes])
    titles = titles_of(service)
    for part in alerts.sections(review, titles, "a drug of these classes", heading="With these drugs"):
        st.html(part)
    looked = count(len(review.choices) * (len(review.choices) - 1) // 2, "pair")
    with st.expander(
        f"How it was read: {count(len(read.codes), 'drug')}, {count(len(present.codes), 'condition code')}"
    ):
        rows = [
            (listing(each.written), f"{each.name} {each.code}", each.note)
            for each in (*read.codes, *present.codes)
        ]
        st.html(markup.table(["Typed", "Read as", "Note"], rows))
    audit.download_button(
        "Alerts as CSV",
        "checked drugs",
        lambda: alerts.alerts_csv(review, lambda code: titles("medication", code)),
        "interactions-checked.csv",
        "text/csv",
    )
    st.html(markup.note(f"{looked} looked up. {tables_cover()}"))

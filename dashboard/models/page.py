"""Models: what each model is, what it learned from, how it did, what it is not for; training a student; and the data."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.models import card, checks, model_page, training_panel
from dashboard.server import chosen_student
from dashboard.server.service import MODELS, ModelName, Service, get_service
from dashboard.shared import markup, url_state, wording
from dashboard.shared.url_state import Binding
from leader_core.model_folder import Manifest

PARTS: Final = {
    "both": "Both models",
    "teacher": "Teacher",
    "student": "Student",
    "training": "Train a student",
}
_PART: Final = "model"
_BINDINGS: Final = {_PART: Binding.choice("both", PARTS)}


def draw() -> None:
    service = get_service()
    url_state.enter("models", _BINDINGS)
    st.html(markup.title("Models and data", "what is being served here, and what it may be used for"))
    part = str(
        st.segmented_control(
            "Part of the page",
            list(PARTS),
            required=True,
            key=_PART,
            format_func=PARTS.__getitem__,
            label_visibility="collapsed",
        )
    )
    if service.student_name:
        _other_student(service)
    if part in MODELS:
        model_page.show(service, part)  # type: ignore[arg-type]
    elif part == "training":
        training_panel.show(service)
    else:
        _both(service)
    url_state.publish("models", url_state.written(_BINDINGS))


def _other_student(service: Service) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(markup.callout(wording.OTHER_STUDENT.format(name=service.student_name), "student"))
        st.button("Back to the server's own", key="own_student", on_click=chosen_student.choose, args=("",))


def _open(part: str) -> None:
    st.session_state[_PART] = part


def _both(service: Service) -> None:
    for name, column in zip(MODELS, st.columns(2, gap="large"), strict=True):
        with column:
            _summary(service, name)
    checks.show(service)
    st.html(markup.panel_title("The cohort being served"))
    one, two = st.columns(2, gap="large")
    with one:
        st.html(markup.facts(card.cohort_facts(service.engine.cohort.fingerprint)))
    with two:
        origin = card.cohort_origin(service.engine.cohort.meta, str(service.engine.cohort.path))
        st.html(markup.facts(origin))
    model_page.intended_use()


def _summary(service: Service, name: ModelName) -> None:
    """What a glance should tell; the model's own page tells the rest."""
    manifest = model_page.head(service, name)
    if manifest is None:
        return
    st.html(markup.facts(card.identity(manifest)[:4]))
    st.html(markup.panel_title("On validation", card.spread(manifest.validation)))
    _figures(manifest)
    st.button(
        f"All about the {name}",
        key=f"open-{name}",
        on_click=_open,
        args=(name,),
        icon=":material/arrow_forward:",
    )


def _figures(manifest: Manifest) -> None:
    pairs = card.headline(manifest.validation)
    st.html(
        markup.metrics(pairs) if pairs else markup.note("No validation figures were kept with this model.")
    )

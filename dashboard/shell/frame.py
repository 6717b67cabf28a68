"""The status strip of every page (data served, models and whether they are ready) and the help with the shortcuts."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.server.access import account_name
from dashboard.server.accounts import IDLE_SECONDS
from dashboard.server.service import ModelStatus, Service
from dashboard.shared import markup, navigation, view_switch, wording
from dashboard.shared.templates import component, nothing, render
from dashboard.shell.sign_in import SIGN_OUT
from dashboard.tour import tour
from leader_core.domain import MODEL_NAMES

SHORTCUTS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("/",), "Search: patients, the classes of a case, or codes"),
    (("j",), "Next case; in the worklist, next row"),
    (("k",), "Previous case; in the worklist, the row before"),
    (("Enter",), "Open the row in focus"),
    (("t",), "Tag the row in focus in the table of classes (research view)"),
    (("?",), "This help"),
    (("Esc",), "Close this help, or leave the tour"),
)
"""What each key does, in the words of the help."""


def show(service: Service | None) -> tuple[DeltaGenerator, DeltaGenerator]:
    """Draw the strip under the navigation; returns its placeholder, and one for messages while the page waits."""
    with st.container(horizontal=True, vertical_alignment="center", key="frame"):
        placeholder = st.empty()
        placeholder.html(strip(service))
        view_switch.switch()
        if view_switch.is_research():
            with st.popover("Glossary", icon=":material/menu_book:", type="tertiary", key="glossary"):
                st.html(markup.facts(wording.GLOSSARY.items()))
    with st.container(key="progress"):
        return placeholder, st.empty()


def is_loading(service: Service) -> bool:
    """Whether a model is being loaded."""
    return any(service.status(name).readiness == "loading" for name in MODEL_NAMES)


def follow_loading(service: Service, placeholder: DeltaGenerator) -> None:
    """Keep the strip up to date until the models are loaded; a click interrupts it."""
    while service.wait_for_loading():
        placeholder.html(strip(service))
    placeholder.html(strip(service))


def strip(service: Service | None) -> str:
    """The strip as HTML."""
    data, models = "", []
    if service is not None:
        fingerprint = service.engine.cohort.fingerprint
        kind = wording.data_kind(fingerprint.synthetic, fingerprint.label)
        data = f"{fingerprint.label}, {fingerprint.patients:,} patients. {kind}."
        models = [(status, _model(status)) for status in map(service.status, MODEL_NAMES)]
    return render("shell/frame.html", data=data, models=models, account=account_name(), sign_out=SIGN_OUT)


def _model(status: ModelStatus) -> str:
    """Which model, and whether it is ready."""
    name = wording.MODEL_LABELS[status.name]
    if status.display_name:
        name = f"{name} “{status.display_name}”, trained here,"
    readiness = {
        "ready": "ready",
        "loading": f"loading, {status.seconds:.0f} s",
        "absent": "not installed",
        "failed": "could not be loaded",
    }[status.readiness]
    return f"{name} {readiness}"


def help_button() -> None:
    """The help button with the shortcuts; every start of the tour passes through here."""
    with st.container(key="keyboard"):
        result = component("shell/keyboard")(
            key="keys", data=help_text(), on_tour_change=nothing, on_scheme_change=nothing
        )
    if result.tour:
        navigation.go("case", tour.link(int(result.tour)))


def help_text() -> dict[str, Any]:
    """What the help says, as plain JSON values."""
    return {
        "title": "Help",
        "leaves": IDLE_SECONDS if account_name() else 0,
        "shortcuts": [[list(keys), words] for keys, words in SHORTCUTS],
        "tour": {
            "title": "Guided tour",
            "words": wording.TOUR_OFFER,
            "start": "Start the tour",
            "resume": f"Resume at step {{step}} of {tour.STEPS}",
            "steps": tour.STEPS,
        },
        "about": [f"{wording.NOT_A_DEVICE} {wording.INTENDED_USE}", *wording.LIMITS[:2]],
    }

"""The frame of every page: what this is, which data, which models, and whether they are ready."""

from __future__ import annotations

import streamlit as st

from dashboard.server.service import MODELS, ModelStatus, Service
from dashboard.shared import theme, wording
from dashboard.shared.formatting import escape, tag
from dashboard.shared.guard import fragment


def show(service: Service | None) -> None:
    """Draw the strip under the navigation; while a model loads it refreshes itself, and the page when one is there.

    It is the only thing that polls for loading, so that waiting costs the loading as little as can be.
    """
    if service is None:
        st.html(strip(None, ()))
        return
    statuses = [service.status(name) for name in MODELS]
    if any(status.readiness == "loading" for status in statuses):
        fragment(_waiting, run_every=1.5)(service, tuple(status.readiness for status in statuses))
    else:
        with st.container():  # a block, as the waiting strip is: a late refresh of that one finds its place
            st.html(strip(service, statuses))


def _waiting(service: Service, drawn: tuple[str, ...]) -> None:
    statuses = [service.status(name) for name in MODELS]
    st.html(strip(service, statuses))
    if tuple(status.readiness for status in statuses) != drawn:
        st.rerun()


def strip(service: Service | None, statuses: tuple[ModelStatus, ...] | list[ModelStatus]) -> str:
    """The strip's markup."""
    parts = [tag("strong", escape(wording.NOT_A_DEVICE))]
    if service is not None:
        print_ = service.engine.cohort.fingerprint
        kind = wording.data_kind(print_.synthetic, print_.label)
        parts.append(tag("span", escape(f"{print_.label}, {print_.patients:,} patients. {kind}.")))
    models = "".join(_model(status) for status in statuses)
    if models:
        parts.append(
            tag(
                "span",
                models,
                css="ld-push",
                style="display:inline-flex;gap:1rem;flex-wrap:wrap",
                role="status",
            )
        )
    return tag("div", *parts, css="ld-frame")


def _called(status: ModelStatus) -> str:
    name = wording.MODEL_NAMES[status.name]
    return f"{name} “{status.called}”, trained here," if status.called else name


def _model(status: ModelStatus) -> str:
    words = {
        "ready": "ready",
        "loading": f"loading, {status.seconds:.0f} s",
        "absent": "not installed",
        "failed": "could not be loaded",
    }[status.readiness]
    icon = tag("span", theme.MODEL_ICONS[status.name], css="ld-shape", aria_hidden="true")
    busy = " ld-busy" if status.readiness == "loading" else ""
    return tag(
        "span",
        icon,
        tag("span", escape(f"{_called(status)} {words}"), css=busy.strip()),
        css=f"ld-model {status.name}",
        title=status.reason or wording.MODEL_NAMES[status.name],
    )

"""Models: what each model is, what it learned from, how it did on validation, and what it is not for; and the data."""

from __future__ import annotations

import streamlit as st

from dashboard import wording
from dashboard.components import markup, model_card
from dashboard.service import MODELS, ModelName, Service, get_service


def draw() -> None:
    service = get_service()
    st.html(markup.title("Models and data", "what is being served here, and what it may be used for"))
    left, right = st.columns(2, gap="large")
    for name, column in zip(MODELS, (left, right), strict=True):
        with column:
            _model(service, name)
    st.html(markup.panel_title("The cohort being served"))
    one, two = st.columns(2, gap="large")
    with one:
        st.html(markup.facts(model_card.cohort_facts(service.engine.cohort.fingerprint)))
    with two:
        st.html(
            markup.facts(
                model_card.cohort_origin(service.engine.cohort.meta, str(service.engine.cohort.path))
            )
        )
    st.html(markup.panel_title("Intended use and limits"))
    st.html(markup.callout(f"{wording.NOT_A_DEVICE} {wording.INTENDED_USE}", "warn"))
    st.html(markup.plain_list(wording.LIMITS))


def _model(service: Service, name: ModelName) -> None:
    card = service.engine.models[name]
    status = service.status(name)
    st.html(markup.model_head(name, model_card.what_it_is(name)))
    st.html(model_card.state_line(status, card.folder))
    for text in card.notes:
        st.html(markup.callout(text, "warn"))
    manifest = card.manifest
    if manifest is None:
        st.html(markup.callout(card.error, name))
        return
    if card.error:
        st.html(markup.callout(card.error, "warn"))
    st.html(markup.facts(model_card.identity(manifest)))
    st.html(markup.panel_title("On validation", model_card.spread(manifest.validation)))
    headings, rows = model_card.validation_table(manifest.validation)
    if rows:
        st.html(markup.table(headings, rows, numeric=frozenset(range(1, len(headings)))))
        st.html(markup.note(model_card.comparable(manifest.cohort)))
    else:
        st.html(markup.note("No validation figures were kept with this model."))
    st.html(markup.panel_title("Training curves"))
    _curves(name, manifest.history)
    with st.expander("Settings, packages and file hashes"):
        st.html(
            markup.facts(
                (key, str(value)) for key, value in sorted(model_card.flat(manifest.settings).items())
            )
        )
        st.html(markup.panel_title("Packages") + markup.facts(sorted(manifest.packages.items())))
        st.html(markup.panel_title("Files", "sha256, checked when the server opened them"))
        st.html(markup.table(("File", "sha256"), sorted(manifest.files.items())))


def _curves(name: ModelName, history: tuple[object, ...]) -> None:
    from dashboard.figures.curves import figure

    drawn = figure(history, name, "dark" if st.context.theme.type == "dark" else "light")  # type: ignore[arg-type]
    if drawn is None:
        st.html(markup.note("No training history was kept with this model."))
        return
    st.plotly_chart(
        drawn,
        key=f"curves-{name}",
        theme=None,
        alt=f"Training curves of the {name}",
        config={"displayModeBar": False},
    )

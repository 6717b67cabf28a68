"""Models: each model's identity, training data, metrics and limits; training a student; and the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import streamlit as st

from dashboard.models import card, charts, checks, metrics, training_panel
from dashboard.server.service import Service, choose_student, get_service
from dashboard.server.settings import read_settings
from dashboard.shared import markup, url_state, wording
from dashboard.shared.charts import color_mode
from dashboard.shared.charts import draw as draw_chart
from dashboard.shared.formatting import count
from dashboard.shared.url_state import Binding
from dashboard.shared.widgets import switch
from leader_core.domain import MODEL_NAMES, ModelName
from leader_core.evaluation.record import EvaluationRecord, StoredEvaluation
from leader_core.model_folder import Manifest

PARTS: Final = {
    "both": "Both models",
    "teacher": "Teacher",
    "student": "Student",
    "training": "Train a student",
}
_PART: Final = "model"
_NO_METRICS: Final = "No validation metrics are stored with this model."
_BINDINGS: Final = {_PART: Binding.choice("both", PARTS)}


def draw() -> None:
    service = get_service()
    url_state.enter("models", _BINDINGS)
    st.html(markup.title("Models and data", "what is being served here, and what it may be used for"))
    part = str(switch("Part of the page", PARTS, **url_state.mirror(_PART)))
    if service.student_name:
        _other_student(service)
    model = next((name for name in MODEL_NAMES if name == part), None)
    if model is not None:
        _one(service, model)
    elif part == "training":
        training_panel.show(service)
    else:
        _both(service)
    url_state.publish("models", url_state.written(_BINDINGS))


def _other_student(service: Service) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(markup.callout(wording.OTHER_STUDENT.format(name=service.student_name), "student"))
        st.button("Back to the server's own", key="own_student", on_click=choose_student, args=("",))


def _open(part: str) -> None:
    st.session_state[_PART] = part


def _both(service: Service) -> None:
    for name, column in zip(MODEL_NAMES, st.columns(2, gap="large"), strict=True):
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
    _intended_use()


def _summary(service: Service, name: ModelName) -> None:
    """What to see at a glance; the model's own page has the rest."""
    manifest = _head(service, name)
    if manifest is None:
        return
    st.html(markup.facts(card.identity(manifest)[:4]))
    st.html(markup.panel_title("On validation", metrics.spread(manifest.validation)))
    headline = metrics.headline(manifest.validation)
    st.html(markup.metrics(headline) if headline else markup.note(_NO_METRICS))
    st.button(
        f"All about the {name}",
        key=f"open-{name}",
        on_click=_open,
        args=(name,),
        icon=":material/arrow_forward:",
    )


def _head(service: Service, name: ModelName) -> Manifest | None:
    """A model's name and state, and what is wrong with it; its manifest where there is one."""
    model = service.engine.models[name]
    st.html(markup.model_head(name, card.what_it_is(name)))
    st.html(card.state_line(service.status(name)))
    for text in model.notes:
        st.html(markup.callout(text, "warn"))
    if model.manifest is None:
        st.html(markup.callout(model.error, name))
        return None
    if model.error:
        st.html(markup.callout(model.error, "warn"))
    return model.manifest


def _one(service: Service, name: ModelName) -> None:
    """One model in full, as its manifest and the evaluation next to it have it."""
    manifest = _head(service, name)
    if manifest is None:
        _intended_use()
        return
    evaluations = EvaluationRecord.next_to(read_settings().models).of(manifest)
    left, right = st.columns(2, gap="large")
    with left:
        st.html(markup.panel_title("What it is and what it learned from"))
        st.html(markup.facts(card.identity(manifest)))
        st.html(markup.panel_title("Training curves"))
        curves = charts.training_curves(manifest.history, name, color_mode())
        if curves is None:
            st.html(markup.note("No training history is stored with this model."))
        else:
            draw_chart(curves, f"curves-{name}", f"Training curves of the {name}")
    with right:
        st.html(markup.panel_title("Do its probabilities mean what they say?"))
        _reliability(name, manifest, evaluations)
    _metrics(manifest, evaluations)
    if service.student_name and name == "student":
        st.html(markup.panel_title("Compared with the server's own student"))
        training_panel.compared(manifest)
    with st.expander("Settings, packages and file hashes"):
        settings = sorted(card.flat(manifest.settings).items())
        st.html(markup.facts((key, str(value)) for key, value in settings))
        st.html(markup.panel_title("Packages") + markup.facts(sorted(manifest.packages.items())))
        st.html(markup.panel_title("Files", "sha256, checked when the server opened them"))
        st.html(markup.table(("File", "sha256"), sorted(manifest.files.items())))
    _intended_use()


def _intended_use() -> None:
    """What any of it is for, and what it is not."""
    st.html(markup.panel_title("Intended use and limits"))
    st.html(markup.callout(f"{wording.NOT_A_DEVICE} {wording.INTENDED_USE}", "warn"))
    st.html(markup.plain_list(wording.LIMITS))


def _metrics(manifest: Manifest, evaluations: Sequence[StoredEvaluation]) -> None:
    """Validation, then every test it was judged on; published metrics only where they are comparable."""
    st.html(markup.panel_title("Metrics", metrics.spread(manifest.validation)))
    headings, rows = metrics.table(manifest.validation, "Validation")
    for each in evaluations:
        rows += metrics.table(each.groups, metrics.cases_of(each, manifest), headings)[1]
    if not rows:
        st.html(markup.note(_NO_METRICS))
        return
    own = next((each for each in evaluations if each.cohort_digest == manifest.cohort.digest), None)
    against = metrics.reasons_against(manifest, own)
    published = metrics.published(manifest)
    if not against and published is not None:
        rows.append(metrics.published_row(published, headings))
    with st.container(key="model_metrics"):
        _table(headings, rows, text_columns=2)
    if any(each.seeds > 1 for each in evaluations):
        st.html(markup.note(wording.SEVERAL_SEEDS))
    if not evaluations:
        st.html(markup.note("No test metrics of this very model are stored next to the models' folder."))
    st.html(markup.note(metrics.not_comparable(against) if against else wording.COMPARABLE))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> None:
    st.html(markup.table(headings, rows, numeric=frozenset(range(text_columns, len(headings)))))


def _reliability(name: ModelName, manifest: Manifest, evaluations: Sequence[StoredEvaluation]) -> None:
    """From test where it is stored, else from validation, where the calibration was fitted."""
    fitted = manifest.calibration
    tested = next(
        (each for each in evaluations if each.bins and each.cohort_digest == manifest.cohort.digest), None
    )
    if tested is not None:
        before, after, where = tested.bins_before, tested.bins, count(tested.cases, "test case")
        if fitted is None:
            before, after = tested.bins, ()
        errors = (tested.ece_before, tested.ece) if fitted else (tested.ece, None)
    elif fitted is not None:
        before, after, where = fitted.bins_before, fitted.bins_after, count(fitted.cases, "validation case")
        errors = (fitted.ece_before, fitted.ece_after)
    else:
        st.html(markup.note(wording.NO_CALIBRATION.format(model=name)))
        return
    chart = charts.reliability(before, after, name, color_mode())
    if chart is not None:
        alt = f"Reliability of the {name}: share ordered against the score"
        draw_chart(chart, f"reliability-{name}", alt)
    else:
        st.html(markup.note("The points of the diagram are not stored with this model."))
    st.html(markup.note(metrics.calibration_sentence(fitted, errors, where)))
    if tested is None:
        st.html(markup.note("On validation, where it was fitted: this flatters it."))
    _promises(manifest, evaluations)


def _promises(manifest: Manifest, evaluations: Sequence[StoredEvaluation]) -> None:
    own = next((each for each in evaluations if each.conformal), None)
    if own is not None:
        title = f"Conformal sets, {count(own.cases, 'test case')}"
        st.html(markup.panel_title(title, "promised in the heading, reached below it"))
        _table(*metrics.promises(own.conformal))
    elif manifest.calibration is not None:
        st.html(markup.panel_title("Conformal sets", "what is promised; not yet measured on test"))
        _table(*metrics.cutoffs(manifest.calibration.cutoffs))

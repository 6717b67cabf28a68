"""One model in full: identity, figures with intervals, training curves, reliability, promises, settings and hashes.

Refuses to compute a figure: it shows what the manifest and the evaluation beside it say.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.models import card as model_card
from dashboard.models import metrics, published, reliability_chart, training_curves
from dashboard.server.service import ModelName, Service, shipped
from dashboard.server.settings import read_settings
from dashboard.shared import markup, wording
from dashboard.shared.formatting import count
from dashboard.shared.theme import Mode
from leader_core.evaluation.record import EvaluationRecord, Judgement
from leader_core.model_folder import Manifest


def head(service: Service, name: ModelName) -> Manifest | None:
    """A model's name and state, and what is wrong with it; its manifest where there is one."""
    card = service.engine.models[name]
    status = service.status(name)
    st.html(markup.model_head(name, model_card.what_it_is(name)))
    st.html(model_card.state_line(status, card.folder))
    for text in card.notes:
        st.html(markup.callout(text, "warn"))
    if card.manifest is None:
        st.html(markup.callout(card.error, name))
        return None
    if card.error:
        st.html(markup.callout(card.error, "warn"))
    return card.manifest


def show(service: Service, name: ModelName) -> None:
    """The page of one model."""
    manifest = head(service, name)
    if manifest is None:
        intended_use()
        return
    judged = EvaluationRecord.next_to(read_settings().models).of(manifest)
    left, right = st.columns(2, gap="large")
    with left:
        st.html(markup.panel_title("What it is and what it learned from"))
        st.html(markup.facts(model_card.identity(manifest)))
        st.html(markup.panel_title("Training curves"))
        _curves(name, manifest)
    with right:
        st.html(markup.panel_title("Do its probabilities mean what they say?"))
        _reliability(name, manifest, judged)
    _figures(manifest, judged)
    if service.student_name and name == "student":
        _beside_own(manifest)
    with st.expander("Settings, packages and file hashes"):
        settings = sorted(model_card.flat(manifest.settings).items())
        st.html(markup.facts((key, str(value)) for key, value in settings))
        st.html(markup.panel_title("Packages") + markup.facts(sorted(manifest.packages.items())))
        st.html(markup.panel_title("Files", "sha256, checked when the server opened them"))
        st.html(markup.table(("File", "sha256"), sorted(manifest.files.items())))
    intended_use()


def intended_use() -> None:
    """What any of it is for, and what it is not."""
    st.html(markup.panel_title("Intended use and limits"))
    st.html(markup.callout(f"{wording.NOT_A_DEVICE} {wording.INTENDED_USE}", "warn"))
    st.html(markup.plain_list(wording.LIMITS))


def _figures(manifest: Manifest, judged: Sequence[Judgement]) -> None:
    """Validation, then every test it was judged on; published figures only where they may stand there."""
    st.html(markup.panel_title("Figures", model_card.spread(manifest.validation)))
    headings, rows = metrics.table(manifest.validation, "Validation")
    for each in judged:
        more = metrics.table(each.groups, metrics.place(each, manifest), headings)
        rows += more[1]
    if not rows:
        st.html(markup.note("No validation figures were kept with this model."))
        return
    own = next((each for each in judged if each.cohort_digest == manifest.cohort.digest), None)
    against = published.reasons_against(manifest, own)
    known = published.figures(manifest)
    if not against and known is not None:
        rows.append(metrics.published_row(known, headings))
    with st.container(key="model_figures"):
        st.html(markup.table(headings, rows, numeric=frozenset(range(2, len(headings)))))
    if any(each.seeds > 1 for each in judged):
        st.html(markup.note(wording.SEVERAL_SEEDS))
    if not judged:
        st.html(markup.note("No test figures of this very model were kept beside the models' folder."))
    st.html(markup.note(published.refusal(against) if against else wording.COMPARABLE))


def _mode() -> Mode:
    return "dark" if st.context.theme.type == "dark" else "light"


def _curves(name: ModelName, manifest: Manifest) -> None:
    drawn = training_curves.figure(manifest.history, name, _mode())
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


def _reliability(name: ModelName, manifest: Manifest, judged: Sequence[Judgement]) -> None:
    """From test where it was kept, else from validation, where the calibration was fitted."""
    fitted = manifest.calibration
    tested = next(
        (each for each in judged if each.bins and each.cohort_digest == manifest.cohort.digest), None
    )
    if tested is not None:
        before, after, where = tested.bins_before, tested.bins, f"{count(tested.cases, 'test case')}"
        if fitted is None:
            before, after = tested.bins, ()
        errors = (tested.ece_before, tested.ece) if fitted else (tested.ece, None)
    elif fitted is not None:
        before, after, where = fitted.bins_before, fitted.bins_after, count(fitted.cases, "validation case")
        errors = (fitted.ece_before, fitted.ece_after)
    else:
        st.html(markup.note(wording.NO_CALIBRATION.format(model=name)))
        return
    drawn = reliability_chart.figure(before, after, name, _mode())
    if drawn is not None:
        st.plotly_chart(
            drawn,
            key=f"reliability-{name}",
            theme=None,
            alt=f"Reliability of the {name}: share prescribed against the probability given",
            config={"displayModeBar": False},
        )
    else:
        st.html(markup.note("The points of the diagram were not kept with this model."))
    st.html(markup.note(metrics.calibration_sentence(fitted, errors, where)))
    if tested is None and fitted is not None:
        st.html(markup.note("On validation, where it was fitted: this flatters it."))
    _promises(fitted is not None, judged, manifest)


def _promises(fitted: bool, judged: Sequence[Judgement], manifest: Manifest) -> None:
    own = next((each for each in judged if each.conformal), None)
    if own is not None:
        headings, rows = metrics.promises(own.conformal)
        title = f"Conformal sets, {count(own.cases, 'test case')}"
        st.html(markup.panel_title(title, "what was promised, and what was kept"))
        st.html(markup.table(headings, rows, numeric=frozenset(range(1, len(headings)))))
    elif fitted and manifest.calibration is not None:
        headings, rows = metrics.cutoffs(manifest.calibration.cutoffs)
        st.html(markup.panel_title("Conformal sets", "what is promised; not yet measured on test"))
        st.html(markup.table(headings, rows, numeric=frozenset(range(1, len(headings)))))


def _beside_own(manifest: Manifest) -> None:
    """A student trained here beside the server's own: figures and settings."""
    own = shipped().engine.models["student"].manifest
    if own is None:
        return
    st.html(markup.panel_title("Beside the server's own student"))
    headings, rows = model_card.side_by_side(
        ["This student", "The server's own"], [manifest.validation, own.validation]
    )
    if own.cohort.digest != manifest.cohort.digest:
        st.html(markup.note("They learned from different cohorts: their figures do not compare."))
    elif rows:
        st.html(markup.table(headings, rows, numeric=frozenset(range(1, len(headings)))))
    different = model_card.differing(manifest.settings, own.settings)
    if different:
        st.html(markup.table(("Setting", "This student", "The server's own"), different))

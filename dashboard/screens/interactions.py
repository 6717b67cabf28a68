"""Interactions: pairs among the selected classes, as a list first and as a graph beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from dashboard import address, navigation, state, wording
from dashboard.components import markup
from dashboard.components.subject import case_title, titles_of
from dashboard.formatting import count
from dashboard.guard import fragment
from dashboard.service import MODELS, Service, get_service, scores
from dashboard.state import Subject
from leader_core import SEVERITIES, Interaction
from leader_core.domain import Severity

_READABLE: Final = 40
_BINDINGS: Final = {
    "set": address.Binding.choice("union", dict.fromkeys(("teacher", "student", "prescribed", "union")))
}
_LABELS: Final[Mapping[str, str]] = {
    **wording.MODEL_NAMES,
    "prescribed": "Prescribed",
    "union": "All together",
}


def draw() -> None:
    service = get_service()
    subject = state.subject(service)
    if subject is None:
        st.html(markup.title("Interactions"))
        navigation.no_case()
        return
    address.enter(f"interactions {subject.query}", _BINDINGS)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(case_title(subject), width="content")
        st.space("stretch")
        navigation.link(
            "case" if subject.source == "cohort" else "new", "Back to the case", state.linked(subject)
        )
        navigation.link("prompt", "Prompt", state.linked(subject))
    pending = any(scores(service, subject.case, name).pending for name in MODELS)
    state.keep(state.linked(subject))
    fragment(_body, run_every=0.7 if pending else None)(service, subject, pending)


def _body(service: Service, subject: Subject, was_pending: bool) -> None:
    sets, missing, pending = _sets(service, subject)
    if was_pending and not pending:
        st.rerun()
    for text, name in missing:
        st.html(markup.callout(text, name))
    if not sets:
        return
    names = list(sets)
    if st.session_state.get("set") not in names:
        st.session_state["set"] = names[-1]
    chosen = st.segmented_control(
        "Pairs among",
        names,
        default=names[-1],
        required=True,
        key="set",
        format_func=_LABELS.__getitem__,
    )
    codes = sets.get(str(chosen), sets[names[-1]])
    every = service.engine.cohort.interactions.among(codes)
    pairs = _by_severity(every)
    left, right = st.columns([1, 1.25], gap="large")
    with right:
        picked = _graph(service, sets, codes, pairs) if pairs else None
    with left:
        _list(service, codes, every, pairs, picked)
    address.publish("interactions", {**state.linked(subject), **address.written(_BINDINGS)})


def _by_severity(every: Sequence[Interaction]) -> list[Interaction]:
    """The pairs of the chosen severities; at first the most severe ones, as many levels as stay readable."""
    counts = {level: sum(p.severity == level for p in every) for level in SEVERITIES}
    present = [level for level in SEVERITIES if counts[level]]
    if len(present) < 2:
        return list(every)
    chosen = st.pills(
        "Severity",
        present,
        selection_mode="multi",
        default=readable(counts),
        key=f"severities-{'-'.join(present)}",
        format_func=lambda level: f"{wording.SEVERITY_LABELS[level]} {counts[level]}",
    )
    return [p for p in every if p.severity in chosen]


def readable(counts: Mapping[Severity, int]) -> list[Severity]:
    """The most severe levels whose pairs together stay under a few dozen; always at least one level."""
    levels: list[Severity] = []
    total = 0
    for level in (s for s in SEVERITIES if counts.get(s)):
        if levels and total + counts[level] > _READABLE:
            break
        levels.append(level)
        total += counts[level]
    return levels


def _sets(
    service: Service, subject: Subject
) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str]], bool]:
    """What each model selects at its cut-off, what was prescribed, and all together; and who is missing, why."""
    sets: dict[str, tuple[str, ...]] = {}
    missing: list[tuple[str, str]] = []
    pending = False
    for name in MODELS:
        found = scores(service, subject.case, name)
        if found.recommendation is not None:
            recommendation = found.recommendation
            if (moved := state.cut_off(name)) is not None:
                recommendation = service.engine.with_threshold(recommendation, moved)
            sets[name] = tuple(m.code for m in recommendation.selected)
        elif found.status in ("loading", "running"):
            pending = pending or found.pending
            text = wording.LOADING if found.status == "loading" else wording.RUNNING
            missing.append((text.format(model=f"The {name}"), name))
        else:
            missing.append((f"{wording.MODEL_NAMES[name]} is not available. {found.reason}", name))
    if subject.source == "cohort" and subject.case.prescribed and not state.hidden(subject):
        sets["prescribed"] = subject.case.prescribed
    if len(sets) > 1:
        sets["union"] = tuple(dict.fromkeys(code for codes in sets.values() for code in codes))
    return sets, missing, pending


def _list(
    service: Service,
    codes: tuple[str, ...],
    every: Sequence[Interaction],
    pairs: Sequence[Interaction],
    picked: tuple[str, ...] | None,
) -> None:
    titles = titles_of(service)
    classes = count(len(codes), "class", "classes")
    heading = f"{count(len(every), 'pair')} among {classes}"
    if len(pairs) != len(every):
        heading = f"{len(pairs)} shown of {heading}"
    st.html(markup.panel_title("Pairs, most severe first", heading))
    shown = [p for p in pairs if picked is None or set(picked) <= {p.code_a, p.code_b}]
    if not every:
        st.html(markup.empty(f"No listed pair among {classes}", wording.NO_PAIR))
    elif not pairs:
        st.html(markup.empty("No severity is chosen", "Choose at least one severity above to see its pairs."))
    else:
        if picked is not None:
            about = " and ".join(titles("medication", code) for code in picked)
            st.html(
                markup.note(f"Chosen in the graph: {about}. {count(len(shown), 'pair')} of {len(pairs)}.")
            )
        if shown:
            st.html(markup.interactions(shown, titles, opened=1 if picked is None else 3))
        else:
            st.html(markup.note("This class is in no pair shown here."))
    st.html(markup.note(markup.table_covers(service.engine.cohort.interactions)))


def _graph(
    service: Service,
    sets: Mapping[str, tuple[str, ...]],
    codes: tuple[str, ...],
    pairs: Sequence[Interaction],
) -> tuple[str, ...] | None:
    """The graph; gives the class or pair that was chosen in it."""
    from dashboard.figures.interaction_graph import figure

    everything = tuple(dict.fromkeys(code for members in sets.values() for code in members))
    drawn = figure(
        codes,
        pairs,
        everything=everything,
        titles={c: service.engine.cohort.title("medication", c) or c for c in everything},
        mode="dark" if st.context.theme.type == "dark" else "light",
    )
    with st.container(key="graph_box"):
        event = st.plotly_chart(
            drawn,
            key="graph",
            theme=None,
            on_select="rerun",
            selection_mode="points",
            config={"displayModeBar": False},
        )
    points = event.selection.points if event else []
    st.html(markup.severity_key() + markup.area_key(codes))
    return tuple(str(points[0]["customdata"]).split("|")) if points and points[0].get("customdata") else None

"""Error analysis: over a split or a saved list, where each model errs, and the cases behind every figure."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

import streamlit as st

from dashboard import address, analysis, navigation
from dashboard.analysis import Desk
from dashboard.components import errors_report, markup
from dashboard.components import errors_words as say
from dashboard.components.errors_classes import ORDERS
from dashboard.components.errors_lines import ALL
from dashboard.components.errors_link import named
from dashboard.components.errors_parts import CASES, View, linked
from dashboard.formatting import count
from dashboard.service import Service, get_service
from dashboard.settings import read_settings
from dashboard.workspace import get_workspace
from leader_core import LeaderError, NotFoundError
from leader_core.analysis import FIELDS, Selection

_VIEWS: Final[dict[str, tuple[str, str]]] = {
    "groups": ("errors_groups", "show"),
    "tree": ("errors_tree", "show"),
    "heat": ("errors_heat", "show"),
    "classes": ("errors_classes", "show"),
    "pair": ("errors_pair", "show"),
    "cut": ("errors_lines", "cut_off"),
    "calibration": ("errors_lines", "calibration"),
    "drift": ("errors_lines", "drift"),
    "notes": ("errors_notes", "show"),
}
"""What draws each view: a module of dashboard/components, and its function."""

_METRIC_VIEWS: Final = ("groups", "heat", "drift")
_FIELDS: Final = dict.fromkeys((*FIELDS, say.LISTS))
_CODE: Final = address.Binding("", lambda text: text if text.isalnum() and len(text) < 11 else None)


def _name(text: str) -> str | None:
    return text if text.replace("_", "").replace("-", "").isalnum() and len(text) < 65 else None


def _cut(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.01 <= value <= 0.99 else None


_BINDINGS: Final[dict[str, address.Binding]] = {
    "view": address.Binding.choice("groups", say.VIEWS),
    "of": address.Binding("", _name),
    "model": address.Binding("", _name),
    "with": address.Binding("", _name),
    "where": address.Binding("", analysis.read_selection),
    "metric": address.Binding.choice("jaccard", say.METRICS),
    "by": address.Binding.choice("history", _FIELDS),
    "rows": address.Binding.choice("insurance", dict.fromkeys(FIELDS)),
    "columns": address.Binding.choice("age_band", dict.fromkeys(FIELDS)),
    "target": address.Binding.choice("error", say.TARGETS),
    "depth": address.Binding.number(3, (1, 2, 3, 4)),
    "class": _CODE,
    "of_class": address.Binding(ALL, lambda text: text if text.isalnum() and len(text) < 11 else None),
    "order": address.Binding.choice("prescribed", ORDERS),
    "cut": address.Binding(0.0, _cut, lambda value: f"{value:.2f}"),
    "against": address.Binding("train", _name),
}


def draw() -> None:
    service = get_service()
    st.html(
        markup.title("Error analysis", "from stored scores; every count and mark opens the cases behind it")
    )
    try:
        desk = analysis.get_desk(service)
        with st.spinner("Reading the stored scores…"):
            cases = len(desk.analysis.frame)
    except NotFoundError:
        _empty(service)
        return
    address.enter("errors", _BINDINGS)
    if not cases or not desk.analysis.models:
        st.html(
            markup.empty(
                "No case is scored",
                "The stored scores hold no case. Make them again: python -m train scores.",
            )
        )
        return
    _controls(service, desk)
    view = _view(service, desk)
    _told(service, view)
    name = st.segmented_control(
        "View",
        list(say.VIEWS),
        required=True,
        format_func=say.VIEWS.__getitem__,
        label_visibility="collapsed",
        **address.mirror("view"),
    )
    address.publish("errors", address.written(_BINDINGS))
    module, function = _VIEWS[str(name or "groups")]
    shown: Callable[[View], None] = getattr(import_module(f"dashboard.components.{module}"), function)
    if not view.within.any() and name != "notes":
        st.html(
            markup.empty(
                "No case is left", "No scored case fulfils all of this. Take a condition away above."
            )
        )
        return
    shown(view)


def _empty(service: Service) -> None:
    """No stored scores: the command, what it takes, and what it gives."""
    cohort = service.engine.cohort
    told = "This screen works on scores that are kept beside the cohort. Make them once, as below."
    note = f" {cohort.scores_note}" if cohort.scores_note else ""
    st.html(markup.empty("No scores are stored for this cohort", told + note))
    st.code(
        f"python -m train scores --cohort {cohort.path} --models {read_settings().models}\n"
        f"python -m train scores --cohort {cohort.path} --add popularity=FOLDER/scores.parquet",
        language=None,  # coloured, its options would be too pale to read
        wrap_lines=True,
    )
    patients = cohort.fingerprint.patients
    st.html(
        markup.note(
            f"The first line lets both models score {count(patients, 'patient')} and keeps the result beside the cohort; "
            "--split test scores the test split alone. On two processor cores the student takes a second or two for a "
            "thousand patients, the demo's teacher some two minutes. The second adds a baseline that "
            "python -m train baseline scored. Then start the server anew."
        )
    )


def _controls(service: Service, desk: Desk) -> None:
    """Which cases, which models, which metric."""
    lists = {f"{analysis.LIST}{c.cohort_id}": c.name for c in get_workspace(service).cohorts()}
    splits = desk.analysis.frame.columns["split"].values
    cases = {
        **{s: f"{say.value('split', s)} split" for s in splits},
        analysis.EVERYBODY: "All scored cases",
        **{key: f"List: {name}" for key, name in lists.items()},
    }
    if st.session_state["of"] not in cases:
        st.session_state["of"] = "test" if "test" in cases else analysis.EVERYBODY
    models = list(desk.analysis.models)
    if st.session_state["model"] not in models:
        st.session_state["model"] = (
            models[-1] if len(models) == 1 else next(m for m in ("student", *models) if m in models)
        )
    others = [m for m in models if m != st.session_state["model"]]
    if st.session_state["with"] not in (*others, "none"):
        st.session_state["with"] = others[0] if others else "none"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="filters"):
        st.selectbox("Cases", list(cases), format_func=cases.__getitem__, width=220, **address.mirror("of"))
        st.selectbox("Model", models, format_func=say.model, width=190, **address.mirror("model"))
        st.selectbox(
            "Compared with",
            [*others, "none"],
            format_func=lambda m: "Nothing" if m == "none" else say.model(m),
            width=190,
            **address.mirror("with", [*others, "none"]),
        )
        if st.session_state["view"] in _METRIC_VIEWS:
            st.selectbox(
                "Figure",
                list(say.METRICS),
                format_func=say.METRICS.__getitem__,
                width=190,
                **address.mirror("metric"),
            )


def _view(service: Service, desk: Desk) -> View:
    """What is looked at, from the page's state."""
    selection = analysis.base(desk, st.session_state["of"])
    find = analysis.lookup(service)
    try:
        selection = selection.but(*Selection.of(st.session_state["where"]).conditions)
        within = desk.analysis.mask(selection, find)
    except LeaderError as error:
        st.html(markup.callout(str(error), "warn"))
        st.session_state["where"] = ""
        selection = analysis.base(desk, st.session_state["of"])
        within = desk.analysis.mask(selection, find)

    beside = st.session_state["with"]
    return View(
        service=service,
        desk=desk,
        selection=selection,
        within=within,
        model=st.session_state["model"],
        beside=beside if beside in desk.analysis.models and beside != st.session_state["model"] else None,
        metric=st.session_state["metric"],
        named=lambda kind, name: named(service, kind, name),
    )


def _told(service: Service, view: View) -> None:
    """How many cases, under which conditions, each of which can be taken away; and the report."""
    conditions = Selection.of(st.session_state["where"]).conditions
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="told"):
        number = int(view.within.sum())
        people = len(set(view.desk.analysis.frame.patient_ids[view.within].tolist()))
        st.html(markup.note(f"{count(number, 'case')} of {count(people, 'patient')}"), width="content")
        for condition in conditions:
            st.button(
                view.told(condition),
                icon=":material/close:",
                icon_position="right",
                key=f"drop-{condition.text}",
                on_click=_drop,
                args=(condition.text,),
                help="Take this condition away",
            )
        st.space("stretch")
        if number:
            navigation.link("patients", "Open in the worklist", {CASES: linked(view.selection)})
        errors_report.button(view)


def _drop(text: str) -> None:
    kept = [c for c in Selection.of(st.session_state["where"]).conditions if c.text != text]
    st.session_state["where"] = Selection(tuple(kept)).text

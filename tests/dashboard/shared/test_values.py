"""What the pages are made of, without Streamlit: comparison, drafts, filters, prompt markup, charts, the theme."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dashboard.case import patient
from dashboard.interactions import alerts, graph, matrix
from dashboard.models import charts, metrics
from dashboard.new_case import page as new_case
from dashboard.patients import filters as worklist
from dashboard.prompt import page as prompt_page
from dashboard.scores import cut_offs, panel
from dashboard.server import settings
from dashboard.server.service import case_key
from dashboard.server.settings import ServerSettings, read_settings
from dashboard.shared import case_text, comparison, markup, theme, wording
from dashboard.shared.case_text import ordered_drugs
from dashboard.shared.draft import MAX_EARLIER, Draft
from dashboard.shared.formatting import gap, probability, stay
from dashboard.shared.session import Subject
from leader_core import Case, Concept, InputError, Interaction, Order, Visit
from leader_core.domain import EquivalentCode, UnseenCode
from leader_core.interactions import Alert
from leader_core.interactions.review import Carrier
from tests.fakes import PAIRS, FakeCohort, FakeEngine, manifest

ROOT = Path(__file__).parents[3]


# Comparison


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


def test_rows_fall_into_the_group_that_says_who_suggested_them(engine: FakeEngine) -> None:
    case = engine.cohort.case(10_006)
    teacher, student = engine.recommend(case, "teacher"), engine.recommend(case, "student")
    rows = comparison.rows({"teacher": teacher, "student": student}, case.prescribed, {})
    groups = comparison.grouped(rows)
    mine, yours = {m.code for m in teacher.selected}, {m.code for m in student.selected}
    given = set(case.prescribed)
    assert {r.code for r in groups["agreed"]} == mine & yours
    assert {r.code for r in groups["teacher"]} == mine - yours
    assert {r.code for r in groups["student"]} == yours - mine
    assert {r.code for r in groups["missed"]} == given - mine - yours
    assert sum(map(len, groups.values())) == len(rows) == len(teacher.medications)


def test_a_prescribed_class_outside_the_vocabulary_is_not_lost() -> None:
    rows = comparison.rows({}, ("Z99Z",), {"Z99Z": "Something new"})
    assert [(r.code, r.title, r.group, r.scores.get("teacher")) for r in rows] == [
        ("Z99Z", "Something new", "missed", None)
    ]


def test_rows_are_best_first_for_either_model(engine: FakeEngine) -> None:
    case = engine.cohort.case(10_006)
    rows = comparison.rows({"student": engine.recommend(case, "student")}, (), {})
    scores = [r.scores["student"] for r in rows if r.scores]
    assert scores == sorted(scores, reverse=True)


def test_areas_stand_in_the_order_of_atc(engine: FakeEngine) -> None:
    case = engine.cohort.case(10_006)
    rows = comparison.rows({"teacher": engine.recommend(case, "teacher")}, case.prescribed, {})
    areas = comparison.by_area(rows)
    assert sum(map(len, areas.values())) == len(rows)
    assert list(areas) == sorted(areas, key=lambda a: next(k for k, v in comparison.AREAS.items() if v == a))


@pytest.mark.parametrize(
    ("ours", "theirs", "jaccard", "f1"),
    [
        ("AB", "AB", 1.0, 1.0),
        ("A", "B", 0.0, 0.0),
        ("", "B", 0.0, 0.0),
        ("", "", None, None),
        ("ABC", "C", 1 / 3, 0.5),
    ],
)
def test_agreement_by_hand(ours: str, theirs: str, jaccard: float | None, f1: float | None) -> None:
    result = comparison.agreement(ours, theirs)
    assert (result.jaccard, result.f1) == (jaccard, f1)


# Drafts


def test_a_draft_becomes_the_case_that_was_entered() -> None:
    draft = Draft().add(0, Concept("diagnosis", "ICD9:4280", "ICD9", "Heart failure"))
    draft = draft.add_visit().add(0, Concept("medication", "C03C", "ATC", "Loop diuretics"))
    draft = draft.add(1, Concept("procedure", "ICD9PCS:9671", "ICD9PCS", "Ventilation")).set_profile(
        {"gender": "F"}
    )
    case = draft.submit().submitted
    assert case == Case(
        profile={"gender": "F"},
        history=(Visit(medications=("C03C",), visit_no=1),),
        current=Visit(diagnoses=("ICD9:4280",), procedures=("ICD9PCS:9671",), visit_no=2),
    )


def test_the_current_visit_takes_no_medication() -> None:
    assert Draft().add(0, Concept("medication", "C03C", "ATC", "Loop diuretics")) == Draft()


def test_codes_are_added_once_and_removed_alone() -> None:
    concept = Concept("diagnosis", "ICD9:4280", "ICD9", "Heart failure")
    other = Concept("diagnosis", "ICD9:4019", "ICD9", "Hypertension")
    draft = Draft().add(0, concept).add(0, concept).add(0, other).remove(0, "diagnosis", "ICD9:4280")
    assert draft.current.diagnoses == ("ICD9:4019",)


def test_a_copy_of_a_case_leaves_out_the_prescription_and_keeps_the_history() -> None:
    case = FakeCohort().case(10_006)
    copied = Draft.from_case(case, {}).case()
    assert copied.prescribed == ()
    assert [v.medications for v in copied.history] == [v.medications for v in case.history]
    assert case_key(copied) == case_key(case)


def test_edits_are_noticed_and_empty_visits_are_not_scored() -> None:
    draft = Draft().add(0, Concept("diagnosis", "ICD9:4280", "ICD9", "")).submit()
    assert not draft.changed
    assert not draft.add_visit().changed
    assert draft.set_profile({"gender": "F"}).changed
    assert Draft().problem
    for _ in range(20):
        draft = draft.add_visit()
    assert len(draft.earlier) == MAX_EARLIER


def test_the_score_key_follows_what_a_model_reads_and_nothing_else() -> None:
    case = FakeCohort().case(10_006)
    hidden = case.observed()
    assert case_key(case) == case_key(hidden)
    other = Case(dict(case.profile), case.history, Visit(diagnoses=("ICD9:4019",)))
    assert case_key(other) != case_key(case)
    assert case_key(Case({**case.profile, "gender": "X"}, case.history, case.current)) != case_key(case)
    renumbered = replace(case, current=replace(case.current, visit_no=9))  # the prompt numbers visits
    assert case_key(renumbered) != case_key(case)


def test_every_entered_case_is_another_subject_of_the_page_and_its_table() -> None:
    cases = [Case({}, (), Visit(diagnoses=(code,))) for code in ("ICD9:4019", "ICD9:4280", "ICD9:4280")]
    one, other, again = (panel.identity(Subject(case, "draft"), "new") for case in cases)
    assert one != other == again


# Worklist


def test_filters_become_the_query_and_words() -> None:
    filters = worklist.Filters(text=" heart ", visits="first", gender="F", split="test", ages=(30, 100))
    query = filters.query("age", True, 3, 50)
    assert (query.text, query.visits, query.genders, query.splits) == ("heart", (1, 1), ("F",), ("test",))
    assert query.ages is not None
    assert query.ages[0] == 30
    assert query.ages[1] > 300  # the oldest are in, however the source hides their age
    assert list(filters.active()) == ["text", "visits", "gender", "split", "ages"]
    assert worklist.Filters().active() == {}
    assert worklist.Filters().query().ages is None


def test_an_empty_worklist_names_the_filters_to_remove() -> None:
    cohort = FakeCohort()
    filters = worklist.Filters(text="no such thing", gender="F")
    ways = worklist.relaxations(filters, lambda query: cohort.patients(query).total)
    assert [way.name for way in ways] == ["text"]
    assert ways[0].total > 0


@pytest.mark.parametrize("text", ["age", "-age", "admitted_at", "-medications"])
def test_sort_survives_the_url(text: str) -> None:
    assert worklist.write_sort(*worklist.read_sort(text)) == text


# Markup and words


def test_everything_given_is_escaped() -> None:
    bad = "<script>alert('x')</script>"
    drugs = (Carrier(bad, "A01AA01", "A01A", (bad,)), Carrier(bad, "B01AA03", "B01A", share=0.5, known=False))
    alert = Alert(
        "interaction", drugs, bad, (bad,), "major", "major", 0.5, ((drugs[0],),), bad, bad, bad, bad, bad
    )
    visit = Visit(diagnoses=(bad,), procedures=(bad,), medications=(bad,))
    case = Case({"insurance": bad}, (visit,), visit)

    def title(kind: str, code: str) -> str:
        return bad

    drawn = [
        alerts.alerts_html(alerts.grouped([alert], title)),
        patient.timeline(case, title),
        patient.profile(case, ("insurance",), ("insurance",)),
        markup.title(bad, bad),
        markup.empty(bad, bad),
        markup.facts([(bad, bad)]),
        markup.table([bad], [[bad]], caption=bad),
        markup.callout(bad),
        markup.plain_list([bad]),
    ]
    assert not [text for text in drawn if "<script" in text]


def test_the_timeline_marks_what_is_new_and_what_was_stopped() -> None:
    case = Case(history=(Visit(medications=("A02B", "B01A")),), current=Visit(medications=("B01A", "C07A")))
    text = patient.timeline(case, lambda kind, code: code)
    assert re.search(r"C07A.*\+</span> new", text)
    assert re.search(r"A02B.*−</span> stopped", text)
    assert "new" not in patient.timeline(case, lambda kind, code: code, hide=True).replace("newest", "")


def test_drug_strings_stand_as_the_hospital_wrote_them() -> None:
    orders = (
        Order(1, "B01A", "Heparin", "SC", 1),
        Order(1, "B01A", "Warfarin", "PO", 3),
        Order(1, "A02B", "X", "", 1),
    )
    assert ordered_drugs(orders) == {"B01A": "Warfarin PO (3 orders) and Heparin SC", "A02B": "X"}


def test_the_prompt_is_drawn_to_the_letter(engine: FakeEngine) -> None:
    prompt = engine.prompt(engine.cohort.case(10_006))
    drawn = prompt_page.coloured(prompt)
    import html

    assert html.unescape(re.sub(r"<[^>]+>", "", drawn)) == prompt.text


def test_numbers_never_claim_certainty() -> None:
    assert [probability(v) for v in (0.0, 0.0049, 0.005, 0.994, 0.9951, 1.0)] == [
        "0.00", "<0.01", "0.01", "0.99", ">0.99", "1.00",
    ]  # fmt: skip
    assert stay(None, None) == gap(None, None) == ""


# Models


def test_validation_tables_of_either_shape() -> None:
    headings, rows = metrics.table(manifest("teacher").validation, "Validation")
    assert headings == [
        "Measured on",
        "Group",
        "Cases",
        "PRAUC",
        "Jaccard",
        "F1",
        "DDI rate",
        "Classes suggested",
    ]
    assert rows[0][:2] == ["Validation", "All cases"]
    assert rows[0][3:5] == ["0.710 (0.702 to 0.718)", "0.480 (0.471 to 0.489)"]
    assert rows[0][6:] == ["0.061 (0.059 to 0.063)", "14.2 (13.8 to 14.6)"]
    headings, rows = metrics.table({"prauc": 0.5, "jaccard": None, "cases": 11}, "Validation")
    assert headings == ["Measured on", "Group", "Cases", "PRAUC", "Jaccard"]
    assert rows == [["Validation", "All cases", "11", "0.500", "–"]]
    assert metrics.table({}, "Validation") == ([], [])


# Figures


def test_a_class_keeps_its_place_whichever_set_is_shown() -> None:
    everything = ["A02B", "B01A", "C01A", "C01B", "M01A", "N02A"]
    pairs = [p for p in PAIRS if {p.code_a, p.code_b} <= set(everything)]
    whole = _points(graph.figure(everything, pairs, everything=everything, titles={}))
    part = _points(graph.figure(["B01A", "M01A"], pairs[:1], everything=everything, titles={}))
    assert set(part) == {"B01A", "M01A"}
    assert all(part[code] == whole[code] for code in part)


def _points(figure: object) -> dict[str, tuple[float, float]]:
    nodes = next(trace for trace in figure.data if trace.name == "classes")  # type: ignore[attr-defined]
    return {c: (x, y) for c, x, y in zip(nodes.customdata, nodes.x, nodes.y, strict=True)}


def test_severity_shows_in_style_as_well_as_colour() -> None:
    codes = ["B01A", "M01A", "C01A", "C03C", "A02B", "J01D"]
    drawn = graph.figure(codes, FakeEngine().cohort.interactions.among(codes), everything=codes, titles={})
    lines = {trace.name: trace.line.dash for trace in drawn.data if trace.mode == "lines"}
    assert lines == {"major": "solid", "moderate": "dash", "unknown": "dot"}


def test_names_never_share_a_line() -> None:
    heights = sorted(graph.positions([f"{a}{i:02}B" for a in "ABC" for i in range(14)]).values())
    assert min(b - a for a, b in pairwise(heights)) >= 1.0


def test_a_chosen_class_leaves_the_other_pairs_faint() -> None:
    codes = ["B01A", "M01A", "C01A", "C01B"]
    pairs = FakeEngine().cohort.interactions.among(codes)
    drawn = graph.figure(codes, pairs, everything=codes, titles={}, chosen=["B01A"])
    marks = {mark for t in drawn.data if t.name == "major pairs" for mark in (t.customdata, t.opacity)}
    assert marks == {("B01A|M01A",), 1.0, ("C01A|C01B",), 0.35}


def test_of_many_pairs_the_severe_alone_stand_out_and_carry_symbols() -> None:
    codes = [f"A{i:02}A" for i in range(graph.MANY + 1)]
    levels = ["major", *["moderate"] * (graph.MANY - 1)]
    pairs = [Interaction(a, b, level, "t") for (a, b), level in zip(pairwise(codes), levels, strict=True)]  # type: ignore[arg-type]
    drawn = graph.figure(codes, pairs, everything=codes, titles={})
    assert [t.customdata for t in drawn.data if t.mode == "markers" and t.name != "classes"] == [
        ("A00A|A01A",)
    ]
    assert {t.name: t.opacity < 0.5 for t in drawn.data if t.mode == "lines"} == {
        "major": False,
        "moderate": True,
    }
    assert graph.standing_out(pairs[1:]) == pairs[1:], "without a severe one all are drawn"
    assert graph.standing_out(pairs, ["A05A"]) == [p for p in pairs if "A05A" in (p.code_a, p.code_b)]


def test_the_matrix_shows_a_pair_on_both_sides_and_says_what_it_is() -> None:
    codes = ["B01A", "C01A", "C01B", "M01A"]
    pairs = FakeEngine().cohort.interactions.among(codes)
    drawn = matrix.figure(codes, codes, pairs, titles={"B01A": "Antithrombotics"}, marked={"B01A"})
    cells = next(trace for trace in drawn.data if trace.name == "major")
    where = set(zip(cells.x, cells.y, cells.customdata, strict=True))
    assert {(3, 0, "B01A|M01A"), (0, 3, "B01A|M01A"), (2, 1, "C01A|C01B"), (1, 2, "C01A|C01B")} == where
    assert "<b>Major</b>" in cells.text[0]
    assert "Antithrombotics (B01A)" in " ".join(cells.text)
    assert drawn.layout.xaxis.ticktext[0] == "<b>B01A</b>"
    part = matrix.figure(codes, ["M01A"], pairs, titles={})
    assert [trace.name for trace in part.data if trace.name == "major"] == ["major"]
    assert set(next(t for t in part.data if t.name == "major").y) == {0}


def test_curves_draw_the_stored_history_and_nothing_else() -> None:
    drawn = charts.training_curves(manifest("student").history, "student", "light")
    assert drawn is not None
    assert [trace.name for trace in drawn.data] == ["loss", "PRAUC"]
    assert drawn.data[0].line.color == theme.COLOURS["student"].light
    assert charts.training_curves((), "student", "light") is None
    assert charts.training_curves(({"epoch": 1.0},), "student", "light") is None


# Theme and settings


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_colours_have_aa_contrast(mode: theme.Mode) -> None:
    text = (
        "ink", "muted", "accent", "teacher", "student", "good", "contraindicated", "major", "moderate",
        "minor", "unknown",
    )  # fmt: skip
    for name in text:
        colour = theme.COLOURS[name].of(mode)
        for ground in ("paper", "surface", f"{name}-soft"):
            if ground in theme.COLOURS:
                result = _contrast(colour, theme.COLOURS[ground].of(mode))
                assert result >= 4.5, f"{name} on {ground} in {mode}: {result:.2f}"
    for letter, area in theme.AREA_COLOURS.items():
        assert _contrast(area.of(mode), theme.COLOURS["paper"].of(mode)) >= 3, letter


def test_streamlit_and_our_own_colours_agree() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
    for mode in ("light", "dark"):
        assert config[mode]["backgroundColor"] == theme.COLOURS["paper"].of(mode)  # type: ignore[arg-type]
        assert config[mode]["secondaryBackgroundColor"] == theme.COLOURS["surface"].of(mode)  # type: ignore[arg-type]
        assert config[mode]["textColor"] == theme.COLOURS["ink"].of(mode)  # type: ignore[arg-type]
        assert config[mode]["linkColor"] == theme.COLOURS["accent"].of(mode)  # type: ignore[arg-type]


def test_fonts_are_bundled_and_nothing_is_remote() -> None:
    config = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    fonts = [face["url"] for face in tomllib.loads(config)["theme"]["fontFaces"]]
    for url in fonts:
        assert (ROOT / "dashboard" / "static" / url.removeprefix("app/static/")).is_file(), url
    sources = [
        *(ROOT / "dashboard").rglob("*.py"),
        *(ROOT / "dashboard").rglob("*.js"),
        *(ROOT / "dashboard").rglob("*.css"),
    ]
    sources += [ROOT / ".streamlit" / "config.toml", *(ROOT / "assets" / "theme").glob("*.css")]
    remote = [
        p.name
        for p in sources
        if re.search(r"https?://(?!127\.0\.0\.1|\{|host/)", p.read_text(encoding="utf-8"))
    ]
    assert remote == []
    assert "gatherUsageStats = false" in config


def test_every_sentence_and_colour_that_a_template_names_is_there() -> None:
    shared = {"wording": wording, "theme": theme}
    named = {
        (module, name)
        for path in (ROOT / "dashboard").rglob("*.html")
        for module, name in re.findall(r"\b(wording|theme)\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert {(m, n) for m, n in named if not hasattr(shared[m], n)} == set() < named


def test_browser_components_never_write_markup() -> None:
    scripts = list((ROOT / "dashboard").rglob("*.js"))
    assert scripts
    for script in scripts:
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), (
            script.name
        )


def test_settings_come_from_the_environment_and_are_checked() -> None:
    assert read_settings({}) == ServerSettings()
    chosen = read_settings({"LEADER_COHORT": "/a.duckdb", "LEADER_MODELS": "/m", "LEADER_DEVICE": "cpu"})
    assert chosen == ServerSettings(Path("/a.duckdb"), Path("/m"), "cpu")
    with pytest.raises(InputError, match="LEADER_DEVICE is 'tpu'"):
        read_settings({"LEADER_DEVICE": "tpu"})
    assert settings.DEFAULT_COHORT.parts[-3:] == ("build", "demo", "cohort.duckdb")


# Type-ahead


def test_a_shared_reason_is_shown_once() -> None:
    result = [
        Concept("procedure", f"ICD9PCS:361{n}", "ICD9PCS", "Bypass", hint=hint)
        for n, hint in enumerate(("", "CABG: coronary artery bypass graft", "CABG", "bypass surgery"))
    ]
    shown = list(new_case.listed_results(result))
    assert [one["hint"] for one in shown] == ["", "CABG: coronary artery bypass graft", "", "bypass surgery"]
    assert [one["code"] for one in shown] == [concept.code for concept in result]


def test_a_code_read_by_its_title_is_distinguished_from_an_unread_one() -> None:
    unread = UnseenCode("diagnosis", "ICD9:0479", "ICD9:0479")
    titled = UnseenCode("diagnosis", "ICD9:4281", "Left heart failure", by_title=True)
    both = case_text.unseen_sentence("student", (unread, titled, titled))
    assert "does not know 1 code of this case and did not read it: ICD9:0479." in both
    assert "never saw 2 codes of this case in training and read only the titles: Left heart failure" in both
    assert "only the title: " in case_text.unseen_sentence("student", (titled,))
    assert "did not read" not in case_text.unseen_sentence("student", (titled,))


def test_a_code_read_through_its_equivalent_is_named_with_it() -> None:
    codes = ("ICD10:E1151", "ICD10:E1165")
    both = EquivalentCode("ICD9:25072", "Diabetes, uncontrolled", codes, ("Angiopathy", "High sugar"))
    assert case_text.read_as_lines([both]) == [
        "Diabetes, uncontrolled (ICD9:25072): read as Angiopathy (ICD10:E1151) and High sugar (ICD10:E1165)"
    ]


def test_the_notice_of_unread_codes_stays_short_and_opens_the_codes() -> None:
    unread = UnseenCode("diagnosis", "ICD9:0479", "<b>Viral</b>")
    notice = cut_offs.unseen_callout("student", (unread,))
    claim, listed = re.search(r"<summary>(.*?)</summary><p>(.*?)</p>", notice).groups()  # type: ignore[union-attr]
    assert claim == "The student does not know 1 code of this case and did not read it."
    assert listed == "&lt;b&gt;Viral&lt;/b&gt; (ICD9:0479)."


def test_commands_in_a_sentence_are_set_as_such_and_nothing_else_is_markup() -> None:
    notice = markup.note("Run `python -m train <x>` first; a ` alone stays.")
    assert "Run <code" in notice and ">python -m train &lt;x&gt;</code> first; a ` alone stays." in notice

"""The demo's tables show what was measured, and their sentences claim no more than the intervals say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leader_core import InputError
from train.experiments.demo import ASSETS, README
from train.experiments.demo_evaluation import join_rows
from train.experiments.results import BEGIN, END, markdown, read_evaluation, summary, tables, write_results

DIGEST = "0123456789abcdef"


def _score(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02, "seed_std": 0.003}


def _entry(label: str, prauc: float, difference: float | None, p: float = 0.001) -> dict[str, Any]:
    metrics = dict.fromkeys(("jaccard", "f1", "ddi_rate", "medications"), _score(0.4))
    group = {"cases": 40, "few": False, "real_ddi_rate": 0.05, "real_medications": 18.0, **metrics}
    names = ("overall", "single-visit", "codes=common", "codes=rare", "codes=unseen")
    groups = {name: {**group, "prauc": _score(prauc)} for name in names}
    groups["multi-visit"] = {**group, "cases": 0, **dict.fromkeys(("prauc", *metrics))}
    entry = {
        "label": label,
        "groups": groups,
        "thresholds": [0.3, 0.32],
        "ece": [0.02, 0.04],
        "conformal": [],
        "unnamed": {"prescriptions": 0, "share": 0.0},
    }
    if difference is not None:
        result = {"value": difference, "low": difference - 0.01, "high": difference + 0.01, "p": p}
        cell = {"prauc": result}
        entry["difference"] = {"overall": cell, "single-visit": cell, "multi-visit": {"prauc": None}}
    return entry


def _later(entry: dict[str, Any], jaccard: float, low: float, high: float, p: float) -> dict[str, Any]:
    """With 12 later visits, and how much better this row selects there than the reference."""
    group = {**entry["groups"]["overall"], "cases": 12, "jaccard": _score(0.41), "f1": _score(0.51)}
    cell = {"value": jaccard, "low": low, "high": high, "p": p}
    parts = {
        name: dict.fromkeys(("prauc", "f1"), _score(v))
        for name, v in (("continued", 0.81), ("started", 0.31))
    }
    return {
        **entry,
        "groups": {**entry["groups"], "multi-visit": group},
        "parts": parts,
        "difference": {
            **entry.get("difference", {}),
            "multi-visit": {"prauc": None, "jaccard": cell, "f1": None},
        },
    }


def _evaluation(*entries: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "seeds": [1, 2, 3],
        "reference": "student",
        "comparison": "a fair test",
        "rare_below": 10,
        "few_below": 20,
        "cohorts": {
            "synthetic": {
                "cohort": {"label": "A hospital", "synthetic": True, "digest": DIGEST},
                "split": "test",
                "cases": 40,
                "interaction_density": 0.03,
                "models": dict(entries),
            }
        },
    }


def test_the_table_shows_the_metrics_and_their_cohort() -> None:
    calibrated = _entry("Student, calibrated", 0.6, 0.0, 1.0) | {
        "ece": [0.01],
        "conformal": [{"share": 0.9, "confidence": 0.9, "kept": 0.912, "medications": 71.2}],
    }
    text = tables(_evaluation(("student", _entry("Student", 0.6, None)), ("student-calibrated", calibrated)))
    assert "A hospital" in text and "Synthetic data" in text and "`0123456789ab`" in text
    assert "| Student | 0.6000 ± 0.0030 (0.5800 to 0.6200) | 0.6000 (0.5800 to 0.6200) | – |" in text
    assert "0.30, 0.32" in text
    assert "| Student | 0.0300 | 0.0100 | – | – | 0.912 (71) | – |" in text


def test_the_words_say_what_the_intervals_say() -> None:
    text = tables(
        _evaluation(
            ("teacher", _entry("Teacher", 0.7, 0.1)),
            ("student", _entry("Student", 0.6, None)),
            ("lucky", _entry("Lucky", 0.65, 0.05, p=0.2)),
            ("close", _entry("Close", 0.601, 0.001)),
            ("worse", _entry("Worse", 0.5, -0.1)),
        )
    )
    assert (
        "In order of PRAUC: Teacher 0.7000, Lucky 0.6500, Close 0.6010, Student 0.6000, Worse 0.5000." in text
    )
    assert "Ranked better than *Student*: Teacher." in text
    assert "Ranked worse than *Student*: Worse." in text
    assert "Not distinguishable from *Student* on these cases: Lucky; Close." in text


@pytest.mark.parametrize(
    ("difference", "answer"),
    [
        ((0.03, 0.01, 0.05, 0.01), "Does not hold: *Student* on later visits selects better than repeating it (Jaccard) "
         "(-0.0300, -0.0500 to -0.0100; p 0.0100)"),
        ((0.03, -0.01, 0.07, 0.2), "Not shown: *Student* on later visits selects better"),
        ((-0.03, -0.05, -0.01, 0.01), "Holds: *Student* on later visits selects better"),
    ],
)  # fmt: skip
def test_a_claim_is_said_to_hold_only_where_the_interval_says_so(
    difference: tuple[float, float, float, float], answer: str
) -> None:
    repeat = _later(_entry("Repeat", 0.5, -0.1), *difference)
    evaluation = _evaluation(("student", _entry("Student", 0.6, None)), ("repeat", repeat))
    assert answer in tables(evaluation)


def test_continued_and_started_classes_have_a_table_of_their_own() -> None:
    student = _later(_entry("Student", 0.6, None), 0, 0, 0, 1)
    student.pop("difference")
    student["groups"]["multi-visit"]["cases"] = 12
    text = tables(_evaluation(("student", student)))
    row = "| Student | 0.4100 (0.3900 to 0.4300) | 0.5100 (0.4900 to 0.5300) | 0.8100 (0.7900 to 0.8300) "
    assert row in text and "| 0.3100 (0.2900 to 0.3300) |" in text


def test_what_stands_beside_the_rows_is_from_the_evaluation() -> None:
    area = {"mean": 0.25, "low": 0.2, "high": 0.3}
    good, bad = (
        {"area": area, "better_than_random": {"mean": 0, "low": low, "high": 1}} for low in (0.1, -0.1)
    )
    curves = {"removal": good, "gradients": bad, "random": {"area": area}}
    part = {"prauc": _score(0.8)}
    less = {
        "prauc": _score(0.7),
        "difference": {"prauc": {"value": -0.1, "low": -0.2, "high": -0.05, "p": 0.01}},
    }
    evaluation = _evaluation(("student", _entry("Student", 0.6, None))) | {
        "faithfulness": {"teacher": {"cases": 8, "deletion": curves, "insertion": curves}},
        "sections": {"teacher": {"cases": 77, "parts": {"as it is": part, "no history": less}}},
        "seconds": {"teacher:42": 3600.0, "states": 600.0},
    }
    text = markdown(evaluation)
    assert "| no history | 0.7000 | -0.1000 (-0.2000 to -0.0500) |" in text and "77 later visits" in text
    assert "| teacher, removing one | 0.250 (0.200 to 0.300) | 0.250 (0.200 to 0.300) |" in text
    assert "- teacher, removing one: better than random order in deletion and insertion." in text
    assert "- teacher, integrated gradients: not shown better than random order." in text
    assert "2 tasks took 1.2 h together" in text and "teacher:42 60 min" in text
    assert "faithful" not in markdown(_evaluation(("student", _entry("Student", 0.6, None))))


def test_the_readme_s_table_leaves_out_visits_that_it_has_already() -> None:
    rows = (("student", _entry("Student", 0.6, None)), ("logistic", _entry("Logistic", 0.5, -0.1)))
    evaluation = _evaluation(*rows)
    every = {**evaluation["cohorts"]["synthetic"], "title": "every visit", "targets": "all"}
    evaluation["cohorts"] |= {"visits": every}
    text = summary(evaluation)
    assert "| PRAUC | A hospital |" in text and "every visit" not in text
    assert "PRAUC against logistic regression: A hospital +0.100 (+0.090 to +0.110)." in text


def test_the_shipped_results_are_those_of_the_shipped_evaluation() -> None:
    evaluation = read_evaluation(ASSETS / "evaluation.json")
    assert (ASSETS / "RESULTS.md").read_text(encoding="utf-8") == markdown(evaluation)
    assert f"{BEGIN}\n{summary(evaluation)}\n{END}" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("marked", [True, False])
def test_a_readme_changes_only_between_its_markers(tmp_path: Path, marked: bool) -> None:
    (tmp_path / "evaluation.json").write_bytes((ASSETS / "evaluation.json").read_bytes())
    readme = tmp_path / "README.md"
    page = f"before\n{BEGIN}\nold \\1\n{END}\nafter\n" if marked else "no markers"
    readme.write_text(page)
    write_results(tmp_path, readme)
    written = readme.read_text()
    assert ("| Student, distilled |" in written) is marked
    assert written.startswith("before\n" if marked else page) and written.endswith(
        "after\n" if marked else page
    )


def test_a_missing_evaluation_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="demo --models"):
        write_results(tmp_path)


def _with(earlier: dict[str, Any], **changes: Any) -> dict[str, Any]:
    copy = json.loads(json.dumps(earlier))
    copy["cohorts"]["synthetic"].update(changes)
    return copy  # type: ignore[no-any-return]


def test_new_rows_join_an_earlier_table_and_leave_its_other_rows_alone() -> None:
    earlier = _evaluation(
        ("teacher", _entry("Teacher", 0.7, 0.1)),
        ("student", _entry("Student", 0.6, None)),
        ("popularity", _entry("Old", 0.4, -0.2)),
    ) | {"format": 2, "real-data": {"folds": 5}}
    new = _evaluation(
        ("student", _entry("Student again", 0.6005, None)),
        ("student-crossfitted", _entry("Cross-fitted", 0.61, 0.01)),
        ("popularity", _entry("New", 0.41, -0.19)),
    ) | {"format": 2, "real-data": None}
    joined = join_rows(earlier, new)
    rows = joined["cohorts"]["synthetic"]["models"]
    assert list(rows) == ["teacher", "student", "student-crossfitted", "popularity"]
    assert [row["label"] for row in rows.values()] == ["Teacher", "Student", "Cross-fitted", "New"]
    assert joined["real-data"] == {"folds": 5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": {"student": _entry("Student", 0.65, None)}}, "all are compared with has PRAUC"),
        ({"cases": 41}, "number of cases 40, this run 41"),
        ({"cohort": {"label": "Another", "synthetic": True, "digest": "f" * 16}}, "cohort 0123456789ab"),
    ],
)
def test_rows_of_other_patients_or_of_another_reference_do_not_join(changes: Any, message: str) -> None:
    earlier = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    with pytest.raises(InputError, match=message):
        join_rows(earlier, _with(earlier, **changes))


def test_a_cohort_that_only_one_run_was_judged_on_is_refused_with_its_remedy() -> None:
    earlier = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    earlier["cohorts"]["mimic3-demo"] = earlier["cohorts"]["synthetic"]
    new = _evaluation(("student", _entry("Student", 0.6, None))) | {"format": 2}
    with pytest.raises(InputError, match="Give --real as the earlier run did"):
        join_rows(earlier, new)

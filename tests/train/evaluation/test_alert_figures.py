"""Alert figures on real patients: what stands red is carried by what was ordered, unlike statements about classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from leader_core import Engine
from train.evaluation.alert_figures import alert_figures, lines


def test_red_alerts_are_carried_by_the_drugs_ordered(real_cohort: Path, demo_models: Path) -> None:
    engine = Engine.open(real_cohort, demo_models, "cpu")
    cases = engine.cohort.cases("all", "last")[:40]
    figures = alert_figures(engine, cases, [case.prescribed for case in cases])
    red = figures.severities["contraindicated"]
    assert red.right is not None and red.right >= 0.95
    assert red.by_class - red.by_class_ordered > 5 * red.shown  # false ones by statements about classes
    assert figures.of_orders["major"] > 0
    assert 0 < figures.prescribed_held_back < figures.prescribed / 4
    assert (figures.suggested, figures.suggested_held_back) == (
        figures.prescribed,
        figures.prescribed_held_back,
    )
    assert any("Held back" in line for line in lines(figures, "demo"))
    without = alert_figures(engine, [replace(cases[0], current=replace(cases[0].current))], None)
    assert without.suggested == 0

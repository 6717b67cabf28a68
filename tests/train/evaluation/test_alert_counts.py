"""Alert counts on real patients: what stands red is carried by what was ordered, unlike statements about classes."""

from __future__ import annotations

import json
from pathlib import Path

from leader_core import Engine
from tests.train.reports import LineReport
from train.cli import call, parse
from train.evaluation.alert_counts import alert_counts


def test_red_alerts_are_carried_by_the_drugs_ordered(real_cohort: Path, demo_models: Path) -> None:
    engine = Engine.open(real_cohort, demo_models, "cpu")
    cases = engine.cohort.cases("all", "last")[:40]
    counts = alert_counts(engine, cases, [case.prescribed for case in cases])
    red = counts.severities["contraindicated"]
    assert red.right is not None and red.right >= 0.95
    assert red.by_class - red.by_class_ordered > 5 * red.shown  # false ones by statements about classes
    assert counts.of_orders["major"] > 0
    assert 0 < counts.prescribed_held_back < counts.prescribed / 4
    assert (counts.suggested, counts.suggested_held_back) == (
        counts.prescribed,
        counts.prescribed_held_back,
    )


def test_the_command_gives_the_same_as_json_and_as_lines(real_cohort: Path) -> None:
    report = LineReport()
    result = call(parse(["alerts", "--cohort", str(real_cohort), "--split", "validation"]), report)
    record = json.loads(json.dumps(result))
    assert record == result and (record["cases"], record["suggested"]) == (11, 0)
    assert record["of_orders"]["major"] > 0 and record["severities"]["major"]["shown"] > 0
    assert any("Held back" in line for line in report.lines)

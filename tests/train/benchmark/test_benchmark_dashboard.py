"""The dashboard's benchmark: its repeated cohort is a cohort, its figures are judged by its targets, a want is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from leader_core.cohort import Cohort, PatientQuery
from leader_core.errors import NotFoundError
from train.benchmark import crowd, dashboard


def test_a_repeated_cohort_holds_everybody_as_often_under_ids_of_their_own(
    synthetic_cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "many.duckdb"
    crowd._repeat(synthetic_cohort, 3, out)
    source, many = Cohort.open(synthetic_cohort), Cohort.open(out)
    here = source.fingerprint.patients
    assert many.fingerprint.patients == 3 * here
    assert many.fingerprint.digest != source.fingerprint.digest
    everybody = many.patient_ids(PatientQuery())
    assert len(set(everybody)) == 3 * here
    for query in (PatientQuery(text="heart failure"), PatientQuery(text="e"), PatientQuery(genders=("F",))):
        assert many.patients(query).total == 3 * source.patients(query).total > 0
    first = everybody[0]
    shift = 10 ** len(str(max(source.patient_ids(PatientQuery()))))
    twins = [i for i in everybody if i != first and i % shift == first]
    assert len(twins) == 2
    for twin in twins:
        assert many.case(twin).current.diagnoses == source.case(first).current.diagnoses
        assert many.case(twin).current.visit_id != source.case(first).current.visit_id


def test_figures_are_set_beside_their_targets() -> None:
    found = dashboard.table({"filter": [100.0] * 19 + [2_000.0] * 3, "page turn": [10.0, 20.0], "sort": []})
    assert found["filter"]["p50_ms"] == 100.0 and found["filter"]["kept"] is False
    assert found["page turn"] == {"p50_ms": 15.0, "p95_ms": 19.5, "target_ms": 300, "kept": True, "runs": 2}
    assert "sort" not in found


def test_a_missing_browser_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(NotFoundError, match="where no program is"):
        dashboard.find_browser()

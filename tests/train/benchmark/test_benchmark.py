"""The benchmark measures what it says: times, peak memory of a part's own process, and bad input refused."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from leader_core.cohort import Cohort, PatientQuery
from leader_core.errors import NotFoundError
from train.benchmark import crowd, dashboard, measure
from train.cli import call, main, parse
from train.commands import benchmark
from train.console import Silent


class Clock:
    """A clock that a call moves on by hand, in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds


def test_latency_reports_what_a_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = measure.latency(Clock(monkeypatch).advance, [0.004], 0.0)
    assert slow == {"runs": measure.FEWEST_RUNS, "p50_ms": 4, "p95_ms": 4}


def test_best_seconds_is_the_shortest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seconds = Clock(monkeypatch), iter([0.0, 0.03, 0.002, 0.03])
    assert measure.best_seconds(lambda: clock.advance(next(seconds)), 0.0, fewest=3) == pytest.approx(0.002)


def run(mebibytes: int) -> dict[str, Any]:
    """A part that holds some memory for a moment."""
    held = b"x" * (mebibytes * measure.MIB)
    return {"held": len(held)}


def test_a_part_runs_in_its_own_process_with_its_own_peak() -> None:
    small, large = (measure.isolated(__name__, mebibytes) for mebibytes in (1, 120))
    assert large["held"] == 120 * measure.MIB
    assert 100 <= large["peak_memory_mib"] - small["peak_memory_mib"] <= 140


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["teacher", "student", "--model", "x"], "--model names one model"),
        (["cohort", "--patients", "3"], "--patients 3"),
        (["student", "--cases", "0"], "--cases 0"),
        (["student", "--seconds", "-1"], "--seconds -1"),
        (["cohort", "--raw", "no/such/folder"], "no/such/folder"),
    ],
)
def test_bad_input_is_named(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", *words]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_part_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", "abacus"])
    assert ended.value.code == 2
    assert "abacus" in capsys.readouterr().err


def test_the_cohort_part_counts_the_rows_it_read(
    synthetic_raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "benchmark.json"
    assert main(["benchmark", "cohort", "--raw", str(synthetic_raw), "--json", "--out", str(out)]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result == json.loads(out.read_text(encoding="utf-8"))
    cohort = result["cohort"]
    assert cohort["prescriptions"] == _lines(synthetic_raw, "prescriptions")
    assert cohort["rows"] > cohort["prescriptions"] > 0
    assert cohort["rows_per_second"] == pytest.approx(cohort["rows"] / cohort["seconds"], rel=0.01)
    assert result["machine"]["cores"] >= 1


def test_the_student_is_compared_with_its_published_form(
    synthetic_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text("[student]\ncode_text = false\n[student.training]\nepochs = 1\n", encoding="utf-8")
    model = tmp_path / "student"
    words = ["--cohort", str(synthetic_cohort), "--config", str(config), "--device", "cpu"]
    assert main(["student", *words, "--out", str(model)]) == 0
    monkeypatch.setattr(benchmark, "isolated", _in_this_process)
    monkeypatch.setattr(measure, "FEWEST_RUNS", 2)
    words += ["--model", str(model), "--cases", "8", "--seconds", "0.01"]
    student = call(parse(["benchmark", "student", *words]), Silent())["student"]
    assert student["ours"]["cases"] == student["published_padded_form"]["cases"] == 8
    assert student["times_faster"]["scoring"] > 1


def test_searching_is_measured_over_all_codes(
    synthetic_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "isolated", _in_this_process)
    words = ["benchmark", "search", "--cohort", str(synthetic_cohort), "--seconds", "0.1"]
    result = call(parse(words), Silent())["search"]
    assert result["codes"] > 170_000
    assert result["warm_up_seconds"] > 0 and result["patients_in_cohort"] > 0
    assert result["all_queries"]["runs"] >= measure.FEWEST_RUNS
    assert result["by_kind_of_query"].keys() >= {"codes", "synonyms", "beginnings", "misspelt", "nothing"}
    assert all(ms > 0 for ms in result["misspelt_words_never_seen_before_ms"].values())


def _in_this_process(module: str, *arguments: object) -> dict[str, Any]:
    part: Any = importlib.import_module(module)
    return dict(part.run(*arguments))


def _lines(raw: Path, table: str) -> int:
    """Data rows of a raw table, header left out."""
    (path,) = [p for p in raw.iterdir() if p.name.lower().startswith(f"{table}.csv")]
    row = duckdb.execute("SELECT count(*) FROM read_csv(?, all_varchar = true)", [str(path)]).fetchone()
    assert row is not None
    return int(row[0])


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


def test_times_are_compared_with_their_targets() -> None:
    result = dashboard.table({"filter": [100.0] * 19 + [2_000.0] * 3, "page turn": [10.0, 20.0], "sort": []})
    assert result["filter"]["p50_ms"] == 100.0 and result["filter"]["met"] is False
    assert result["page turn"] == {"p50_ms": 15.0, "p95_ms": 19.5, "target_ms": 300, "met": True, "runs": 2}
    assert "sort" not in result


def test_a_missing_browser_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(NotFoundError, match="which is not a file"):
        dashboard.find_browser()

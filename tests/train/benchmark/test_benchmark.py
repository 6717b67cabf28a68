"""The benchmark measures what it says: times, peak memory of a part's own process, and bad input refused."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from train.benchmark import measure, parts
from train.cli import call, main, parse


def test_latency_reports_what_a_call_takes() -> None:
    slow = measure.latency(lambda _: time.sleep(0.004), [0], 0.0)
    assert slow["runs"] == measure.FEWEST_RUNS
    assert 4 <= slow["p50_ms"] <= slow["p95_ms"]


def test_best_seconds_is_the_shortest_run() -> None:
    naps = iter([0.0, 0.03, 0.002, 0.03])
    assert 0.002 <= measure.best_seconds(lambda: time.sleep(next(naps)), 0.0, fewest=3) < 0.03


def run(mebibytes: int) -> dict[str, Any]:
    """A part that holds some memory for a moment."""
    held = b"x" * (mebibytes * measure.MIB)
    return {"held": len(held)}


def test_a_part_runs_in_its_own_process_with_its_own_peak() -> None:
    small, large = (measure.isolated(__name__, mebibytes) for mebibytes in (1, 120))
    assert large["held"] == 120 * measure.MIB
    assert 100 <= large["peak_memory_mib"] - small["peak_memory_mib"] <= 140


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["teacher", "student", "--model", "x"], "--model names one model"),
        (["cohort", "--patients", "3"], "--patients 3"),
        (["student", "--cases", "0"], "--cases 0"),
        (["student", "--seconds", "-1"], "--seconds -1"),
        (["cohort", "--raw", "no/such/folder"], "no/such/folder"),
    ],
)
def test_bad_input_is_named(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", *words]) == 2
    assert said in capsys.readouterr().err


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


def test_the_student_is_set_beside_its_published_form(
    synthetic_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text("[student.training]\nepochs = 1\n", encoding="utf-8")
    model = tmp_path / "student"
    words = ["--cohort", str(synthetic_cohort), "--config", str(config), "--device", "cpu"]
    assert main(["student", *words, "--out", str(model)]) == 0
    monkeypatch.setattr(parts, "isolated", _in_this_process)
    monkeypatch.setattr(measure, "FEWEST_RUNS", 2)
    words += ["--model", str(model), "--cases", "8", "--seconds", "0.01"]
    student = call(parse(["benchmark", "student", *words]), measure.Silent())["student"]
    assert student["ours"]["cases"] == student["published_padded_form"]["cases"] == 8
    assert student["times_faster"]["scoring"] > 1


def test_searching_is_measured_over_all_codes(
    synthetic_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "isolated", _in_this_process)
    words = ["benchmark", "search", "--cohort", str(synthetic_cohort), "--seconds", "0.1"]
    result = call(parse(words), measure.Silent())["search"]
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

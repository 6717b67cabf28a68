"""Size from a weights file's header, nearest-rank percentiles, and times that are the clock's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from leader_core.errors import ArtifactError, InputError
from leader_core.evaluation.served_model import folder_size, measure, percentile, resident_bytes
from tests.fakes import FakeEngine


def test_parameters_are_counted_without_reading_a_tensor(tmp_path: Path) -> None:
    save_file(
        {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float32)}, tmp_path / "model.safetensors"
    )
    (tmp_path / "config.json").write_bytes(b"12345")
    found = folder_size(tmp_path)
    assert found.parameters == 17
    assert found.bytes_on_disk == (tmp_path / "model.safetensors").stat().st_size + 5


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x02\x00\x00\x00\x00\x00\x00\x00[]"])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read as weights"):
        folder_size(tmp_path)


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read as weights"):
        folder_size(tmp_path)


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(v) for v in range(1, 21)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1.0)) == (10.0, 19.0, 20.0)
    assert percentile([7.0], 0.5) == 7.0
    with pytest.raises(InputError):
        percentile([], 0.5)


def test_every_case_is_timed_alone_after_one_that_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leader_core.evaluation.served_model.device_name", lambda asked: f"device {asked}")
    engine: Any = FakeEngine()
    cases = [engine.cohort.case(10_001 + n) for n in range(4)]
    ticks = iter([0.0, 0.010, 1.0, 1.020, 2.0, 2.030, 3.0, 3.040] + [0.0, 0.1] * 4)
    told: list[tuple[int, int, str]] = []
    found = measure(
        engine, ("student", "teacher"), cases, lambda *step: told.append(step), clock=lambda: next(ticks)
    )
    first, second = found.latencies
    assert (first.model, first.cases) == ("student", 4)
    assert (first.p50_ms, first.p95_ms, first.slowest_ms) == pytest.approx((20.0, 40.0, 40.0))
    assert second.p50_ms == pytest.approx(100.0)
    assert [model for model, _ in engine.asked] == ["student"] * 5 + ["teacher"] * 5
    assert told[0] == (0, 8, "student, case 1 of 4")
    assert told[-1] == (7, 8, "teacher, case 4 of 4")
    assert found.device == "device cpu"


def test_measuring_can_be_stopped_and_needs_a_case() -> None:
    engine: Any = FakeEngine()

    def stop(*_: object) -> None:
        raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        measure(engine, ("student",), [engine.cohort.case(10_001)], stop)
    with pytest.raises(InputError, match="at least one case"):
        measure(engine, ("student",), [])


def test_memory_grows_with_what_is_held() -> None:
    before = resident_bytes()
    held = np.ones(8_000_000)  # 64 MB, written to
    after = resident_bytes()
    assert before is not None
    assert after is not None
    assert after - before > 32e6
    assert held[0] == 1

"""What the profile adds: the field that a medication follows is found, one that decides nothing is not."""

from __future__ import annotations

import pytest

from tests.hospital import Hospital
from train.console import Report
from train.experiments.profile_signal import ALONE, CODES, EVERY, NEITHER, measure_profile, show_profile


def test_the_field_that_a_medication_follows_adds_and_the_other_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = measure_profile(Hospital(patients=400), seed=1, folds=2, report=Report(quiet=True))  # type: ignore[arg-type]
    models = result["models"]
    assert list(models) == [CODES, "insurance", "gender", EVERY, ALONE, NEITHER]
    assert models[CODES]["groups"]["single-visit"]["cases"] == 400
    gain = {
        name: model["difference"]["single-visit"]["prauc"]
        for name, model in models.items()
        if "difference" in model
    }
    assert gain["gender"]["low"] > 0 and gain[EVERY]["low"] > 0
    assert gain["insurance"]["high"] < gain["gender"]["low"]
    show_profile(result, Report())
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("gender")]
    assert f"{gain['gender']['value']:+.4f}" in row

"""`doctor` says what is in order and what is not, each with a remedy, and ends with 2 only where something failed."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from train.cli import main


def test_everything_in_order_and_everything_broken(
    synthetic_cohort: Path, demo_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(cohort: Path, models: Path, port: int) -> tuple[int, dict[str, dict[str, str]]]:
        words = ["doctor", "--cohort", str(cohort), "--models", str(models), "--port", str(port), "--json"]
        code = main(words)
        record = json.loads(capsys.readouterr().out.splitlines()[-1])
        return code, {finding["what"]: finding for finding in record["findings"]}

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, findings = asked(synthetic_cohort, demo_models, taken.getsockname()[1])
    assert code == 0, findings
    assert {findings[name]["status"] for name in ("cohort", "teacher", "student", "packages")} == {"ok"}
    assert findings["port"]["status"] == "warning" and findings["port"]["remedy"]

    broken = tmp_path / "c.duckdb"
    broken.write_bytes(b"no database" * 100)
    broken.chmod(0o644)
    (tmp_path / "c.workspace.sqlite").write_bytes(b"no database" * 100)
    shutil.copytree(demo_models / "student", tmp_path / "student")
    with (tmp_path / "student" / "manifest.json").open("a") as stream:
        stream.write(" {")
    code, findings = asked(broken, tmp_path, 1 << 20)
    assert code == 2
    for name in ("cohort", "student", "workspace"):
        assert findings[name]["status"] == "failed", name
    for name in ("teacher", "port", "permissions"):
        assert findings[name]["status"] == "warning" and findings[name]["remedy"], name

"""A cohort and its scores encrypted at rest: nothing readable in the files, the same content, and clear refusals."""

from __future__ import annotations

import base64
from pathlib import Path

import duckdb
import pytest

from leader_core import sql
from leader_core.cohort import Cohort
from leader_core.errors import ArtifactError, InputError
from leader_core.files import user_folder
from leader_core.stored_scores import ScoreWriter, scores_path
from tests import raw_tables
from train.cli import main

SECRET = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()


def _unsafe_cipher(connection: duckdb.DuckDBPyConnection) -> None:
    """DuckDB's built-in writer, for the extension is not on every machine that runs the tests."""
    connection.execute("SET force_mbedtls_unsafe = true")


def test_an_encrypted_cohort_reads_the_same_and_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "secret").mkdir()
    plain = raw_tables.build(tmp_path / "plain", raw_tables.mimic3())
    monkeypatch.setenv(sql.KEY, SECRET)
    with pytest.raises(ArtifactError, match=r"not encrypted, and a key is set\. Unset"):
        Cohort.open(plain.path)
    monkeypatch.setattr(sql, "load_cipher", _unsafe_cipher)
    secret = raw_tables.build(tmp_path / "secret", raw_tables.mimic3())
    assert secret.fingerprint.digest == plain.fingerprint.digest

    cohort = Cohort.open(secret.path)
    cohort.verify()
    with ScoreWriter.writing(
        scores_path(secret.path), cohort.fingerprint.digest, "last", ["C09A"], cohort.interactions
    ) as writer:
        assert writer is not None
    cohort.close()
    cohort = Cohort.open(secret.path)
    assert cohort.scores is not None and cohort.scores.codes == ("C09A",)
    cases = cohort.cases()
    cohort.close()
    assert cases
    for connection in (sql.connect(), sql.connect(secret.path, read_only=True)):  # what they spill
        query = "SELECT current_setting('temp_file_encryption'), current_setting('temp_directory')"
        assert connection.execute(query).fetchone() == (True, str(user_folder()))
        connection.close()

    for file, readable in ((plain.path, True), (secret.path, False), (scores_path(secret.path), False)):
        assert (b"visit_codes" in file.read_bytes() or b"case_scores" in file.read_bytes()) == readable

    monkeypatch.setenv(sql.KEY, OTHER)
    with pytest.raises(ArtifactError, match="encrypted with another key"):
        Cohort.open(secret.path)
    monkeypatch.delenv(sql.KEY)
    with pytest.raises(ArtifactError, match="is encrypted: give the key"):
        Cohort.open(secret.path)
    cohort = Cohort.open(plain.path)
    assert cohort.cases() == cases
    cohort.close()


def test_without_the_extension_nothing_is_written_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it is not installed; and nothing fetches it."""
    monkeypatch.setenv(sql.KEY, SECRET)
    try:
        sql.load_cipher(duckdb.connect())
    except InputError:
        pass
    else:
        pytest.skip("DuckDB's extension httpfs is installed here")
    raw = raw_tables.write(tmp_path / "raw", raw_tables.mimic3())
    assert main(["cohort", "--raw", str(raw), "--out", str(tmp_path / "c.duckdb")]) == 2
    assert "INSTALL httpfs" in capsys.readouterr().err
    assert not list(tmp_path.glob("c.duckdb*"))

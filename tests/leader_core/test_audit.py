"""The audit log: a chain that any change breaks, which two processes extend together."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.audit import START, AuditLog, read, verify
from leader_core.errors import ArtifactError, InputError, NotFoundError
from train.cli import main

ROOT = Path(__file__).parents[2]
_APPEND = """
import sys
from pathlib import Path
from leader_core.audit import AuditLog
log = AuditLog(Path(sys.argv[1]))
for number in range(25):
    log.append(sys.argv[2], "opened", f"patient {number}, visit 1")
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audit") / "cohort.audit.jsonl"
    for number in range(4):
        AuditLog(path).append("ann", "opened", f"patient {number}, visit 1")
    return path


def test_entries_say_who_did_what_and_only_the_owner_reads_them(log: Path) -> None:
    entries = list(read(log))
    assert [(e.number, e.account, e.action, e.object) for e in entries[:2]] == [
        (1, "ann", "opened", "patient 0, visit 1"),
        (2, "ann", "opened", "patient 1, visit 1"),
    ]
    assert entries[0].previous == START and entries[1].previous == entries[0].hash
    assert verify(log) == (4, entries[-1].hash)
    assert log.stat().st_mode & 0o077 == 0


@given(data=st.data())
def test_any_byte_changed_is_noticed(log: Path, data: st.DataObject) -> None:
    raw = log.read_bytes()
    place = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != raw[place]))
    changed = log.with_name("changed.jsonl")
    changed.write_bytes(raw[:place] + bytes([byte]) + raw[place + 1 :])
    with pytest.raises(ArtifactError):
        verify(changed)
    twice = raw.replace(b'"account": "ann"', b'"account": "eve", "account": "ann"', 1)
    changed.write_bytes(twice)
    with pytest.raises(ArtifactError, match="line 1, is no entry"):
        verify(changed)


@pytest.mark.parametrize(
    ("order", "line"), [((0, 2, 3), 2), ((1, 2, 3), 1), ((0, 2, 1, 3), 2), ((0, 1, 1, 2, 3), 3)]
)
def test_a_line_removed_moved_or_inserted_is_named(log: Path, order: tuple[int, ...], line: int) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    changed = log.with_name("changed.jsonl")
    changed.write_bytes(b"".join(lines[place] for place in order))
    with pytest.raises(ArtifactError, match=f"line {line}, does not follow"):
        verify(changed)


def test_lines_cut_off_at_the_end_are_noticed_with_the_hash_noted_before(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = verify(log)[1]
    shorter = log.with_name("shorter.audit.jsonl")
    shorter.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(shorter)[0] == 3
    assert main(["verify", str(shorter), "--head", head]) == 2
    assert "cut off at the end" in capsys.readouterr().err
    named = log.with_name("who.log")  # --audit may name any file
    named.write_bytes(log.read_bytes())
    assert main(["verify", str(named), "--head", head]) == 0
    assert "4 entries" in capsys.readouterr().err
    half = log.with_name("half.jsonl")
    half.write_bytes(log.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match="line 4, is no entry"):
        verify(half)
    with pytest.raises(ArtifactError, match="does not end with an entry"):
        AuditLog(half).append("ann", "opened")


def test_two_processes_extend_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "cohort.audit.jsonl"
    words = [sys.executable, "-c", _APPEND, str(path)]
    running = [subprocess.Popen([*words, name], cwd=ROOT) for name in ("ann", "bob")]
    assert [process.wait(60) for process in running] == [0, 0]
    assert verify(path)[0] == 50
    assert {entry.account for entry in read(path)} == {"ann", "bob"}


def test_a_full_disk_ends_no_log_and_long_entries_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "cohort.audit.jsonl"
    log = AuditLog(path)
    log.append(*["\N{GRINNING FACE}" * 300] * 3)
    log.append("ann", "opened")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, limits[1]))
    try:
        with pytest.raises(InputError, match="cannot be written"):
            log.append("ann", "opened", "patient 1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert verify(path)[0] == 2
    log.append("ann", "opened", "patient 2")
    assert verify(path)[0] == 3


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written .*Is a directory"):
        AuditLog(tmp_path).append("ann", "opened")
    with pytest.raises(NotFoundError, match="There is no audit log"):
        verify(tmp_path / "absent.audit.jsonl")

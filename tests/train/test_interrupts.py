"""Ctrl-C at any moment of a long command ends in words: no traceback, exit code 130, nothing half-written in place."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
MOMENTS = (0.1, 0.3, 0.7, 1.2, 2.0, 3.5, 5.0, 8.0)  # seconds of processor time: imports, reading, work

COMMANDS: dict[str, tuple[str, ...]] = {
    "synthesize": ("train", "synthesize", "--layout", "mimic4", "--patients", "3000", "--out", "{out}"),
    "cohort": ("train", "cohort", "--source", "mimic3", "--raw", "{raw}", "--out", "{out}"),
    "student": ("train", "student", "--cohort", "{cohort}", "--out", "{out}"),
    "teacher": ("train", "teacher", "--cohort", "{cohort}", "--base", "minilm", "--out", "{out}"),
    "states": ("train", "states", "--cohort", "{cohort}", "--teacher", "{models}/teacher", "--out", "{out}"),
    "predict": ("train", "predict", "--cohort", "{cohort}", "--model", "{models}/teacher", "--out", "{out}.parquet"),
    "evaluate": ("train", "evaluate", "--cohort", "{cohort}", "--model", "{models}/teacher", "--split", "all"),
    "scores": ("train", "scores", "--cohort", "{cohort}", "--models", "{models}", "--out", "{out}.scores.duckdb"),
    "dashboard": ("dashboard", "--cohort", "{cohort}", "--models", "{models}", "--port", "{port}"),
}  # fmt: skip

LOST = """
import os, signal, sys, time
from leader_core.interrupts import interrupted as came, set_up_interrupts
set_up_interrupts(signal.SIGINT)
assert not came()
try:
    import interrupted
    time.sleep(60)
except KeyboardInterrupt:
    print(sys.modules["interrupted"].complete)
class Dropping:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
try:
    Dropping()
    time.sleep(60)
except KeyboardInterrupt:
    print("heard", came())
import taken
time.sleep(60)
"""
"""Ctrl-C in an import, in a callback that drops every exception, and in an import after which a server handles signals."""
TAKEN = """
import os, signal, sys
os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, lambda *_: sys.exit("server"))
"""


def test_ctrl_c_waits_for_an_import_and_comes_again_where_it_was_dropped(tmp_path: Path) -> None:
    sent = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\ncomplete = sum(range(100_000))\n"
    (tmp_path / "interrupted.py").write_text(sent)
    (tmp_path / "taken.py").write_text(TAKEN)
    done = subprocess.run(
        [sys.executable, "-c", LOST], cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.stdout.split() == ["4999950000", "heard", "True"]
    assert (done.stderr, done.returncode) == ("server\n", 1)


@pytest.mark.soak
@pytest.mark.parametrize("command", COMMANDS)
def test_an_interrupted_command_says_so_and_leaves_nothing_behind(
    command: str, synthetic_raw: Path, synthetic_cohort: Path, demo_models: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        places = {"raw": synthetic_raw, "cohort": synthetic_cohort, "models": demo_models, "out": tmp_path / "out",
                  "port": probe.getsockname()[1]}  # fmt: skip
    words = [word.format(**places) for word in COMMANDS[command]]
    temporary = tmp_path.with_name(f"{tmp_path.name}-temporary")
    temporary.mkdir()
    ended = 0
    for moment in MOMENTS:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while process.poll() is None and sum(psutil.Process(process.pid).cpu_times()[:2]) < moment:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=120)
        assert "Traceback" not in out + error and len(error.splitlines()) < 40, (moment, error[-2_000:])
        if process.returncode == 0:  # it had ended before
            break
        assert process.returncode == 130 and ("interrupted" in error or "stopped" in error), (moment, error)
        ended += 1
        left = [
            path.name for path in tmp_path.iterdir() if path.name != "out.states.partial"
        ]  # resumed by the next run
        left += [
            path.name
            for path in temporary.rglob("*")
            # torch makes an empty folder of its own whenever it is imported
            if path.name != f"leader-{os.getuid()}" and not path.name.startswith("torchinductor_")
        ]
        assert left == [], (moment, left)
    assert ended >= 3

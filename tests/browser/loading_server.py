"""The dashboard over made-up models that load slowly and a teacher that takes seconds, on a busy machine.

    python tests/browser/loading_server.py PORT

Loading a language model holds the interpreter for a while at a time; so does this, so that runs and messages meet in
every order they can.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

from dashboard.__main__ import main
from dashboard.server import service
from leader_core import Case, Recommendation
from tests.fakes import FakeEngine

LOADING: Final = 1.0
"""Seconds that each model takes to load, and longer while the file `models` is in the folder LEADER_HELD."""
ANSWER: Final = 1.0
"""Seconds of the teacher, in which nothing can interrupt it, and longer while the file `teacher` is there."""
_HELD: Final = (0.05, 0.4)  # seconds without the interpreter
_FREE: Final = (0.05, 0.4)


def held(name: str) -> bool:
    """Whether a test holds this up by its file."""
    return (Path(os.environ["LEADER_HELD"]) / name).exists()


class SlowEngine(FakeEngine):
    """Both models load, and the teacher answers, as slowly as large ones do."""

    def __init__(self) -> None:
        super().__init__(loading=("teacher", "student"))

    def warm_up(self, model: str) -> None:
        chance = random.Random(7)
        hold = ctypes.PyDLL(None).usleep  # unlike CDLL's, its calls keep the interpreter
        until = time.monotonic() + LOADING
        while time.monotonic() < until or held("models"):
            hold(int(1e6 * chance.uniform(*_HELD)))
            time.sleep(chance.uniform(*_FREE))
        self.models[model].loaded = True

    def recommend(self, case: Case, model: str = "student", **given: Any) -> Recommendation:
        if model == "teacher":
            time.sleep(ANSWER)
            while held("teacher"):
                time.sleep(0.05)
        return super().recommend(case, model, **given)


if __name__ == "__main__":
    service.open_engine = lambda _: SlowEngine()  # type: ignore[assignment, return-value]
    try:
        main(["--port", sys.argv[1]])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    os._exit(0)

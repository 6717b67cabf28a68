"""The dashboard over made-up models that never stop coming and going, on a machine that is out of breath.

    python tests/browser/loading_server.py --server.port PORT

Loading a language model holds the interpreter for seconds at a time; so does this, so that runs, ticks and messages
meet in every order they can.
"""

from __future__ import annotations

import ctypes
import random
import sys
import threading
import time
from pathlib import Path
from typing import Final

from dashboard.server import service
from dashboard.server.settings import Settings
from leader_core import Engine
from tests.fakes import FakeEngine

ROOT: Final = Path(__file__).parents[2]
_HELD: Final = (0.05, 0.5)  # seconds without the interpreter
_FREE: Final = (0.05, 0.5)


def unsteady() -> FakeEngine:
    """An engine whose models are ready at one moment and loading at the next."""
    engine = FakeEngine(loading=("teacher", "student"))
    engine.finish_loading()
    threading.Thread(target=_flip, args=(engine,), daemon=True).start()
    return engine


def _flip(engine: FakeEngine) -> None:
    chance = random.Random(7)
    hold = ctypes.PyDLL(None).usleep  # unlike CDLL's, its calls keep the interpreter
    while True:
        for card in engine.models.values():
            card.loaded = chance.random() < 0.4
        hold(int(1e6 * chance.uniform(*_HELD)))
        time.sleep(chance.uniform(*_FREE))


def main() -> None:
    def opened(_: Settings) -> Engine:
        return unsteady()  # type: ignore[return-value]

    service.open_engine = opened
    from streamlit.web.cli import main as serve

    sys.argv = ["streamlit", "run", str(ROOT / "dashboard" / "app.py"), *sys.argv[1:]]
    serve()


if __name__ == "__main__":
    main()

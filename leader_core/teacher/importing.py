"""One lock around the first import of libraries that load their parts on demand.

Two threads that begin such an import at once (a model loading, a student reading a title) can meet a package that is
only half there. Refuses to know which library it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LOCK: Final = threading.RLock()


@contextmanager
def importing() -> Iterator[None]:
    """Hold it while taking names from Transformers or PEFT; entering again in the same thread is free."""
    with _LOCK:
        yield

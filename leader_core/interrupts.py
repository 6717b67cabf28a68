"""Ctrl-C that is heard whenever it comes.

Python raises KeyboardInterrupt wherever the main thread is. Inside an import it can be lost (callbacks of the import
system's locks, `__del__`), turned into another exception (`__set_name__`) or abort the process (extension modules), so it
waits until the import is complete. Where it falls into a callback elsewhere, which drops exceptions, it is raised again.
What libraries make of it (DuckDB a RuntimeError, safetensors a ValueError) `interrupted` distinguishes from an error.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN: Final = 0.05  # seconds until the next try
_raised: Final = threading.Event()


def set_up_interrupts(*numbers: signal.Signals) -> None:
    """Let these signals raise KeyboardInterrupt in the main thread; one that the process is to ignore stays ignored."""
    for number in numbers:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    _try_again(signal.SIGINT)
    sys.unraisablehook = _raise_again


def interrupted() -> bool:
    """Whether such a signal has interrupted this process: what ends it since then is no error."""
    return _raised.is_set()


def _interrupt(number: int, frame: FrameType | None) -> None:
    _try_again(number)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
            return
        frame = frame.f_back
    _raised.set()
    raise KeyboardInterrupt


def _try_again(number: int) -> None:
    """Let the timer send this signal, to what handles it then: `_interrupt`, or a server that has begun to run."""
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(number))


def _raise_again(dropped: UnraisableHookArgs) -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    else:
        sys.__unraisablehook__(dropped)

"""Logs of server and commands: one line a record, as text or JSON, with levels, and never what a patient's file holds.

A traceback is written as its places in the code and the kind of the exception; its message is left out, for it may quote
what was read.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from leader_core.errors import InputError

LEVEL: Final = "LEADER_LOG"
FORMAT: Final = "LEADER_LOG_FORMAT"
LEVELS: Final = ("debug", "info", "warning", "error")
LONGEST: Final = 300
"""Characters of a message; what is longer is cut."""


def set_up_logs(default: str = "info") -> None:
    """Write the logs of this project to stderr, as LEADER_LOG (a level) and LEADER_LOG_FORMAT (text, json) say.

    Raises:
        InputError: an unknown level or format.
    """
    level = os.environ.get(LEVEL, "").strip().lower() or default
    form = os.environ.get(FORMAT, "").strip().lower() or "text"
    if level not in LEVELS:
        raise InputError(f"{LEVEL} is {level!r}: expected {', '.join(LEVELS)}. Set or unset it.")
    if form not in ("text", "json"):
        raise InputError(f"{FORMAT} is {form!r}: expected text or json. Set or unset it.")
    handler = _Stderr()
    handler.setFormatter(Lines(as_json=form == "json"))
    log = logging.getLogger("leader")
    log.handlers = [handler]
    log.setLevel(level.upper())


def where(error: BaseException) -> str:
    """The kind of an exception and the places it came through, without its message.

    >>> try:
    ...     int("John Doe")
    ... except ValueError as error:
    ...     where(error)
    'ValueError at <doctest leader_core.logs.where[0]>:2 in <module>'
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    text = f"{type(error).__name__} at {' < '.join(reversed(places)) or 'no place'}"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}; after {where(cause)}" if cause is not None else text


@contextmanager
def hidden_messages() -> Iterator[None]:
    """While it lasts, tracebacks in other libraries' logs and of threads keep the places and lose the messages."""
    make, thread_ended = logging.getLogRecordFactory(), threading.excepthook

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        if not made.name.startswith("leader") and made.exc_info and made.exc_info[1] is not None:
            made.msg, made.args = f"{made.getMessage()}: {where(made.exc_info[1])}", ()
            made.exc_info = made.exc_text = None
        return made

    logging.setLogRecordFactory(record)
    threading.excepthook = lambda ended: logging.getLogger("leader").error(
        "a thread ended", exc_info=(ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback)
    )
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
        threading.excepthook = thread_ended


class _Stderr(logging.Handler):
    """Writes to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


class Lines(logging.Formatter):
    """One line a record."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        # One line, and nothing that a terminal obeys, whatever a file or a request put into it.
        message = "".join(sign if sign.isprintable() else " " for sign in record.getMessage())
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": at,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message if len(message) <= LONGEST else f"{message[:LONGEST]}…",
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = where(record.exc_info[1])
        if self._as_json:
            return json.dumps(fields, ensure_ascii=False)
        return " ".join(fields.values())

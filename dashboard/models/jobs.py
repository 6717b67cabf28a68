"""Work off the page's thread, for one session: started once, told how far it is, stopped when somebody asks.

Refuses to know what the work is. One at a time for the whole server, so that what measures is not itself disturbed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import streamlit as st

from leader_core import LeaderError

log = logging.getLogger("leader.dashboard")

Tell = Callable[[int, int, str], None]
Work = Callable[[Tell], Any]

_KEY: Final = "_jobs"
_worker: Final = ThreadPoolExecutor(1, thread_name_prefix="leader-job")


class Stopped(LeaderError):
    """The work was stopped on request."""


@dataclass(slots=True)
class Job:
    """One piece of work and how far it is."""

    name: str
    done: int = 0
    of: int = 0
    doing: str = "waiting for other work to end"
    _stop: threading.Event = field(default_factory=threading.Event)
    _future: Future[Any] | None = None

    def tell(self, done: int, of: int, doing: str) -> None:
        """Called by the work between its steps.

        Raises:
            Stopped: somebody asked it to stop.
        """
        if self._stop.is_set():
            raise Stopped("Stopped on request.")
        self.done, self.of, self.doing = done, of, doing

    def stop(self) -> None:
        self._stop.set()
        if self._future is not None:
            self._future.cancel()

    @property
    def running(self) -> bool:
        return self._future is not None and not self._future.done()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def result(self) -> Any:
        """What the work gave; None while it runs, where it was stopped, and where it failed."""
        if self._future is None or self.running or self.stopped or self._future.exception() is not None:
            return None
        return self._future.result()

    @property
    def error(self) -> str:
        """Why it failed, in a sentence; empty where it did not."""
        if self._future is None or self.running or self.stopped:
            return ""
        error = self._future.exception()
        if error is None:
            return ""
        return str(error) if isinstance(error, LeaderError) else "This failed. The server's log says why."


def start(name: str, work: Work) -> Job:
    """Begin; an earlier one of the same name is stopped and forgotten."""
    if (earlier := find(name)) is not None:
        earlier.stop()
    job = Job(name)
    job._future = _worker.submit(_run, job, work)
    st.session_state.setdefault(_KEY, {})[name] = job
    return job


def find(name: str) -> Job | None:
    """The session's last job of a name."""
    found: Job | None = st.session_state.get(_KEY, {}).get(name)
    return found


def _run(job: Job, work: Work) -> Any:
    try:
        return work(job.tell)
    except LeaderError:
        raise
    except Exception:
        log.exception("%s failed", job.name)
        raise

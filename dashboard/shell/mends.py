"""Faults of Streamlit 1.67 mended that blanked a page or lost a click when runs met: a page redraws by itself while
models load, and somebody clicks at that moment.

- A redraw of a part throws away what a run of the page had drawn of it but not yet sent. The browser takes the part for
  gone and moves up what stood below, and every later message arrives one place off ("'setIn' cannot be called on an
  ElementNode").
- A timer asks for such a redraw in the name of the page that is being left. Merged with the request for the next page
  it takes its place; served after it, it empties the page.
- A run that was told to stop may begin another before it looks up, beside the run that took its place. Both write which
  page is wanted and with which parameters into the session, so that the new run draws the old page.

Refuses to know what is drawn. Each mend is tested against Streamlit's own classes, so that a new version shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from weakref import WeakValueDictionary

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

_MENDED: Final = "_leader_mended"
LONGEST_WAIT: Final = 5.0
"""Seconds that a run waits for the one before it; longer only where that one hangs in a single call."""

_threads: WeakValueDictionary[str, threading.Thread] = WeakValueDictionary()
"""The thread that was started last for each session."""


def install() -> None:
    """Mend them in this process; a second call changes nothing."""
    if hasattr(ForwardMsgQueue.clear, _MENDED):
        return
    mends: tuple[tuple[type, str, Callable[..., Any]], ...] = (
        (ForwardMsgQueue, "clear", keeping),
        (AppSession, "request_rerun", waiting),
        (ScriptRunner, "start", following),
        (ScriptRunner, "_run_script_thread", one_at_a_time),
    )
    for owner, name, mend in mends:
        mended = mend(getattr(owner, name))
        setattr(mended, _MENDED, True)
        setattr(owner, name, mended)


def keeping(clear: Callable[..., None]) -> Callable[..., None]:
    """The queue's `clear`, but a part's redraw leaves everything that waits to be sent, in its order."""

    @wraps(clear)
    def kept(
        queue: ForwardMsgQueue,
        retain_lifecycle_msgs: bool = False,
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        if retain_lifecycle_msgs and fragment_ids_this_run is not None:
            queue._delta_index_map = {}  # what comes now is put behind what waits, never in its place
            return
        clear(queue, retain_lifecycle_msgs, fragment_ids_this_run)

    return kept


def waiting(request_rerun: Callable[..., None]) -> Callable[..., None]:
    """The session's `request_rerun`, but a timer's request is dropped while a run is under way or of another page.

    Nothing is lost: the run under way draws the part too, and the timer asks again.
    """

    @wraps(request_rerun)
    def waited(session: AppSession, client_state: ClientState | None) -> None:
        if client_state is not None and client_state.is_auto_rerun and _in_the_way(session, client_state):
            return
        request_rerun(session, client_state)

    return waited


def _in_the_way(session: AppSession, asked: ClientState) -> bool:
    here = session._client_state.page_script_hash
    return session._scriptrunner is not None or bool(here and here != asked.page_script_hash)


def following(start: Callable[..., None]) -> Callable[..., None]:
    """The runner's `start`, which notes whom it follows in its session."""

    @wraps(start)
    def started(runner: ScriptRunner) -> None:
        runner._leader_before = _threads.get(runner._session_id)  # type: ignore[attr-defined]
        start(runner)
        if runner._script_thread is not None:
            _threads[runner._session_id] = runner._script_thread

    return started


def one_at_a_time(run_thread: Callable[..., None]) -> Callable[..., None]:
    """The runner's thread, but it waits for the one before it, which was told to stop and does so at its next element."""

    @wraps(run_thread)
    def turn(runner: ScriptRunner) -> None:
        before: threading.Thread | None = getattr(runner, "_leader_before", None)
        if before is not None and before is not threading.current_thread():
            before.join(LONGEST_WAIT)
        run_thread(runner)

    return turn

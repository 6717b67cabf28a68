"""The mends of Streamlit, against Streamlit's own classes: each fault is there without the mend and gone with it."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

from dashboard.shell import mends

mends.install()
_UNMENDED = {
    owner: getattr(owner, name).__wrapped__
    for owner, name in ((ForwardMsgQueue, "clear"), (AppSession, "request_rerun"))
}


def delta(path: list[int], fragment: str = "", *, block: bool = False) -> ForwardMsg:
    message = ForwardMsg()
    message.metadata.delta_path[:] = path
    message.delta.fragment_id = fragment
    if block:
        message.delta.add_block.allow_empty = True
    else:
        message.delta.new_element.text.body = fragment or "page"
    return message


def waiting_paths(queue: ForwardMsgQueue) -> list[list[int]]:
    return [list(message.metadata.delta_path) for message in queue.flush()]


PAGE = ([0, 0], [0, 0, 0], [0, 1])


def drawn() -> ForwardMsgQueue:
    """A run has drawn a part (a block with one element) and what stands below it; nothing is sent yet."""
    queue = ForwardMsgQueue()
    queue.enqueue(delta(PAGE[0], "part", block=True))
    queue.enqueue(delta(PAGE[1], "part"))
    queue.enqueue(delta(PAGE[2]))
    return queue


def test_a_redraw_of_a_part_leaves_what_waits_to_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    mended = drawn()
    mended.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["part"])
    mended.enqueue(delta(PAGE[1], "part"))
    assert waiting_paths(mended) == [*PAGE, PAGE[1]]

    faulty = drawn()
    _UNMENDED[ForwardMsgQueue](faulty, True, ["part"])
    assert waiting_paths(faulty) == [PAGE[2]], "Streamlit keeps them now: the mend can go"


def test_a_run_of_the_whole_page_still_throws_away_what_the_last_one_drew() -> None:
    queue = drawn()
    queue.clear(retain_lifecycle_msgs=True)
    assert queue.is_empty()


@pytest.mark.parametrize(
    ("running", "here", "asked", "auto", "goes"),
    [
        (False, "a", "a", True, True),
        (True, "a", "a", True, False),
        (False, "b", "a", True, False),
        (False, "", "a", True, True),
        (True, "b", "a", False, True),
    ],
    ids=["idle", "while a run is under way", "of a page that was left", "at the very first", "of a person"],
)
def test_a_timer_never_gets_in_the_way(running: bool, here: str, asked: str, auto: bool, goes: bool) -> None:
    reached: list[ClientState | None] = []
    request: Any = mends.waiting(lambda _, state: reached.append(state))
    session = SimpleNamespace(
        _scriptrunner=object() if running else None, _client_state=ClientState(page_script_hash=here)
    )
    request(session, ClientState(fragment_id="part", is_auto_rerun=auto, page_script_hash=asked))
    assert bool(reached) is goes


def test_a_run_begins_when_the_one_before_it_has_ended() -> None:
    told: list[str] = []
    let_go = threading.Event()

    def run(runner: Any) -> None:
        if runner.name == "old":
            let_go.wait(10)
        told.append(runner.name)

    turn = mends.one_at_a_time(run)
    begin = mends.following(_begin)
    old, new, other = (
        SimpleNamespace(name=name, _session_id=session, _script_thread=None, turn=turn)
        for name, session in (("old", "s"), ("new", "s"), ("other", "another session"))
    )
    for runner in (old, new, other):
        begin(runner)
    other._script_thread.join(5)
    new._script_thread.join(0.2)
    assert told == ["other"]
    let_go.set()
    new._script_thread.join(10)
    assert told == ["other", "old", "new"]


def _begin(runner: Any) -> None:
    runner._script_thread = threading.Thread(target=runner.turn, args=(runner,), daemon=True)
    runner._script_thread.start()


def test_two_runs_of_a_session_share_the_wanted_page() -> None:
    """Why they must not overlap; once each has its own, that mend can go."""
    pages = PagesManager("app.py")
    pages.set_script_intent("next", "")
    pages.set_script_intent("last", "")  # by the run that was told to stop
    assert pages._intended_page_script_hash == "last"


def test_they_are_in_place_once() -> None:
    before = (ForwardMsgQueue.clear, AppSession.request_rerun, ScriptRunner.start)
    mends.install()
    assert (ForwardMsgQueue.clear, AppSession.request_rerun, ScriptRunner.start) == before

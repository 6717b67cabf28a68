"""The engine behind the pages: opened once for the server, its models loaded in the background and used by one session at a time.

Waiting shows a message again and again, and every message is a point at which Streamlit ends a run that is not wanted
any more: a click interrupts it.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import streamlit as st

from dashboard.server.settings import ServerSettings, read_settings
from dashboard.server.training_runs import get_runs
from dashboard.server.training_state import ID, Run
from leader_core import Case, Engine, LeaderError, Recommendation
from leader_core.domain import MODEL_NAMES, ModelName

log = logging.getLogger("leader.dashboard")

LOADING_ORDER: Final[tuple[ModelName, ...]] = ("student", "teacher")
"""The small one first: it answers while the large one still loads."""
POLL_SECONDS: Final = 0.25
"""Seconds that a waiting run lets pass before it shows how long it has waited, where a click can end it."""

FIRST_PAGE: Final = 5.0
"""Seconds that warming up waits for the first page, which would share the processor with it."""

Readiness = Literal["ready", "loading", "absent", "failed"]
Work = Literal["score", "explain"]
CaseKey = tuple[object, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Whether a model is ready; `reason` is a sentence for the user where it is not."""

    name: ModelName
    readiness: Readiness
    reason: str = ""
    seconds: float = 0.0  # since loading began, while it lasts
    display_name: str = ""  # of a student trained here; empty for the models that the server was started with


class RecentResults(Generic[T]):
    """The results used last, shared by every session. Safe between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: Hashable, result: T) -> None:
        with self._lock:
            self._results.pop(key, None)  # stored again, it is the newest
            self._results[key] = result
            while len(self._results) > self._most:
                self._results.popitem(last=False)


@dataclass(slots=True)
class _Loading:
    began: float = 0.0
    failed: str = ""
    done: threading.Event = field(default_factory=threading.Event)


class Line:
    """Sessions that wait for one model: one has its turn, the others follow in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def turn(self, show: Callable[[int], None]) -> Iterator[None]:
        """Wait for one's turn; meanwhile `show` is given, again and again, how many are before, and may end the run."""
        place = object()
        with self._changed:
            self._waiting.append(place)
        try:
            while before := self._wait(place):
                show(before)
            yield
        finally:
            with self._changed:
                self._waiting.remove(place)
                self._changed.notify_all()

    def _wait(self, place: object) -> int:
        """Wait a moment; how many are before this place."""
        with self._changed:
            if self._waiting[0] is not place:
                self._changed.wait(POLL_SECONDS)
            return self._waiting.index(place)


def _new_lines() -> dict[tuple[ModelName, Work], Line]:
    return {(name, work): Line() for name in MODEL_NAMES for work in ("score", "explain")}  # type: ignore[misc]


@dataclass(slots=True)
class Service:
    """One engine, how far its models are, and what they have answered. Shared by all sessions; holds no session's state."""

    engine: Engine
    student_name: str = ""  # of a student trained here that stands in for the server's own
    explanations: RecentResults[Any] = field(default_factory=lambda: RecentResults(64))
    prepared: threading.Event = field(
        default_factory=threading.Event
    )  # training cases to find similar ones in
    _answers: RecentResults[Recommendation] = field(default_factory=lambda: RecentResults(256))
    _loading: dict[ModelName, _Loading] = field(
        default_factory=lambda: {name: _Loading() for name in MODEL_NAMES}
    )
    _lines: dict[tuple[ModelName, Work], Line] = field(default_factory=_new_lines)
    _splits: dict[int, str] = field(default_factory=dict)
    _wanted: threading.Event = field(default_factory=threading.Event)  # a page is drawn, or waits for a model
    serial: int = field(
        default_factory=itertools.count().__next__
    )  # for keys of caches: no later service has it

    def start(self) -> None:
        """Warm up in a thread of its own, once the first page is drawn: the worklist and the code search first, then one
        model after the other.
        """
        for state in self._loading.values():
            state.began = time.monotonic()
        threading.Thread(
            target=self._warm_up, args=(LOADING_ORDER,), name="leader-loading", daemon=True
        ).start()

    def wait_for_page(self) -> None:
        """Wait until a page is drawn, or waits for a model; no longer than a browser needs that is opened at once."""
        self._wanted.wait(FIRST_PAGE)

    def with_student(self, folder: Path, display_name: str) -> Service:
        """A service over the same cohort and teacher with the student of `folder`, which loads behind the page."""
        service = Service(self.engine.with_student(folder), display_name)
        service._loading["teacher"], service._splits = self._loading["teacher"], self._splits
        service._lines.update({key: line for key, line in self._lines.items() if key[0] == "teacher"})
        service._answers = self._answers
        service._loading["student"].began = time.monotonic()
        service._wanted.set()
        threading.Thread(
            target=service._warm_up, args=(("student",),), name="leader-loading", daemon=True
        ).start()
        return service

    def _warm_up(self, names: tuple[ModelName, ...]) -> None:
        cohort = self.engine.cohort
        self.wait_for_page()
        try:
            cohort.warm_up()
            self.engine.review_set(Case(), cohort.titles("medication"))  # every rule is looked up once
        except Exception:
            log.exception("preparing the worklist, the code search and the interactions failed")
        for name in names:
            self._load(name)
            if name == "student":  # which finds similar patients, while the teacher loads
                threading.Thread(target=self._prepare_similar, name="leader-similar", daemon=True).start()

    def _prepare_similar(self) -> None:
        try:
            self.engine.similar.prepare()
        finally:
            self.prepared.set()

    def load_again(self, name: ModelName) -> None:
        """Load a model once more, behind the page, where loading it has failed."""
        if self._loading[name].failed:
            self._loading[name] = _Loading(time.monotonic())
            threading.Thread(target=self._load, args=(name,), name="leader-loading", daemon=True).start()

    def _load(self, name: ModelName) -> None:
        state = self._loading[name]
        card = self.engine.models.get(name)
        try:
            if card is not None and card.available:
                self.engine.warm_up(name)
        except LeaderError as error:
            state.failed = str(error)
        except Exception as error:
            log.exception("loading the %s failed", name)
            state.failed = failure(name, error, "while it was being loaded")
        finally:
            state.done.set()

    def status(self, name: ModelName) -> ModelStatus:
        """Whether a model can score a case now."""
        return replace(self._status(name), display_name=self.student_name if name == "student" else "")

    def _status(self, name: ModelName) -> ModelStatus:
        card, state = self.engine.models.get(name), self._loading[name]
        if card is None or card.manifest is None:
            reason = card.error if card is not None else ""
            return ModelStatus(name, "absent", reason or f"There is no {name} in the models' folder.")
        if card.error or state.failed:
            return ModelStatus(name, "failed", card.error or state.failed)
        if card.loaded or state.done.is_set():
            return ModelStatus(name, "ready")
        return ModelStatus(name, "loading", "", time.monotonic() - state.began if state.began else 0.0)

    def wait_for_loading(self) -> bool:
        """Wait a moment for the model that is being loaded; whether there was one."""
        self._wanted.set()
        name = next((n for n in LOADING_ORDER if self.status(n).readiness == "loading"), None)
        if name is not None:
            wait(self._loading[name].done)
        return name is not None

    @contextmanager
    def exclusive_access(self, model: ModelName, work: Work = "score") -> Iterator[None]:
        """Wait, with a message, until the model is loaded and has time; explanations wait in a line of their own."""
        message = st.empty()
        began = time.monotonic()

        def show(text: str) -> None:
            message.caption(f"{text} {time.monotonic() - began:.0f} s")

        def show_line(before: int) -> None:
            others = "another request" if before == 1 else f"{before} requests before this one"
            show(f"Waiting for the {model}, which is busy with {others}…")

        self._wanted.set()
        while self.status(model).readiness == "loading" and not wait(self._loading[model].done):
            show(f"Loading the {model}…")
        with self._lines[model, work].turn(show_line):
            message.empty()
            yield

    def cached_answer(self, case: Case, model: ModelName) -> Recommendation | None:
        """The cached answer of the model for this case."""
        return self._answers.get(self.key(case, model))

    def recommend(self, case: Case, model: ModelName) -> Recommendation:
        """Score a case when the model is free, showing a message meanwhile; the answer is cached for all sessions.

        Raises:
            LeaderError: the model is not available, or the case cannot be scored.
        """
        with self.exclusive_access(model):
            answer = self.cached_answer(case, model)  # another session may have asked meanwhile
            if answer is None:
                with st.spinner(f"The {model} is reading this case…", show_time=True):
                    answer = self.recommend_at_once(case, model)
        return answer

    def recommend_at_once(self, case: Case, model: ModelName) -> Recommendation:
        """The same without waiting for the model's lock and without a message: for the student, which takes milliseconds."""
        answer = self.engine.recommend(case, model)
        self._answers.put(self.key(case, model), answer)
        return answer

    def key(self, case: Case, model: ModelName) -> tuple[object, ...]:
        """The key of cached results about a case by this very model."""
        card = self.engine.models.get(model)
        digest = card.manifest.digest if card is not None and card.manifest is not None else ""
        return (model, digest, case_key(case))

    def split(self, patient_id: int) -> str:
        """The split a patient belongs to; empty where it is unknown."""
        if patient_id not in self._splits:
            self._splits[patient_id] = self.engine.cohort.split_of(patient_id) or ""
        return self._splits[patient_id]

    def learned_from(self, patient_id: int) -> bool:
        """Whether a model being served learned from this very patient."""
        here = self.engine.cohort.fingerprint.digest
        manifests = [card.manifest for card in self.engine.models.values() if card.manifest is not None]
        return any(m.cohort.digest == here for m in manifests) and self.split(patient_id) == "train"


def wait(event: threading.Event) -> bool:
    """Wait a moment; whether it has happened. Tests, in which nobody clicks, end the run here."""
    return event.wait(POLL_SECONDS)


def case_key(case: Case) -> CaseKey:
    """Identifies what a model reads of a case, and nothing else."""
    seen = case.observed()
    visits = tuple(
        (v.visit_no, v.diagnoses, v.procedures, v.medications) for v in (*seen.history, seen.current)
    )
    return (tuple(sorted(seen.profile.items())), visits)


def failure(model: str, error: Exception, during: str = "on this case") -> str:
    """Why a model gave no answer, in a sentence: being out of memory is common enough to say what helps."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            f"The {model} ran out of memory {during}. Close other programs that use the device, or serve on the "
            "processor with DEVICE=cpu; then try again."
        )
    return f"The {model} failed {during}. The server's log says why."


# The engines of this server, and the one that this session looks at


@st.cache_resource(show_spinner=False, hash_funcs={ServerSettings: hash})
def _open(settings: ServerSettings) -> Service:
    service = Service(open_engine(settings))
    service.start()
    return service


def open_engine(settings: ServerSettings) -> Engine:
    """The engine for these settings; tests put a fake one here."""
    return Engine.open(cohort=settings.cohort, models=settings.models, device=settings.device)


def reopen() -> None:
    """Open the cohort and the models anew on the next run, for every session: the files were replaced."""
    _open.clear()
    _with_student.clear()


@st.cache_resource(show_spinner=False, max_entries=32)
def _with_student(settings: ServerSettings, folder: Path, display_name: str) -> Service:
    """The server's service with a student trained here; more than sessions choose, for one dropped is loaded every run."""
    return _open(settings).with_student(folder, display_name)


def default_service() -> Service:
    """The service of the models that the server was started with, whatever this session chose."""
    return _open(read_settings())


def health() -> tuple[bool, dict[str, str]]:
    """Whether the server can be used now, and how far cohort and models are, in a word each.

    A model that is absent was left out on purpose; one that is loading or has failed makes the server unready.
    """
    try:
        service = default_service()
    except LeaderError:
        return False, {"cohort": "failed"}
    models: dict[str, str] = {name: service.status(name).readiness for name in MODEL_NAMES}
    return not {"loading", "failed"} & set(models.values()), {"cohort": "ready", **models}


def get_service() -> Service:
    """The server's service, opened on first use; with the student that this session chose.

    Raises:
        LeaderError: no cohort, or one that cannot be read; the text says what to do.
    """
    settings = read_settings()
    served, run = _open(settings), chosen_run()
    return _with_student(settings, run.model, run.name) if run else served


STUDENT: Final = "student"
"""The URL parameter that names the run of a student trained here; absent for the server's own."""
_CHOSEN: Final = "_student"
_READ: Final = "_student_read"
_GONE: Final = "_student_gone"


def chosen_run() -> Run | None:
    """The run whose student this session looks at; None for the server's own.

    The link is read where it changed; a page opened from the navigation, which names no student, keeps the choice.
    """
    state = st.session_state
    linked = st.query_params.get(STUDENT, "")
    if linked != state.get(_READ, ""):
        state[_READ] = linked
        if linked:
            state[_CHOSEN] = linked
    name = state.get(_CHOSEN, "")
    if not name:
        return None
    run = get_runs().get(name)
    if run is None or run.state != "done":
        del state[_CHOSEN]
        state[_GONE] = True
        return None
    return run


def student_query() -> dict[str, str]:
    """The URL parameter of this session's choice; empty for the server's own student."""
    name = st.session_state.get(_CHOSEN, "")
    return {STUDENT: name} if name else {}


def choose_student(name: str) -> None:
    """Look at the student of a run from now on; "" goes back to the server's own. Call from a widget's callback."""
    if name and ID.fullmatch(name):
        st.session_state[_CHOSEN] = name
        st.query_params[STUDENT] = name
    else:
        st.session_state.pop(_CHOSEN, None)
        st.query_params.pop(STUDENT, None)
    st.session_state[_READ] = st.query_params.get(STUDENT, "")


def student_gone() -> bool:
    """Whether the link named a student that is not there (any more); says so once."""
    return bool(st.session_state.pop(_GONE, False))

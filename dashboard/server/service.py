"""The engine behind the pages: opened once for the server, models loaded beside the pages, scores in the background.

Owns waiting: a page asks, gets what is there, and is told what is still running. Refuses to know how it is drawn.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Final, Literal, TypeVar

import streamlit as st

from dashboard.server import chosen_student
from dashboard.server.settings import Settings, read_settings
from leader_core import Case, Engine, LeaderError, Recommendation
from leader_core.scores import ScoredModel

log = logging.getLogger("leader.dashboard")

ModelName = Literal["teacher", "student"]
MODELS: Final[tuple[ModelName, ...]] = ("teacher", "student")
LOADING_ORDER: Final[tuple[ModelName, ...]] = ("student", "teacher")
"""The small one first: it answers while the large one still loads."""

FIRST_PAGE: Final = 3.0
"""Seconds that loading lets the first page go before it."""
SHOWN_AFTER: Final = 0.6
"""Seconds that a browser on this machine may take to show what it was sent."""

Readiness = Literal["ready", "loading", "absent", "failed"]
CaseKey = tuple[object, ...]
AnswerKey = tuple[ModelName, int, CaseKey]
"""Model, service and case: what an answer is kept under."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How far a model is; `reason` is a sentence for people where it is not ready."""

    name: ModelName
    readiness: Readiness
    reason: str = ""
    seconds: float = 0.0  # since loading began, while it lasts
    called: str = ""  # what sets it apart from the model that the server was started with


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model says of one case, or why it does not say it (yet)."""

    model: ModelName
    status: Literal["ready", "running", "loading", "absent", "failed"]
    recommendation: Recommendation | None = None
    reason: str = ""
    stored_at: datetime | None = None  # UTC, where these are stored scores and not an answer of now


@dataclass(slots=True)
class _Loading:
    began: float = 0.0
    failed: str = ""
    done: bool = False


@dataclass(slots=True)
class Service:
    """One engine, one worker a model, and how far each has come. Shared by all sessions; holds no session's state."""

    engine: Engine
    student_name: str = ""  # of a student trained here that stands in for the server's own
    _loading: dict[ModelName, _Loading] = field(default_factory=lambda: {name: _Loading() for name in MODELS})
    _workers: dict[ModelName, ThreadPoolExecutor] = field(default_factory=dict)
    _long: dict[ModelName, ThreadPoolExecutor] = field(
        default_factory=dict
    )  # for what takes longer than a score
    _splits: dict[int, str] = field(default_factory=dict)
    _first_page: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._workers = {name: ThreadPoolExecutor(1, thread_name_prefix=f"leader-{name}") for name in MODELS}
        self._long = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"leader-{name}-long") for name in MODELS
        }

    def start(self) -> None:
        """Load the models that are there, one after the other, in a thread of their own."""
        now = time.monotonic()
        for state in self._loading.values():
            state.began = now
        threading.Thread(target=self._load_all, name="leader-loading", daemon=True).start()

    def with_student(self, folder: Path, called: str) -> Service:
        """A service over the same cohort and teacher with the student of `folder`, which loads behind the page."""
        found = Service(self.engine.with_student(folder), called)
        found._loading["teacher"], found._splits = self._loading["teacher"], self._splits
        found._workers["teacher"], found._long["teacher"] = self._workers["teacher"], self._long["teacher"]
        found._loading["student"].began = time.monotonic()
        threading.Thread(target=found._load, args=("student",), name="leader-loading", daemon=True).start()
        return found

    def _load_all(self) -> None:
        if self._first_page.wait(FIRST_PAGE):
            time.sleep(SHOWN_AFTER)
        import_module("pandas")  # Streamlit's own widgets ask for it, and the first to do so would wait
        self._index_codes()
        for name in LOADING_ORDER:
            self._load(name)
        leave_to_stay()

    def _load(self, name: ModelName) -> None:
        state = self._loading[name]
        card = self.engine.models.get(name)
        if card is None or not card.available:
            state.done = True
            return
        try:
            self.engine.warm_up(name)
        except LeaderError as error:
            state.failed = str(error)
        except Exception as error:
            log.exception("loading the %s failed", name)
            state.failed = told(name, error, "while it was being loaded")
        state.done = True

    def page_drawn(self) -> None:
        """A page stands: from now on loading may take the processor."""
        self._first_page.set()

    def _index_codes(self) -> None:
        """Hold the worklist in memory, and index every code before somebody types, with a slip to make that ready too."""
        try:
            self.engine.cohort.warm_up_worklist()
            self.engine.cohort.search("hart failure", limit=1)
        except Exception:
            log.exception("indexing the code libraries failed")

    def split(self, patient_id: int) -> str:
        """The split a patient belongs to; empty where it cannot be told."""
        if patient_id not in self._splits:
            self._splits[patient_id] = self.engine.cohort.split_of(patient_id) or ""
        return self._splits[patient_id]

    def learned_from(self, patient_id: int) -> bool:
        """Whether a model being served learned from this very patient."""
        here = self.engine.cohort.fingerprint.digest
        manifests = [card.manifest for card in self.engine.models.values() if card.manifest is not None]
        return any(m.cohort.digest == here for m in manifests) and self.split(patient_id) == "train"

    def status(self, name: ModelName) -> ModelStatus:
        """Whether a model can be asked now."""
        return replace(self._status(name), called=self.student_name if name == "student" else "")

    def _status(self, name: ModelName) -> ModelStatus:
        card = self.engine.models.get(name)
        state = self._loading[name]
        if card is None or card.manifest is None:
            reason = (
                card.error
                if card is not None and card.error
                else f"There is no {name} in the models' folder."
            )
            return ModelStatus(name, "absent", reason)
        if card.error or state.failed:
            return ModelStatus(name, "failed", card.error or state.failed)
        if card.loaded:
            return ModelStatus(name, "ready")
        return ModelStatus(name, "loading", "", time.monotonic() - state.began if state.began else 0.0)

    def submit(self, case: Case, model: ModelName, *, after: float = 0.0) -> Future[Recommendation]:
        """Score a case on the model's own worker, so that a slow model never holds up the other; begin in `after` s."""
        if not after:
            return self._workers[model].submit(self.engine.recommend, case, model)
        promised: Future[Recommendation] = Future()

        def begin() -> None:
            self.submit(case, model).add_done_callback(lambda made: _hand_over(made, promised))

        timer = threading.Timer(after, begin)
        timer.daemon = True
        timer.start()
        return promised

    def submit_text(self, text: str) -> Future[Recommendation]:
        """Let the teacher score a text, on its own worker."""
        return self._workers["teacher"].submit(self.engine.score_prompt, text)

    def run(self, model: ModelName, work: Callable[..., T], *given: object) -> Future[T]:
        """Do some longer work with a model, beside its scoring: nobody's case waits for an explanation."""
        return self._long[model].submit(work, *given)


def _hand_over(made: Future[T], promised: Future[T]) -> None:
    if (error := made.exception()) is not None:
        promised.set_exception(error)
    else:
        promised.set_result(made.result())


def leave_to_stay() -> None:
    """Take what is loaded out of the garbage collector's rounds: it stays for good, and looking through it takes
    hundreds of milliseconds in the middle of somebody's click."""
    gc.collect()
    gc.freeze()


@st.cache_resource(show_spinner=False)
def _open(settings: Settings) -> Service:
    service = Service(open_engine(settings))
    service.start()
    return service


def open_engine(settings: Settings) -> Engine:
    """The engine for these settings; tests put a fake one here."""
    return Engine.open(cohort=settings.cohort, models=settings.models, device=settings.device)


@st.cache_resource(show_spinner=False, max_entries=4)
def _with_student(settings: Settings, folder: Path, called: str) -> Service:
    """The server's service with a student trained here; a few of them are kept, for whichever session chose them."""
    return _open(settings).with_student(folder, called)


def shipped() -> Service:
    """The service of the models that the server was started with, whatever this session chose."""
    return _open(read_settings())


def get_service() -> Service:
    """The server's service, opened on first use; with the student that this session chose.

    Raises:
        LeaderError: no cohort, or one that cannot be read; the text says what to do.
    """
    settings = read_settings()
    served, chosen = _open(settings), chosen_student.chosen()
    return _with_student(settings, chosen.model, chosen.name) if chosen else served


def case_key(case: Case) -> CaseKey:
    """Identifies what a model reads of a case, and nothing else."""
    seen = case.observed()
    visits = tuple((v.diagnoses, v.procedures, v.medications) for v in (*seen.history, seen.current))
    return (tuple(sorted(seen.profile.items())), visits)


_SESSION_KEY: Final = "_scores"
_KEPT: Final = 12
_TOLD: Final = "_told_running"
PATIENCE: Final = 0.05
"""Seconds that a page waits for the models before it draws what is there: a part of what a click may take."""
_WITH_STORED: Final[Mapping[ModelName, float]] = {"student": 0.05, "teacher": 0.0}
"""The same where stored scores can be shown meanwhile."""
TEACHER_AFTER: Final = 0.2
"""Seconds that the teacher, which takes every core there is, lets a page be drawn first that the student answers."""
_LATER: Final[Mapping[ModelName, float]] = {"student": 0.0, "teacher": 0.3}
"""The same for each model where stored scores can be shown meanwhile: more is drawn then."""


def scores(service: Service, case: Case, model: ModelName, *, patience: float = PATIENCE) -> Scores:
    """What `model` says of `case`, waiting at most `patience` seconds; the session keeps its last few answers.

    While there is no answer, what was stored of this case stands in for it, as long as the same weights made it. Who is
    told that a model is still running is noted, so that `awaited` can tell when it is worth asking again.
    """
    made = _stored_model(service, model)
    stored = service.engine.stored(case, model) if made is not None else None
    if made is None or stored is None:
        return _asked(service, case, model, patience)
    found = _asked(service, case, model, min(patience, _WITH_STORED[model]))
    if found.recommendation is None:
        return replace(found, recommendation=stored, stored_at=made.scored_at)
    return found


def ask(service: Service, case: Case, *, teacher_after: float = 0.0) -> None:
    """Let every model that is ready begin with `case`, the teacher in some seconds, without waiting for any."""
    for name in MODELS:
        if service.status(name).readiness == "ready":
            _begun(service, case, name, teacher_after if name == "teacher" else 0.0)


def all_scores(service: Service, case: Case, *, patience: float = PATIENCE) -> dict[ModelName, Scores]:
    """What every model says of `case`; each is asked before any is waited for, and `patience` is for all together."""
    ask(service, case)
    until = time.monotonic() + patience
    found = {
        name: scores(service, case, name, patience=max(0.0, until - time.monotonic()))
        for name in LOADING_ORDER
    }
    return {name: found[name] for name in MODELS}


def awaited() -> frozenset[AnswerKey]:
    """The answers that were not there when they were asked for, since this was called last."""
    return frozenset(st.session_state.pop(_TOLD, ()))


def answered(wanted: frozenset[AnswerKey]) -> bool:
    """Whether any of these answers is there now, or will never be."""
    kept = _kept()
    return any(key not in kept or kept[key].done() for key in wanted)


def _stored_model(service: Service, model: ModelName) -> ScoredModel | None:
    """Whose stored scores may stand in for a model's own: those that the same weights made."""
    store, card = service.engine.cohort.scores, service.engine.models.get(model)
    made = store.models.get(model) if store is not None else None
    manifest = card.manifest if card is not None else None
    return made if made is not None and (manifest is None or manifest.digest == made.digest) else None


def _kept() -> dict[AnswerKey, Future[Recommendation]]:
    """The session's last few answers."""
    kept: dict[AnswerKey, Future[Recommendation]] = st.session_state.setdefault(_SESSION_KEY, {})
    return kept


def _begun(service: Service, case: Case, model: ModelName, after: float = 0.0) -> AnswerKey:
    """Let a ready model begin, where it has not yet, in some seconds; the key that its answer is kept under."""
    kept, key = _kept(), (model, id(service), case_key(case))
    if key not in kept:
        stored = _stored_model(service, model) is not None and service.engine.stored(case, model) is not None
        kept[key] = service.submit(case, model, after=_LATER[model] if stored else after)
        for old in list(kept)[:-_KEPT]:
            del kept[old]
    return key


def _asked(service: Service, case: Case, model: ModelName, patience: float) -> Scores:
    status = service.status(model)
    if status.readiness != "ready":
        return Scores(model, status.readiness, reason=status.reason)
    kept, key = _kept(), _begun(service, case, model)
    try:
        return Scores(model, "ready", kept[key].result(timeout=patience))
    except TimeoutError:
        st.session_state.setdefault(_TOLD, set()).add(key)
        return Scores(model, "running")
    except LeaderError as error:
        del kept[key]
        return Scores(model, "failed", reason=str(error))
    except Exception as error:
        log.exception("the %s failed on a case", model)
        del kept[key]
        return Scores(model, "failed", reason=told(model, error))


def told(model: str, error: Exception, during: str = "on this case") -> str:
    """Why a model gave no answer, in a sentence: being out of memory is common enough to say what helps."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return (
            f"The {model} ran out of memory {during}. Close other programs that use the device, or serve on the "
            "processor with DEVICE=cpu; then try again."
        )
    return f"The {model} failed {during}. The server's log says why."

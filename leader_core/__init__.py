"""LEADER's engine: cases in, recommendations out.

    from leader_core import Case, Engine, Visit

Imports stay light: the engine and what belongs to it are imported when they are first named, and load torch only when a
model is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from leader_core.domain import (
    AGE_BANDS,
    KINDS,
    PROFILE_FIELDS,
    UNKNOWN,
    Case,
    Concept,
    Fingerprint,
    Interaction,
    Order,
    Prompt,
    PromptSection,
    Recommendation,
    ScoredMedication,
    UnseenCode,
    Visit,
    age_band,
)
from leader_core.errors import ArtifactError, CaseError, InputError, LeaderError, NotFoundError, TrainingError
from leader_core.version import __version__

if TYPE_CHECKING:
    from leader_core.engine import Engine
    from leader_core.interactions import Alert, InteractionTable, Review
    from leader_core.interactions.safer_set import ConflictError, Limit, SaferSet

_LATER: Final = {
    "Engine": "leader_core.engine",
    **dict.fromkeys(("Alert", "InteractionTable", "Review"), "leader_core.interactions"),
    **dict.fromkeys(("ConflictError", "Limit", "SaferSet"), "leader_core.interactions.safer_set"),
}


def __getattr__(name: str) -> object:
    """The engine and what belongs to it, which take half a second to import: a server listens before."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

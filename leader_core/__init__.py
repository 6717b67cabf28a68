"""LEADER's engine: cases in, recommendations out.

    from leader_core import Case, Engine, Visit

Imports stay light: the engine is imported when it is first named, and loads torch only when a model is first used.
"""

from typing import TYPE_CHECKING

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

__version__ = "0.1.0"

if TYPE_CHECKING:
    from leader_core.engine import Engine


def __getattr__(name: str) -> object:
    """The engine, which takes 0.35 s of processor time to import: a server listens before."""
    if name == "Engine":
        from leader_core.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

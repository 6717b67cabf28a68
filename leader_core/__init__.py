"""LEADER's engine: cases in, recommendations out.

    from leader_core import Case, Engine, Visit

Imports stay light: `Engine` and the models load torch only when a model is first used.
"""

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
from leader_core.engine import Engine
from leader_core.errors import ArtifactError, CaseError, InputError, LeaderError, NotFoundError, TrainingError
from leader_core.interactions import Alert, InteractionTable, Review
from leader_core.interactions.safer_set import ConflictError, Limit, SaferSet
from leader_core.version import __version__

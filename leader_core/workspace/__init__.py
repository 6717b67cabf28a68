"""What users write about a cohort: notes, tags, stars, saved cohorts and variants, in an SQLite file of their own."""

from leader_core.workspace.annotations import Annotation, Annotations, ErrorKind
from leader_core.workspace.store import ReadOnlyError, StaleEditError
from leader_core.workspace.values import Note, Parent, PatientFlags, SavedCohort, Star, Variant
from leader_core.workspace.workspace import Workspace, default_path

__all__ = [
    "Annotation",
    "Annotations",
    "ErrorKind",
    "Note",
    "Parent",
    "PatientFlags",
    "ReadOnlyError",
    "SavedCohort",
    "StaleEditError",
    "Star",
    "Variant",
    "Workspace",
    "default_path",
]

"""What people keep beside a cohort: notes, tags, stars, saved cohorts, variants and decisions, in a file of their own."""

from leader_core.workspace.annotations import Annotation, Annotations, ErrorKind
from leader_core.workspace.values import (
    Decision,
    Mark,
    Note,
    Parent,
    ReadOnlyError,
    SavedCohort,
    StaleEditError,
    Star,
    Variant,
    Version,
)
from leader_core.workspace.workspace import Workspace, default_path

__all__ = [
    "Annotation",
    "Annotations",
    "Decision",
    "ErrorKind",
    "Mark",
    "Note",
    "Parent",
    "ReadOnlyError",
    "SavedCohort",
    "StaleEditError",
    "Star",
    "Variant",
    "Version",
    "Workspace",
    "default_path",
]

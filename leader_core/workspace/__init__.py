"""What users write about a cohort: notes, tags, stars, saved cohorts and variants, in an SQLite file of their own."""

from leader_core.workspace.tags import NO_ERROR, ErrorKind, RowTag, TagRow, Tags
from leader_core.workspace.values import (
    Note,
    Parent,
    PatientFlags,
    ReadOnlyError,
    Revision,
    SavedCohort,
    StaleEditError,
    Star,
    Variant,
)
from leader_core.workspace.workspace import Workspace, default_path

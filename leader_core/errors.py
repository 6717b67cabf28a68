"""Errors that a person is meant to read: each names the value, what was expected and the remedy.

Knows nothing of exit codes or pages; `train` turns `InputError` into exit code 2, `dashboard` into a sentence.
"""

from __future__ import annotations


class LeaderError(Exception):
    """Base of every error this project raises on purpose; its text is one or more plain sentences."""


class InputError(LeaderError):
    """Something the caller gave is wrong: a file, a table, a column, an option, a case."""


class CaseError(InputError):
    """A case that cannot be scored as given (an unknown profile field, a malformed code)."""


class NotFoundError(InputError):
    """A patient, visit, file, model or table that was requested does not exist."""


class ArtifactError(LeaderError):
    """A model folder or database that fails its own checks: changed, incomplete, or written for other data."""


class TrainingError(LeaderError):
    """Training cannot go on (a non-finite loss, nothing to train on); says what to change."""

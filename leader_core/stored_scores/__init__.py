"""Scores of a whole cohort, stored next to it: what the worklist sorts by and a page shows without waiting for a model."""

from leader_core.stored_scores.store import ScoredModel, ScoreStore, scores_path
from leader_core.stored_scores.write import CaseBlock, ScoreWriter

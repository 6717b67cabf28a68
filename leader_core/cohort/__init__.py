"""The cohort: raw hospital tables into one database, and that database as cases, columns and worklist pages.

Refuses to know about models and pages.
"""

from leader_core.cohort.build import BuildResult, build_cohort
from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.cohort.query import SORTS, SPLITS, PatientPage, PatientQuery, PatientRow
from leader_core.cohort.read import FORMAT, Cohort

__all__ = [
    "FORMAT",
    "SORTS",
    "SPLITS",
    "BuildResult",
    "CodeColumn",
    "Cohort",
    "CohortColumns",
    "PatientPage",
    "PatientQuery",
    "PatientRow",
    "build_cohort",
]

"""The cohort: raw hospital tables into one database, and that database as cases, columns and worklist pages.

Refuses to know about models and pages.
"""

from leader_core.cohort.columns import CodeColumn, CohortColumns
from leader_core.cohort.query import PatientPage, PatientQuery, PatientRow

__all__ = ["CodeColumn", "CohortColumns", "PatientPage", "PatientQuery", "PatientRow"]

"""The cohort: raw hospital tables into one database, and that database as cases, columns and worklist pages."""

from leader_core.cohort.database import Cohort
from leader_core.cohort.patient_search import MatchReason, SearchPart, SearchReading
from leader_core.cohort.worklist import PatientPage, PatientQuery, PatientRow, Spread

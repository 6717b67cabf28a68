"""Similar patients: training patients whose case the student reads in nearly the same way, and what they were given.

Modules: `index` (the training cases as vectors, built, stored, searched), `find` (a case's neighbours and what they
say).
"""

from leader_core.similar.find import (
    MAX_AUTO_PATIENTS,
    Neighbour,
    NeighbourCount,
    Preparation,
    Similar,
    SimilarCases,
    SimilarQuery,
)
from leader_core.similar.index import NEAREST, CaseIndex, index_path

__all__ = [
    "MAX_AUTO_PATIENTS",
    "NEAREST",
    "CaseIndex",
    "Neighbour",
    "NeighbourCount",
    "Preparation",
    "Similar",
    "SimilarCases",
    "SimilarQuery",
    "index_path",
]

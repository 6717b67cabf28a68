"""Similar patients: training patients whose case the student reads in nearly the same way, and what they were given.

The rooms: `index` (the training cases as vectors, built, stored, searched), `find` (a case's neighbours and what they
say).
"""

from leader_core.similar.find import (
    LARGEST_UNASKED,
    Given,
    Neighbour,
    Preparation,
    Similar,
    SimilarCases,
    SimilarQuery,
)
from leader_core.similar.index import NEAREST, CaseIndex, index_path

__all__ = [
    "LARGEST_UNASKED",
    "NEAREST",
    "CaseIndex",
    "Given",
    "Neighbour",
    "Preparation",
    "Similar",
    "SimilarCases",
    "SimilarQuery",
    "index_path",
]

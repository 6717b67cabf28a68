"""Similar patients: training patients whose case the student reads in nearly the same way, and what they were given.

Modules: `index` (the training cases as vectors, built, stored, searched), `find` (a case's neighbours and what they
say).
"""

from leader_core.similar.find import Neighbour, Preparation, Similar, SimilarCases, SimilarQuery
from leader_core.similar.index import CaseIndex, index_path

"""A map of cases: the student's representation of each, reduced to two dimensions.

The two directions are those of the largest variance (principal components). They are computed exactly from the covariance,
with a fixed sign, so that the same cases always give the same map. Neighbours on the map are alike to the student; the axes
themselves mean nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from leader_core.similar.index import unit_vectors

if TYPE_CHECKING:
    from leader_core.cohort.columns import CohortColumns
    from leader_core.student.scorer import StudentScorer


def project(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """(N, H) vectors -> (N, 2) their first two principal components; zeros for fewer than three vectors.

    >>> points = project(np.array([[0.0, 0, 0], [4, 0, 0], [0, 1, 0], [4, 1, 0]]))
    >>> np.abs(points).round(2).tolist()
    [[2.0, 0.5], [2.0, 0.5], [2.0, 0.5], [2.0, 0.5]]
    """
    from sklearn.decomposition import PCA  # a second to import, needed by one command

    if len(vectors) < 3 or vectors.shape[1] < 2:
        return np.zeros((len(vectors), 2), np.float32)
    points: NDArray[np.float32] = (
        PCA(n_components=2, svd_solver="covariance_eigh").fit_transform(vectors).astype(np.float32)
    )
    return points


def case_map(student: StudentScorer, columns: CohortColumns) -> NDArray[np.float32]:
    """(N, 2) where the cases stand on the student's map."""
    return project(unit_vectors(student, columns))

"""Who was ordered a drug: a drug's name is looked up in the order texts, since a class says too little of one drug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import duckdb
import numpy as np
from numpy.typing import NDArray

from leader_core.search.words import fold
from leader_core.terminology.drug_names import read_drug

_TEXTS: Final = "SELECT DISTINCT drug FROM orders ORDER BY drug"
_PATIENTS: Final = "SELECT patient_id FROM orders WHERE drug IN (SELECT unnest($drugs))"
_ORDERED: Final = """
SELECT patient_id, list(DISTINCT drug ORDER BY drug) FROM orders
WHERE patient_id IN (SELECT unnest($patients)) AND drug IN (SELECT unnest($drugs)) GROUP BY patient_id
"""


class DrugSearch:
    """Orders of one cohort by the drug they name."""

    def __init__(self, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        self._connect = connect

    def warm_up(self) -> None:
        """Read which drug each order text names, which takes half a second."""
        _ = self._texts

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        """Order texts by the ingredient that they name."""
        texts: dict[str, list[str]] = {}
        for (text,) in self._connect().execute(_TEXTS).fetchall():
            for ingredient in read_drug(text).ingredients:
                texts.setdefault(ingredient.name, []).append(text)
        return texts

    def find(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The drug that a text names and the order texts that name it too; the first empty where it names none.

        "Insulin" means every insulin, and a single drug also its combinations.
        """
        ingredients = read_drug(text).ingredients
        if len(ingredients) != 1:
            return "", ()
        name, words = ingredients[0].name, set(fold(text).split())
        meant = [each for each in self._texts if each == name or words <= set(fold(each).split())]
        texts = sorted({text for each in meant for text in self._texts[each]})
        return (fold(text) if len(meant) > 1 else name), tuple(texts)

    def patients(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The ids of everybody with one of these order texts, as often as they have one."""
        rows = self._connect().execute(_PATIENTS, {"drugs": list(texts)}).fetchnumpy()
        return np.ma.getdata(rows["patient_id"])

    def ordered(self, patient_ids: Sequence[int], texts: Sequence[str]) -> dict[int, list[str]]:
        """Which of the order texts each of these patients has; without patients who have none."""
        values = {"patients": list(patient_ids), "drugs": list(texts)}
        return dict(self._connect().execute(_ORDERED, values).fetchall())

"""Vocabularies of codes and profile values with stable ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leader_core.terminology.equivalence import icd10_reading

if TYPE_CHECKING:
    from leader_core.cohort import Cohort

UNSEEN: Final = -1
"""What `Vocabulary.find` gives for a code that is not in it."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Sorted, distinct codes; the id of a code is its position. Built from training data only."""

    codes: tuple[str, ...]
    _index: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if list(self.codes) != sorted(set(self.codes)):
            raise ValueError("a vocabulary's codes must be sorted and distinct")
        object.__setattr__(self, "_index", {code: i for i, code in enumerate(self.codes)})

    @classmethod
    def of(cls, codes: Iterable[str]) -> Vocabulary:
        """The vocabulary of any codes, in any order, repeats allowed."""
        return cls(tuple(sorted(set(codes))))

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.codes)

    def __contains__(self, code: object) -> bool:
        return code in self._index

    def find(self, code: str) -> int:
        """The id of `code`, or `UNSEEN`."""
        return self._index.get(code, UNSEEN)

    def ids(self, codes: Iterable[str]) -> list[int]:
        """The ids of the codes that are known, in their order; unseen ones are left out (ask `unseen`)."""
        return [i for c in codes if (i := self._index.get(c, UNSEEN)) != UNSEEN]

    def unseen(self, codes: Iterable[str]) -> list[str]:
        """The codes that are not in the vocabulary, in their order."""
        return [c for c in codes if c not in self._index]


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """The three code vocabularies and the profile's values, as one file `vocabulary.json` holds them."""

    diagnosis: Vocabulary
    procedure: Vocabulary
    medication: Vocabulary
    profile: Mapping[str, Vocabulary]  # field -> values seen in training

    def of(self, kind: str) -> Vocabulary:
        return {"diagnosis": self.diagnosis, "procedure": self.procedure, "medication": self.medication}[kind]

    def to_json(self) -> dict[str, object]:
        return {
            "diagnosis": list(self.diagnosis),
            "procedure": list(self.procedure),
            "medication": list(self.medication),
            "profile": {name: list(values) for name, values in self.profile.items()},
        }

    @classmethod
    def of_training(cls, cohort: Cohort, *, equivalence: bool) -> Vocabularies:
        """The codes and profile values of a cohort's training split; with `equivalence`, diagnoses as they are read."""
        return cls(
            diagnosis=diagnoses_read(cohort.vocabulary_codes("diagnosis"), equivalence),
            procedure=Vocabulary.of(cohort.vocabulary_codes("procedure")),
            medication=Vocabulary.of(cohort.vocabulary_codes("medication")),
            profile={name: Vocabulary.of(cohort.profile_values(name)) for name in cohort.profile_fields},
        )

    @classmethod
    def from_json(cls, record: Mapping[str, Sequence[str] | Mapping[str, Sequence[str]]]) -> Vocabularies:
        """Inverse of `to_json`; raises KeyError or ValueError on a record of another shape."""
        profile = record["profile"]
        if not isinstance(profile, Mapping):
            raise ValueError("vocabulary: 'profile' must map field names to values")
        return cls(
            diagnosis=Vocabulary(tuple(record["diagnosis"])),
            procedure=Vocabulary(tuple(record["procedure"])),
            medication=Vocabulary(tuple(record["medication"])),
            profile={name: Vocabulary(tuple(values)) for name, values in profile.items()},
        )


def diagnoses_read(codes: Iterable[str], equivalence: bool) -> Vocabulary:
    """The vocabulary of a model that reads these diagnoses as they are, or with `equivalence` as ICD-10-CM."""
    return Vocabulary.of(read for code in codes for read in (icd10_reading(code) if equivalence else (code,)))

"""The alert counts of a whole cohort's visits at once: what `review` counts for one case, in arrays.

For the worklist (what was ordered, counted when a cohort is built) and for stored scores (what a model suggests).

Letters: V visits, U different choices in a cohort, F choices of all visits one after another, R condition rules. The last
axis of counts is the severity as a number: 0 none, 1 minor, 2 moderate, 3 major, 4 contraindicated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from leader_core import sql
from leader_core.interactions.conditions import condition_rules, duplication_rules, lasting_diagnoses
from leader_core.interactions.orders import OrderedDrug, drugs_of_text
from leader_core.interactions.review import Choice, Matching, class_choice, drug_choices
from leader_core.interactions.rules import ventilation_codes
from leader_core.interactions.severity_matrix import (
    NUMBER,
    condition_rule_numbers,
    groups_of,
    ranks,
    severity_matrix,
    ventilated_matrix,
)
from leader_core.interactions.shares import DrugShares
from leader_core.ragged import spans

if TYPE_CHECKING:
    import duckdb

LEVELS: Final = 5
_AT_ONCE: Final = 4_000_000  # pairs of choices
_VISITS: Final = "SELECT visit_id FROM visits ORDER BY visit_id"
_TEXTS: Final = "SELECT DISTINCT code, drug, route FROM orders ORDER BY ALL"
_ORDERS: Final = """
SELECT o.visit_id, t.text_no FROM orders AS o
INNER JOIN order_texts AS t ON t.code = o.code AND t.drug = o.drug AND t.route = o.route
"""

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Counts = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class OrderedVisits:
    """The orders of every visit, read as drugs; a row for each visit, class and drug."""

    visit_ids: Ints  # (V,) sorted
    visit: Ints  # of each row, a position in `visit_ids`
    class_code: tuple[str, ...]
    of_class: Ints  # of each row, a position in `class_code`
    drugs: tuple[tuple[str, str], ...]  # name and ATC code
    drug: Ints  # of each row, a position in `drugs`; -1 for a string that names no drug
    rules: Flags  # (V, R) the condition rules that the visit's findings call up
    ventilated: Flags  # (V,) whether they tell of mechanical ventilation

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> OrderedVisits:
        """From a cohort's database, open or being built."""
        import pyarrow as pa

        visit_ids = connection.execute(_VISITS).fetchnumpy()["visit_id"].astype(np.int64)
        texts = connection.execute(_TEXTS).fetchall()
        columns = zip(*texts, strict=True) if texts else ((), (), ())
        table = {
            name: pa.array(c, pa.string()) for name, c in zip(("code", "drug", "route"), columns, strict=True)
        }
        connection.register(
            "order_texts", pa.table(table | {"text_no": pa.array(range(len(texts)), pa.int64())})
        )
        rows = connection.execute(_ORDERS).fetchnumpy()
        connection.unregister("order_texts")
        classes = sorted({code for code, _, _ in texts})
        class_no = {code: number for number, code in enumerate(classes)}
        drugs: dict[tuple[str, str], int] = {}
        readings: list[tuple[int, int]] = []
        starts = [0]
        for code, drug, route in texts:
            own = [(match.ingredient, match.code) for match in drugs_of_text(code, drug, route)]
            numbers = [drugs.setdefault(each, len(drugs)) for each in own] or [-1]
            readings += [(class_no[code], number) for number in numbers]
            starts.append(len(readings))
        text = rows["text_no"].astype(np.int64)
        first, lengths = np.array(starts[:-1], np.int64), np.diff(starts)
        flat = np.array(readings, np.int64).reshape(-1, 2)[spans(first[text], lengths[text])]
        visit = np.repeat(np.searchsorted(visit_ids, rows["visit_id"]), lengths[text])
        return cls(
            visit_ids, visit, tuple(classes), flat[:, 0], tuple(drugs), flat[:, 1],
            *_condition_rules(connection, visit_ids),
        )  # fmt: skip


class VisitAlerts:
    """Counts alerts of the visits of one cohort: of what was ordered, or of classes that are suggested."""

    def __init__(
        self,
        visits: OrderedVisits,
        atc_level: int,
        codes: Sequence[str] = (),
        shares: DrugShares | None = None,
    ) -> None:
        """`codes` are the classes that can be suggested, `shares` the drugs within them."""
        self._visits = visits
        self._classes = {code: number for number, code in enumerate(codes)}
        names = sorted({name for name, _ in visits.drugs})
        own: dict[str, list[str]] = {name: [] for name in names}
        bit, name_no = np.zeros(len(visits.drugs), np.int64), np.zeros(len(visits.drugs), np.int64)
        for number, (name, code) in enumerate(visits.drugs):
            bit[number], name_no[number] = 1 << len(own[name]), names.index(name)
            own[name].append(code)
        self._bit, self._name_no = bit, name_no
        width = max((len(each) for each in own.values()), default=1)
        self._width = width
        # A known drug is a name with the codes that a visit ordered it by; any part of them may be in suggested classes.
        _, keys = self._known(np.ones(len(visits.visit), bool))
        every = np.unique(keys).tolist()
        subsets = {
            (key >> width) << width | part for key in every for part in _parts(key & ((1 << width) - 1))
        }
        self._keys = np.array(sorted(subsets), np.int64)
        known = [
            drug_choices(
                (
                    OrderedDrug(names[key >> width], c, ())
                    for i, c in enumerate(own[names[key >> width]])
                    if key >> i & 1
                ),
                atc_level,
            )[0]
            for key in self._keys.tolist()
        ]
        open_classes = [class_choice(code, shares) for code in codes] if shares is not None else []
        self._table = _ChoiceTable([*open_classes, *known])

    def ordered(self) -> Counts:
        """(V, 5) alerts of the drugs ordered, by rank, in the order of `visit_ids`."""
        visit, keys = self._known(np.ones(len(self._visits.visit), bool))
        choice = len(self._classes) + np.searchsorted(self._keys, keys)
        count = len(self._visits.visit_ids)
        return self._table.count(visit, choice, self._visits.rules, self._visits.ventilated, count)[:, 0]

    def suggested(self, visit_ids: Ints, chosen: Flags) -> Counts:
        """(B, 2, 5) alerts of sets of classes, carried by the drugs ordered, and if chosen.

        Args:
            visit_ids: (B,) of this cohort; a class that has orders in the visit becomes the drugs ordered.
            chosen: (B, A) classes in the order of `codes`.
        """
        visits = self._visits
        position = np.searchsorted(visits.visit_ids, visit_ids)
        block = np.full(len(visits.visit_ids), -1)
        block[position] = np.arange(len(visit_ids))
        number = np.array([self._classes.get(code, -1) for code in visits.class_code], np.int64)
        rows = (block[visits.visit] >= 0) & (number[visits.of_class] >= 0)
        rows[rows] = chosen[block[visits.visit[rows]], number[visits.of_class[rows]]]
        is_open, unread = chosen.copy(), rows & (visits.drug < 0)
        is_open[block[visits.visit[rows]], number[visits.of_class[rows]]] = False
        is_open[block[visits.visit[unread]], number[visits.of_class[unread]]] = True
        visit, keys = self._known(rows)
        open_visit, open_class = np.nonzero(is_open)
        flat_visit = np.concatenate([block[visit], open_visit])
        flat = np.concatenate([len(self._classes) + np.searchsorted(self._keys, keys), open_class])
        order = np.argsort(flat_visit, kind="stable")
        return self._table.count(
            flat_visit[order],
            flat[order],
            visits.rules[position],
            visits.ventilated[position],
            len(visit_ids),
        )

    def _known(self, rows: Flags) -> tuple[Ints, Ints]:
        """(visit, key of the known drug) of these rows, each drug of a visit once, by visit."""
        rows = rows & (self._visits.drug >= 0)
        visit, drug = self._visits.visit[rows], self._visits.drug[rows]
        names = max(1, len(self._name_no))
        place = visit * names + self._name_no[drug]
        order = np.argsort(place, kind="stable")
        place, drug = place[order], drug[order]
        starts = np.flatnonzero(np.diff(place, prepend=-1))
        if not len(starts):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        masks = np.bitwise_or.reduceat(self._bit[drug], starts)
        return place[starts] // names, (place[starts] % names) << self._width | masks


class _ChoiceTable:
    """The ranks of every pair of U choices, of each under condition rules, and the groups that they belong to."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        self._matching = Matching(choices)
        self._known = np.array([choice.known for choice in choices], bool)
        size = len(choices)
        # of other patients and of those on a ventilator; the last row and column are of no choice
        self._pairs = np.zeros((2, size + 1, size + 1), np.int8)
        for pairs, matrix in zip(self._pairs, (severity_matrix(), ventilated_matrix()), strict=True):
            if size:
                rank = ranks(self._matching.pair_shares(matrix.pairs))
                carried = self._known[:, None] & self._known
                pairs[:size, :size] = np.where(carried | (rank == 0), rank, rank + LEVELS)
        rules = len(duplication_rules())
        self._agents = np.zeros((rules, size), np.int64)  # drugs of each group as bits
        for number, choice in enumerate(choices):
            for drug in choice.drugs if choice.known else ():
                for group, agent in groups_of().get(drug.code, ()):
                    self._agents[group, number] |= 1 << agent

    def count(self, visit: Ints, choice: Ints, rules: Flags, ventilated: Flags, visits: int) -> Counts:
        """(V, 2, 5) alerts carried and if chosen; `visit` (F,) is sorted, `choice` (F,) differs within a visit."""
        counts = np.zeros((visits, 2, LEVELS), np.int32)
        if len(choice):
            self._count_pairs(counts, visit, choice, ventilated)
            self._count_conditions(counts, visit, choice, rules)
            self._count_duplications(counts, visit, choice)
        counts[:, :, 0] = 0
        return counts

    def _count_pairs(self, counts: Counts, visit: Ints, choice: Ints, ventilated: Flags) -> None:
        table, size = self._pairs.ravel(), np.int32(self._pairs.shape[1])
        for visits, ids in _padded(visit, choice, len(counts), len(self._known)):
            first, second = np.triu_indices(ids.shape[1], 1)
            start = ventilated[visits, None].astype(np.int32) * size * size
            rank = table.take(start + ids[:, first] * size + ids[:, second])
            for number in range(1, LEVELS):
                counts[visits, 0, number] += (rank == number).sum(1, dtype=np.int32)
                if not self._known.all():
                    counts[visits, 1, number] += (rank == LEVELS + number).sum(1, dtype=np.int32)

    def _count_conditions(self, counts: Counts, visit: Ints, choice: Ints, rules: Flags) -> None:
        matrix = severity_matrix()
        lengths = np.bincount(visit, minlength=len(counts))
        starts = np.cumsum(lengths) - lengths
        open_choice = (~self._known).astype(np.int64)
        for numbers in condition_rule_numbers().values():
            bits = rules[:, list(numbers)] @ (1 << np.arange(len(numbers)))
            present = np.flatnonzero(bits)
            for pattern in np.unique(bits[present]).tolist():
                own = [rule for i, rule in enumerate(numbers) if pattern >> i & 1]
                rank = ranks(self._matching.condition_shares(matrix.condition_severities(own)))
                visits = present[bits[present] == pattern]
                rows = spans(starts[visits], lengths[visits])
                rows = rows[rank[choice[rows]] > 0]
                place = (visit[rows] * 2 + open_choice[choice[rows]]) * LEVELS + rank[choice[rows]]
                places, number = np.unique(place, return_counts=True)
                counts.reshape(-1)[places] += number.astype(np.int32)

    def _count_duplications(self, counts: Counts, visit: Ints, choice: Ints) -> None:
        for group, rule in enumerate(duplication_rules()):
            rows = np.flatnonzero(self._agents[group, choice])
            if not len(rows):
                continue
            starts = np.flatnonzero(np.diff(visit[rows], prepend=-1))
            agents = np.bitwise_or.reduceat(self._agents[group, choice[rows]], starts)
            several = (np.diff(starts, append=len(rows)) > 1) & ((agents & (agents - 1)) > 0)
            counts[visit[rows[starts[several]]], 0, NUMBER[rule.severity]] += 1


def _padded(visit: Ints, choice: Ints, visits: int, nothing: int) -> Iterator[tuple[Ints, NDArray[np.int32]]]:
    """Blocks of visits with about as many choices: (b,) their positions, (b, K) their choices, filled up with `nothing`."""
    lengths = np.bincount(visit, minlength=visits)
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(lengths, kind="stable")
    order = order[np.searchsorted(lengths[order], 2) :]  # one choice makes no pair
    while len(order):
        width = int(lengths[order[-1]])
        block = order[-max(1, _AT_ONCE // (width * width)) :]
        order = order[: -len(block)]
        place = starts[block][:, None] + np.arange(width)
        inside = np.arange(width) < lengths[block][:, None]
        ids = np.where(inside, choice[np.minimum(place, len(choice) - 1)], nothing)
        yield block, ids.astype(np.int32)


def _condition_rules(connection: duckdb.DuckDBPyConnection, visit_ids: Ints) -> tuple[Flags, Flags]:
    """(V, R) the rules that the findings of each visit call up, and (V,) who is on a ventilator; see `conditions.findings`."""
    import pyarrow as pa

    rules = condition_rules()
    rows = [(beginning, 0, "lasts") for beginning in lasting_diagnoses()]
    rows += [(each, number, "calls") for number, rule in enumerate(rules) for each in rule.diagnoses]
    rows += [(each, number, "lifts") for number, rule in enumerate(rules) for each in rule.unless]
    rows += [(each, len(rules), "calls") for each in ventilation_codes()]
    columns = zip(*rows, strict=True)
    table = {
        name: pa.array(column) for name, column in zip(("beginning", "rule", "use"), columns, strict=True)
    }
    connection.register("rule_beginnings", pa.table(table))
    found = sql.run("leader_core.interactions", connection, "condition_rules").fetchnumpy()
    connection.unregister("rule_beginnings")
    flags = np.zeros((2, len(visit_ids), len(rules) + 1), bool)
    flags[found["lifts"].astype(int), np.searchsorted(visit_ids, found["visit_id"]), found["rule"]] = True
    called, lifted = flags
    own = called & ~lifted
    return own[:, :-1], own[:, -1]


def _parts(mask: int) -> Iterator[int]:
    """Every non-empty part of a set of bits."""
    part = mask
    while part:
        yield part
        part = (part - 1) & mask


def count_ordered(connection: duckdb.DuckDBPyConnection, atc_level: int) -> tuple[Ints, Counts]:
    """(V,) visit ids and (V, 5) alerts of what was ordered, of a cohort's database, open or being built."""
    visits = OrderedVisits.read(connection)
    return visits.visit_ids, VisitAlerts(visits, atc_level).ordered()


def as_columns(counts: Any) -> dict[str, NDArray[np.int16]]:
    """(V, 5) counts as columns by the name of their severity."""
    return {severity: counts[:, number].astype(np.int16) for severity, number in NUMBER.items()}

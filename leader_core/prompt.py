"""A case as the text the teacher reads: one of the wordings, filled and cut to a token budget.

It never sees the medications of the current visit, because every case passes through `Case.observed()` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal, Protocol

from leader_core.domain import PLURALS, Case, EquivalentCode, Kind, Prompt, PromptSection, Visit
from leader_core.errors import InputError
from leader_core.prompt_templates import PROMPTS, SectionKind, fill, parse
from leader_core.terminology.equivalence import DiagnosisReading

Titles = Callable[[Kind, str], "str | None"]

_KIND_OF: Final[Mapping[str, Kind]] = {plural: kind for kind, plural in PLURALS.items()}
_CURRENT: Final[tuple[Kind, ...]] = ("diagnosis", "procedure")  # what is read of the current visit


class Tokens(Protocol):
    """What the prompt needs of a tokenizer."""

    @property
    def specials(self) -> int:
        """Special tokens added to every text (BOS, EOS, CLS, SEP)."""
        ...

    def spans(self, text: str) -> Sequence[tuple[int, int]]:
        """(start, end) in `text` of each token, special tokens left out."""
        ...


PlacedCode = tuple[int, Kind, str]
"""A code of a case: its visit's place in `(*case.history, case.current)`, its kind and itself."""


@dataclass(frozen=True, slots=True)
class PromptPiece:
    """A section of the prompt as it is written: wording, and the titles of codes."""

    kind: SectionKind
    visit: int | None  # place in `(*case.history, case.current)`
    number: int | None  # as the prompt counts visits
    stretches: tuple[tuple[str, PlacedCode | None], ...]  # each with the code that it stands for

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.stretches)


@dataclass(slots=True)
class _Part:
    """A visit on its way into the prompt: its codes, to be cut from the ends of its lists."""

    codes: dict[Kind, list[tuple[str, str]]]  # (code, what is read of it)
    visit: int
    number: int
    dropped: dict[Kind, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Plan:
    """What of a case goes into the prompt, and a sentence for each thing that does not."""

    earlier: int
    current: _Part
    history: list[_Part]  # oldest first
    dropped: list[str]
    whole: int = 0  # codes that the case has


class PromptBuilder:
    """Renders cases in one wording within one token limit. Caches each title's text and token count.

    Raises:
        InputError: for an unknown version, or a limit too small for the wording itself.
    """

    def __init__(
        self,
        version: str,
        titles: Titles,
        tokens: Tokens,
        token_limit: int,
        *,
        max_history: int = 3,
        reading: DiagnosisReading | None = None,
    ) -> None:
        """`reading`: by what code's title a diagnosis is written; by default its own."""
        if version not in PROMPTS:
            raise InputError(f"Unknown prompt version {version!r}: expected one of {', '.join(PROMPTS)}.")
        self.template: Final = PROMPTS[version]
        self.token_limit: Final = token_limit
        self.max_history: Final = max_history
        self.reading: Final = reading or DiagnosisReading((), equivalence=False)
        self._titles = titles
        self._tokens = tokens
        self._texts: dict[tuple[Kind, str], str] = {}
        self._costs: dict[str, int] = {}
        earlier = {"number": "10"} | {PLURALS[kind]: "" for kind in self.template.history_kinds}
        self._fixed = {
            "current": self._cost(fill(self.template.current, {PLURALS[kind]: "" for kind in _CURRENT})),
            "history": self._cost(fill(self.template.history, earlier)),
            "frame": self._cost(fill(self.template.openings[2], {"earlier": "10"}))
            + self._cost(self.template.question)
            + tokens.specials,
        }
        self._separator = self._cost(self.template.separator)
        blank = max(self._cost(self.template.empty), self._cost(self.template.truncated))
        floor = self._fixed["frame"] + self._fixed["current"] + 2 * blank
        if token_limit < floor:
            raise InputError(
                f"A prompt limit of {token_limit} tokens is too small: the wording {version!r} alone takes {floor}. "
                "Set teacher.max_tokens higher."
            )

    def text(self, case: Case, *, margin: int = 0) -> tuple[str, bool]:
        """The prompt's text and whether anything was cut; `margin` tokens are left free.

        The budget is counted piece by piece. For a tokenizer that merges across pieces the whole may come out
        longer: count the text, then ask again with the excess as margin (`build` does).
        """
        plan = self._plan(case, margin)
        return "".join(piece.text for piece in self._pieces(plan)), bool(plan.dropped)

    def pieces(self, case: Case) -> list[PromptPiece]:
        """The prompt of a case, section by section, in reading order."""
        return self._pieces(self._fitting(case)[0])

    def build(self, case: Case) -> Prompt:
        """The exact prompt of a case with its sections, token counts and everything that was left out."""
        plan, spans = self._fitting(case)
        pieces = self._pieces(plan)
        sections, start, write = [], 0, partial(self.written, "diagnosis")
        for piece in pieces:
            end = start + len(piece.text)
            count = sum(1 for first, _ in spans if start <= first < end)
            label = self._label(piece.kind, piece.number, plan.earlier)
            sections.append(PromptSection(piece.kind, label, start, end, count, visit_no=piece.number))
            start = end
        written = sum(len(codes) for part in (*plan.history, plan.current) for codes in part.codes.values())
        return Prompt(
            text="".join(piece.text for piece in pieces),
            version=self.template.version,
            token_count=len(spans) + self._tokens.specials,
            token_limit=self.token_limit,
            sections=tuple(sections),
            dropped=tuple(plan.dropped),
            untitled=self._untitled(plan),
            read_as=tuple(
                EquivalentCode(code, write(code), read, tuple(map(write, read)))
                for code, read in self.reading.changed(case.observed())
            ),
            left_out=max(0, plan.whole - written),
        )

    # -- what goes in ------------------------------------------------------------------------------------------

    def _fitting(self, case: Case) -> tuple[_Plan, Sequence[tuple[int, int]]]:
        """What of a case goes into the prompt, and the spans of its tokens, which the limit holds."""
        margin = 0
        while True:
            plan = self._plan(case, margin)
            spans = self._tokens.spans("".join(piece.text for piece in self._pieces(plan)))
            excess = len(spans) + self._tokens.specials - self.token_limit
            if excess <= 0 or margin > self.token_limit:
                return plan, spans
            margin += excess

    def _plan(self, case: Case, margin: int) -> _Plan:
        case = case.observed()
        earlier = len(case.history)
        recent = (
            list(enumerate(case.history))[max(0, earlier - self.max_history) :] if self.max_history else []
        )
        if self.template.repeats_current:
            recent = [(place, replace(visit, diagnoses=case.current.diagnoses)) for place, visit in recent]
        plan = _Plan(
            earlier=earlier,
            current=self._part(case.current, earlier, _CURRENT),
            history=[self._part(visit, place, self.template.history_kinds) for place, visit in recent],
            dropped=[],
            whole=sum(
                len(self.reading.pairs(kind, visit.codes(kind)))
                for visit in (*case.history, case.current)
                for kind in PLURALS
            ),
        )
        left = earlier - len(recent)
        if left:
            plan.dropped.append(
                f"{_count(left, 'oldest visit')} left out: at most the last "
                f"{_count(self.max_history, 'earlier visit')} {'is' if self.max_history == 1 else 'are'} read."
            )
        self._fit(plan, self.token_limit - margin)
        return plan

    def _fit(self, plan: _Plan, limit: int) -> None:
        """Cut until the budget holds: oldest visits, then lists of the last earlier visit, then current lists.

        Where medications come first, the oldest visits go until all medications of the others fit, then diagnoses of
        the oldest visit that is left, and so on.
        """
        over = self._fixed["frame"] + self._cost_of(plan.current, "current") - limit
        over += sum(self._cost_of(part, "history") for part in plan.history)
        if over <= 0:
            return
        if self.template.medications_first:
            while len(plan.history) > 1 and over > sum(map(self._diagnoses_cost, plan.history)):
                over -= self._drop(plan)
            for part in plan.history:
                over = self._trim(part, (("diagnosis",),), over)
        while over > 0 and len(plan.history) > 1:
            over -= self._drop(plan)
        if plan.history and over > 0:
            part = plan.history[0]
            over = self._trim(part, (("diagnosis", "procedure"), ("medication",)), over)
            if over > 0 or not any(part.codes.values()):
                over -= self._drop(plan)
        for part in plan.history:
            plan.dropped += _trimmed(part, f"visit {part.number}")
        if over > 0:
            self._trim(plan.current, (("diagnosis", "procedure"),), over)
            plan.dropped += _trimmed(plan.current, "the current visit")

    def _drop(self, plan: _Plan) -> int:
        """Leave the oldest visit out; the tokens that saves."""
        part = plan.history[0]
        cost = self._cost_of(part, "history")
        before = sum(part.dropped.values())
        plan.history.pop(0)
        codes = before + sum(len(codes) for codes in part.codes.values())
        plan.dropped.append(
            f"Visit {part.number} left out with {_count(codes, 'code')}: the prompt was too long."
        )
        return cost

    def _trim(self, part: _Part, tiers: Sequence[tuple[Kind, ...]], over: int) -> int:
        """Cut codes from the end of the longest list, first codes last, tier by tier; what is still over."""
        for tier in tiers:
            while over > 0:
                uncut = [kind for kind in tier if part.codes.get(kind)]
                if not uncut:
                    break
                longest = max(
                    uncut, key=lambda kind: (len(part.codes[kind]) > 1, self._list_cost(part, kind))
                )
                before = self._list_cost(part, longest)
                part.codes[longest].pop()
                part.dropped[longest] = part.dropped.get(longest, 0) + 1
                over -= before - self._list_cost(part, longest)
        return over

    def _cost_of(self, part: _Part, where: Literal["current", "history"]) -> int:
        kinds = _CURRENT if where == "current" else self.template.history_kinds
        return self._fixed[where] + sum(self._list_cost(part, kind) for kind in kinds)

    def _list_cost(self, part: _Part, kind: Kind) -> int:
        codes = part.codes[kind]
        if not codes:
            return self._cost(self._blank(part, kind))
        titles = sum(self._cost(self.written(kind, read)) for _, read in codes)
        return titles + self._separator * (len(codes) - 1)

    def _diagnoses_cost(self, part: _Part) -> int:
        """Tokens saved by leaving a visit's diagnoses out."""
        without = self._cost(self.template.truncated)
        return max(0, self._list_cost(part, "diagnosis") - without)

    def _cost(self, text: str) -> int:
        cost = self._costs.get(text)
        if cost is None:
            cost = self._costs[text] = len(self._tokens.spans(text))
        return cost

    def _part(self, visit: Visit, place: int, kinds: Sequence[Kind]) -> _Part:
        codes = {kind: self.reading.pairs(kind, visit.codes(kind)) for kind in kinds}
        return _Part(codes, place, visit.visit_no or place + 1)

    # -- how it reads ------------------------------------------------------------------------------------------

    def _pieces(self, plan: _Plan) -> list[PromptPiece]:
        template = self.template
        opening = template.openings[min(plan.earlier, 2)]
        counted = {"earlier": str(plan.earlier)} if any(name for _, name in parse(opening)) else {}
        visits = [self._visit("history", template.history, part, plan) for part in plan.history]
        pieces: dict[SectionKind, list[PromptPiece]] = {
            "instruction": [PromptPiece("instruction", None, None, ((fill(opening, counted), None),))],
            "history": visits[::-1] if template.newest_first else visits,
            "current": [self._visit("current", template.current, plan.current, plan)],
            "question": [PromptPiece("question", None, None, ((template.question, None),))],
        }
        return [piece for kind in template.order for piece in pieces[kind]]

    def _visit(self, section: SectionKind, wording: str, part: _Part, plan: _Plan) -> PromptPiece:
        """A visit's section: its wording, filled with its number and the titles of its codes."""
        stretches: list[tuple[str, PlacedCode | None]] = []
        for literal, name in parse(wording):
            stretches.append((literal, None))
            if name == "number":
                stretches.append((str(part.number), None))
            elif name is not None:
                kind = _KIND_OF[name]
                repeated = kind == "diagnosis" and self.template.repeats_current
                place = plan.current.visit if repeated else part.visit
                stretches += self._list(part, kind, place)
        return PromptPiece(section, part.visit, part.number, tuple(stretches))

    def _list(self, part: _Part, kind: Kind, place: int) -> Iterator[tuple[str, PlacedCode | None]]:
        for number, (code, read) in enumerate(part.codes[kind]):
            if number:
                yield self.template.separator, None
            yield self.written(kind, read), (place, kind, code)
        if not part.codes[kind]:
            yield self._blank(part, kind), None

    def _blank(self, part: _Part, kind: Kind) -> str:
        """What stands for an empty list: having none and having lost all read differently."""
        return self.template.truncated if part.dropped.get(kind) else self.template.empty

    def written(self, kind: Kind, code: str) -> str:
        """A code as the prompt writes it: its title, or the code itself where no title is known."""
        text = self._texts.get((kind, code))
        if text is None:
            text = self._titles(kind, code) or code
            if kind in self.template.lower and text != code:
                text = text.lower()
            self._texts[kind, code] = text
        return text

    def _untitled(self, plan: _Plan) -> tuple[str, ...]:
        """Codes of the prompt that stand for themselves because no title is known; each once."""
        untitled = {
            code: None
            for part in (*plan.history, plan.current)
            for kind, codes in part.codes.items()
            for _, code in codes
            if self.written(kind, code) == code
        }
        return tuple(untitled)

    @staticmethod
    def _label(kind: SectionKind, number: int | None, earlier: int) -> str:
        if kind == "instruction":
            return "Instruction"
        if kind == "question":
            return "Question"
        return f"Visit {number} of {max(earlier + 1, number or 0)}" + (
            " (current)" if kind == "current" else ""
        )


def _trimmed(part: _Part, where: str) -> list[str]:
    """One sentence for each list that lost its end."""
    return [
        f"{_count(number, 'last ' + kind, 'last ' + PLURALS[kind])} of {where} left out: the prompt was too long."
        for kind, number in part.dropped.items()
        if number
    ]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"

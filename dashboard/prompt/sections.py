"""The prompt as HTML: sections in their colours, tokens as a bar and a table. Everything is escaped here."""

from __future__ import annotations

from typing import Final

from dashboard.shared.formatting import escape, tag
from leader_core import Prompt, PromptSection

_COLOURS: Final = {
    "instruction": "var(--unknown-soft)",
    "history": "var(--minor-soft)",
    "current": "var(--teacher-soft)",
    "question": "var(--moderate-soft)",
}


def coloured(prompt: Prompt) -> str:
    """The exact text, nothing added and nothing left out, with each section's background."""
    parts: list[str] = []
    position = 0
    for section in sorted(prompt.sections, key=lambda s: s.start):
        parts.append(escape(prompt.text[position : section.start]))
        parts.append(
            tag(
                "span",
                escape(prompt.text[section.start : section.end]),
                css=f"ld-part-{section.kind}",
                title=section.label,
            )
        )
        position = max(position, section.end)
    parts.append(escape(prompt.text[position:]))
    return tag("pre", *parts, css="ld-prompt", tabindex=0)


def budget(prompt: Prompt) -> str:
    """How the sections fill the limit."""
    whole = max(prompt.token_limit, prompt.token_count, 1)
    slices = "".join(
        tag(
            "i",
            style=f"width:{100 * s.token_count / whole:.2f}%;background:{_colour(s)}",
            title=f"{s.label}: {s.token_count}",
        )
        for s in prompt.sections
    )
    told = f"{prompt.token_count} of at most {prompt.token_limit} tokens"
    return tag("div", slices, css="ld-budget", role="img", aria_label=told)


def key_rows(prompt: Prompt) -> str:
    """Sections in their order with their tokens; the special tokens make up the rest."""
    rows = [(s.label, s.token_count, _colour(s)) for s in prompt.sections]
    rest = prompt.token_count - sum(count for _, count, _ in rows)
    if rest > 0:
        rows.append(("Special tokens and joins", rest, "transparent"))
    body = "".join(
        tag(
            "tr",
            tag(
                "td",
                tag("span", css="ld-key", style=f"background:{colour}", aria_hidden="true"),
                escape(label),
            ),
            tag("td", f"{count:,}", css="num"),
        )
        for label, count, colour in rows
    )
    total = tag(
        "tr",
        tag("td", tag("strong", "Together")),
        tag("td", tag("strong", f"{prompt.token_count:,}"), css="num"),
    )
    head = tag("thead", tag("tr", tag("th", "Section"), tag("th", "Tokens", css="num")))
    return tag("table", head, tag("tbody", body, total), css="ld-table")


def _colour(section: PromptSection) -> str:
    return _COLOURS.get(section.kind, "var(--unknown-soft)")

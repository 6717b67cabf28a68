"""Where a drug goes into the body: hospital route strings and words in a drug's name, as route groups.

The strings stand in `assets/terminology/routes.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Final, Literal, get_args

from leader_core.errors import ArtifactError
from leader_core.terminology import table_rows

RouteGroup = Literal[
    "oral",
    "sublingual",
    "oromucosal",
    "iv",
    "injection",
    "neuraxial",
    "inhaled",
    "nasal",
    "ophthalmic",
    "otic",
    "topical",
    "transdermal",
    "rectal",
    "vaginal",
    "irrigation",
    "catheter",
    "dialysis",
]
ROUTE_GROUPS: Final[tuple[RouteGroup, ...]] = get_args(RouteGroup)
PARENTERAL: Final[tuple[RouteGroup, ...]] = ("iv", "injection", "neuraxial")

NEIGHBOURS: Final[Mapping[RouteGroup, tuple[RouteGroup, ...]]] = {
    "sublingual": ("oral",),
    "oromucosal": ("oral",),
    "iv": ("injection",),
    "injection": ("iv",),
    "neuraxial": ("injection", "iv"),
    "ophthalmic": ("otic",),
    "otic": ("ophthalmic",),
    "topical": ("transdermal",),
    "transdermal": ("topical",),
    "catheter": ("iv",),
    "dialysis": ("iv",),
}
"""Groups whose code also serves where a drug has none of the wanted group."""

_FORMS: Final[Mapping[RouteGroup, str]] = {
    "ophthalmic": "ophth opht ophthalmic ophthal eye intravitreal",
    "otic": "otic ear",
    "nasal": "nasal intranasal",
    "inhaled": "inhaler inhalation inhal inh aers aepb nebu mdi hfa neb nebs nebulizer nebulized diskus respules respimat",
    "transdermal": "patch patches transdermal",
    "vaginal": "vaginal vag",
    "rectal": "enema suppository supp rectal",
    "oromucosal": "rinse mouthwash swish viscous lozenge troche",
    "irrigation": "irrigation irrigant",
    "topical": "cream ointment oint lotion shampoo topical",
    "oral": "tab tablet cap capsule oral elixir syrup",
    "iv": "iv",
}
"""Words of a drug's name that say its form; where a name has several, the earlier group wins: 'ophth oint' is for the eye,
'vaginal cream' for the vagina."""
_FORM_OF: Final = {word: group for group, words in _FORMS.items() for word in words.split()}


_BRACKETS: Final = re.compile(r"\([^)]*\)?")
_SEPARATORS: Final = re.compile(r"[-_./,+&]+")
_MIN_CUT: Final = 5  # letters from which a route may be one cut short
_SHORT_WORDS: Final = frozenset(("IV", "PO", "NG", "OG", "IM", "SC", "SQ", "SL"))
"""Words of two letters that say a route inside a longer string; IN, OD or AS may be English there."""

_GENERAL: Final[frozenset[RouteGroup]] = frozenset(("oral", "sublingual", "topical", *PARENTERAL))
"""Routes that a form in the name overrules: a 'Neb Soln' ordered PO is inhaled. Local routes are believed."""
_WEAK_FORMS: Final[Mapping[RouteGroup, frozenset[RouteGroup]]] = {
    "topical": frozenset(("oral", "iv", "injection")),
    "oral": frozenset(("iv",)),
    "inhaled": _GENERAL | {"nasal"},  # IN is the nose in some hospitals, and inhaled in others
    "iv": frozenset(),
    "irrigation": frozenset(("iv", "topical")),
    "transdermal": frozenset(("oral", "topical", *PARENTERAL)),
}
"""For forms that overrule fewer routes, the routes they overrule."""


@lru_cache(maxsize=65_536)
def route_group(route: str) -> RouteGroup | None:
    """The group of a hospital's route string; None for a missing or unknown one.

    A string outside the table is read without brackets and strokes, then as one cut short (INTRAVENOU), then by its words
    (PERIPH IV), where only one group can be meant.

    >>> route_group("po/ng"), route_group("BOTH EYES"), route_group("")
    ('oral', 'ophthalmic', None)
    >>> route_group("INTRAVENOU"), route_group("PERIPH IV"), route_group("IV (intravenous)"), route_group("NG- NasoGast")
    ('iv', 'iv', 'iv', 'oral')
    """
    text = " ".join(route.upper().split())
    table = known_routes()
    if text in table or not text:
        return table.get(text)
    plain = _plain_route(text)
    if plain in (names := _plain_routes()):
        return names[plain]
    if len(plain) >= _MIN_CUT:
        groups = {group for name, group in names.items() if name.startswith(plain)}
        if groups:
            return next(iter(groups)) if len(groups) == 1 else None
    groups = {
        names[word] for word in plain.split() if word in names and (len(word) > 2 or word in _SHORT_WORDS)
    }
    return next(iter(groups)) if len(groups) == 1 else None


def _plain_route(text: str) -> str:
    words = _SEPARATORS.sub(" ", _BRACKETS.sub(" ", text)).split()
    while len(words) > 1 and words[0] in ("PER", "VIA", "BY"):
        words = words[1:]
    return " ".join(words)


@cache
def _plain_routes() -> dict[str, RouteGroup]:
    return {_plain_route(name): group for name, group in known_routes().items()}


def effective_group(route: RouteGroup | None, words: Iterable[str]) -> RouteGroup | None:
    """The group to look a drug up by: the route, unless a form in the name says better."""
    forms = {_FORM_OF[word] for word in words if word in _FORM_OF}
    if route == "nasal" and "nasal" in forms:
        return route
    for form in _FORMS:
        if form in forms and (route is None or route in _WEAK_FORMS.get(form, _GENERAL)):
            return form
    return route


def is_form_word(word: str) -> bool:
    """Whether this word of a drug's name is its form."""
    return word in _FORM_OF


@cache
def known_routes() -> Mapping[str, RouteGroup]:
    """Every route string with its group."""
    table: dict[str, RouteGroup] = {}
    for row in table_rows("routes.csv"):
        if row["group"] not in ROUTE_GROUPS:
            raise ArtifactError(
                f"routes.csv: route {row['route']!r} has the group {row['group']!r}: "
                f"expected one of {', '.join(ROUTE_GROUPS)}."
            )
        table[row["route"]] = row["group"]
    return table

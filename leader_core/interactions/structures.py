"""Structures of representative drugs: which drug stands for a class, drawn as SVG, and what two drugs share.

A shared substructure explains no interaction and predicts none. RDKit is imported when the first structure is drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leader_core.errors import ArtifactError
from leader_core.terminology import table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER: Final = Path(__file__).resolve().parents[2] / "assets" / "structures"
HIGHLIGHT: Final = (0.98, 0.78, 0.35)
_SMALLEST_SHARED: Final = 4  # atoms; less is common to nearly all drugs
_SECONDS: Final = 1  # the shortest time that the search can keep
_TELLING_ATOMS: Final = 8
_TELLING_SHARE: Final = 0.4
"""A shared part that says something: more than a ring, not carbon alone, and this share of the smaller drug."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A drug that stands for its class; salts and solvates left out."""

    code: str  # ATC level 3
    drug: str
    ingredient: str  # ATC level 5
    formula: str
    inchikey: str
    smiles: str


@dataclass(frozen=True, slots=True)
class SharedSubstructure:
    """The largest common substructure of two drugs within the time allowed."""

    atoms_a: tuple[int, ...]  # indices in the first drug's SMILES; empty where nothing telling is shared
    atoms_b: tuple[int, ...]
    smarts: str
    timed_out: bool  # a larger one may exist
    telling: bool = False  # more than a benzene ring, which half of all drugs have

    @property
    def atoms(self) -> int:
        """How many atoms are shared, hydrogen left out."""
        return len(self.atoms_a)


@lru_cache(maxsize=1)
def all_representatives() -> tuple[Structure, ...]:
    """Every drug of the table, in order of class."""
    return tuple(Structure(**row) for row in table_rows("representatives.csv", _FOLDER))


def draw(
    structure: Structure,
    *,
    highlight: Sequence[int] = (),
    width: int = 280,
    height: int = 200,
    dark: bool = False,
) -> str:
    """An SVG of the structure on a transparent ground, named for screen readers.

    Args:
        structure: what to draw.
        highlight: indices of atoms to mark, with the bonds between them.
        width: in pixels.
        height: in pixels.
        dark: light lines, for a dark page.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    molecule = _molecule(structure)
    atoms = list(highlight)
    drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
    if dark:
        rdMolDraw2D.SetDarkMode(drawer)
    options: Any = drawer.drawOptions()
    options.clearBackground = False
    options.setHighlightColour((*HIGHLIGHT, 0.6 if dark else 1.0))
    between = [
        b.GetIdx() for b in molecule.GetBonds() if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} <= {*atoms}
    ]
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, molecule, highlightAtoms=atoms, highlightBonds=between)
    drawer.FinishDrawing()
    return _named(drawer.GetDrawingText(), f"Structure of {structure.drug}, {structure.formula}")


@lru_cache(maxsize=512)
def shared(first: Structure, second: Structure) -> SharedSubstructure:
    """The largest common substructure, no ring is split; when the time is over, the best one so far."""
    from rdkit import Chem
    from rdkit.Chem import rdFMCS

    a, b = _molecule(first), _molecule(second)
    common = rdFMCS.FindMCS([a, b], timeout=_SECONDS, ringMatchesRingOnly=True, completeRingsOnly=True)
    if common.numAtoms < _SMALLEST_SHARED:
        return SharedSubstructure((), (), "", bool(common.canceled))
    pattern = Chem.MolFromSmarts(common.smartsString)
    atoms_a, atoms_b = a.GetSubstructMatch(pattern), b.GetSubstructMatch(pattern)
    smaller = min(a.GetNumAtoms(), b.GetNumAtoms())
    telling = (
        len(atoms_a) >= max(_TELLING_ATOMS, _TELLING_SHARE * smaller)
        and any(a.GetAtomWithIdx(atom).GetSymbol() != "C" for atom in atoms_a)
    )  # fmt: skip
    return SharedSubstructure(
        tuple(atoms_a), tuple(atoms_b), common.smartsString, bool(common.canceled), telling
    )


def draw_shared(
    first: Structure,
    second: Structure,
    *,
    width: int = 280,
    height: int = 200,
    dark: bool = False,
) -> tuple[str, str, SharedSubstructure]:
    """Both drugs as SVG, and what they share, which is marked where it says something."""
    common = shared(first, second)
    atoms_a, atoms_b = (common.atoms_a, common.atoms_b) if common.telling else ((), ())
    svg_a = draw(first, highlight=atoms_a, width=width, height=height, dark=dark)
    svg_b = draw(second, highlight=atoms_b, width=width, height=height, dark=dark)
    return svg_a, svg_b, common


def _molecule(structure: Structure) -> Any:
    from rdkit import Chem

    molecule = Chem.MolFromSmiles(structure.smiles)
    if molecule is None:
        raise ArtifactError(
            f"The structure of {structure.drug} cannot be read: {structure.smiles!r} is no SMILES. "
            f"Restore representatives.csv."
        )
    return molecule


def _named(svg: str, name: str) -> str:
    """The SVG element alone, with its name: no XML declaration, fit to stand inside a page."""
    element = svg[svg.index("<svg") :]
    title = f"<title>{escape(name)}</title>"
    opening = re.compile(r"<svg\b[^>]*>", re.DOTALL)
    return opening.sub(
        lambda tag: f'{tag[0][:-1]} role="img" aria-label="{escape(name)}">{title}', element, count=1
    )

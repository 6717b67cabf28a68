"""Structures of representative drugs against their formulas and published keys; drawing and what two drugs share."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from leader_core.errors import ArtifactError
from leader_core.interactions.structures import (
    Structure,
    all_representatives,
    draw,
    draw_shared,
    shared,
)


def drug(name: str) -> Structure:
    return next(s for s in all_representatives() if s.drug == name)


@pytest.mark.parametrize("structure", all_representatives(), ids=lambda s: s.drug)
def test_smiles_has_its_formula_and_key(structure: Structure) -> None:
    molecule = Chem.MolFromSmiles(structure.smiles)
    assert molecule is not None
    assert CalcMolFormula(molecule) == structure.formula
    assert Chem.MolToInchiKey(molecule) == structure.inchikey
    assert structure.ingredient.startswith(structure.code)


def test_structures_stand_among_the_published_ones(reference: Path) -> None:
    """Nearly all that the reference holds at all agree with it to the last stereocentre."""
    with (reference / "structures.csv").open(encoding="utf-8", newline="") as stream:
        published = {row["inchikey"] for row in csv.DictReader(stream)}
    skeletons = {key[:14] for key in published}
    listed = [s for s in all_representatives() if s.inchikey[:14] in skeletons]
    other_stereo = {s.drug for s in listed if s.inchikey not in published}
    assert len(listed) >= 110
    # The reference draws these two without all of their stereocentres.
    assert other_stereo == {"clindamycin", "levofloxacin"}


def test_ingredients_exist(index: dict[str, str]) -> None:
    assert {s.ingredient for s in all_representatives()} <= set(index)
    assert len({(s.code, s.drug) for s in all_representatives()}) == len(all_representatives())


def test_drawing_is_an_svg_with_a_name() -> None:
    svg = draw(drug("warfarin"), width=200, height=150)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own drawing
    assert root.tag.endswith("svg")
    assert root.get("role") == "img"
    assert root.get("aria-label") == "Structure of warfarin, C19H16O4"
    assert root.get("width") == "200px"
    assert svg.startswith("<svg")
    assert "script" not in svg
    assert draw(drug("warfarin"), dark=True) != draw(drug("warfarin"))
    assert draw(drug("warfarin"), highlight=(0, 1, 2)) != draw(drug("warfarin"))


def test_name_in_the_drawing_is_escaped() -> None:
    odd = replace(drug("aspirin"), drug='<b>"aspirin"&')
    root = ElementTree.fromstring(draw(odd))  # noqa: S314
    assert '<b>"aspirin"&' in str(root.get("aria-label"))


def test_two_drugs_share_what_they_share() -> None:
    common = shared(drug("metoprolol"), drug("atenolol"))
    assert common.atoms == 17  # ring, CH2-C of the tail, and the whole propanolamine
    assert not common.timed_out
    molecules = [Chem.MolFromSmiles(drug(name).smiles) for name in ("metoprolol", "atenolol")]
    pattern = Chem.MolFromSmarts(common.smarts)
    assert all(molecule.HasSubstructMatch(pattern) for molecule in molecules)
    assert len(common.atoms_a) == len(common.atoms_b) == pattern.GetNumAtoms()


def test_sharing_is_symmetric_in_size_and_whole_with_itself() -> None:
    a, b = drug("simvastatin"), drug("atorvastatin")
    assert shared(a, b).atoms == shared(b, a).atoms
    aspirin = drug("aspirin")
    assert shared(aspirin, aspirin).atoms == Chem.MolFromSmiles(aspirin.smiles).GetNumAtoms()


def test_little_in_common_is_said_to_be_nothing() -> None:
    svg_a, svg_b, common = draw_shared(drug("metformin"), drug("ascorbic acid"))
    assert common.atoms == 0
    assert common.smarts == ""
    assert svg_a == draw(drug("metformin"))
    assert svg_b == draw(drug("ascorbic acid"))


def test_a_single_ring_is_not_highlighted() -> None:
    """Half of all drugs have a benzene ring: it says nothing about two that have one."""
    svg_a, _, common = draw_shared(drug("baclofen"), drug("oxycodone"))
    assert common.atoms == 6 and not common.telling
    assert svg_a == draw(drug("baclofen"))
    assert shared(drug("metoprolol"), drug("atenolol")).telling


def test_search_keeps_its_time() -> None:
    begun = time.process_time()
    common = shared(drug("morphine"), drug("hydromorphone"))
    assert time.process_time() - begun < 5
    assert common.timed_out or common.atoms > 15


def test_a_damaged_structure_is_refused() -> None:
    with pytest.raises(ArtifactError, match="is no SMILES"):
        draw(replace(drug("aspirin"), smiles="C1CC"))


def test_importing_structures_does_not_import_rdkit() -> None:
    code = "import sys, leader_core.interactions.structures; sys.exit('rdkit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

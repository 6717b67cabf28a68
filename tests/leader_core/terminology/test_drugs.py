"""Drug text and route to ATC: hospital spellings, combinations, routes, what is no drug, and the table itself."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leader_core.errors import InputError
from leader_core.terminology.drug_names import read_drug
from leader_core.terminology.drug_table import Ingredient, drug_table, table_rows, tokens
from leader_core.terminology.drugs import SET_ASIDE_REASONS, map_drug, map_order, set_aside
from leader_core.terminology.routes import ROUTE_GROUPS, effective_group, known_routes, route_group

DATA = Path(__file__).parents[2] / "data"
ROOT = Path(__file__).parents[3]

Row = dict[str, str]


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def codes(drug: str, route: str = "", level: int = 5) -> str:
    return " ".join(match.code for match in map_drug(drug, route, level))


def answer(drug: str, route: str, drug_type: str) -> str:
    reason, matches = map_order(drug, route, drug_type, 5)
    return reason or " ".join(match.code for match in matches) or "unmapped"


# --- hospital strings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows(DATA / "drug_strings.csv"), ids=lambda r: f"{r['drug']}-{r['route']}")
def test_hospital_string(row: Row) -> None:
    assert answer(row["drug"], row["route"], row["drug_type"]) == row["expected"]


@pytest.mark.parametrize(
    ("drug", "routes"),
    [
        ("Aspirin", {"PO": "B01A", "PR": "B01A", "": "B01A"}),
        ("Vancomycin", {"IV": "J01X", "PO": "A07A", "PR": "A07A", "": "J01X"}),
        ("Potassium Chloride", {"PO": "A12B", "NG": "A12B", "IV": "B05X", "IV DRIP": "B05X"}),
        ("Magnesium Sulfate", {"IV": "B05X", "PO": "A06A"}),
        ("Sodium Bicarbonate", {"IV": "B05X", "PO": "A02A"}),
        ("Tacrolimus", {"PO": "L04A", "IV": "L04A", "SL": "L04A", "TP": "D11A"}),
        ("Dexamethasone", {"PO": "H02A", "IV": "H02A", "OU": "S01B", "AU": "S02B", "TP": "D07A"}),
        ("Insulin", {"SC": "A10A", "IV DRIP": "A10A"}),
        ("Heparin", {"SC": "B01A", "IV": "B01A"}),
        ("Nystatin", {"PO": "A07A", "TP": "D01A", "VG": "G01A"}),
        ("Metronidazole", {"IV": "J01X", "PO": "P01A", "TP": "D06B", "VG": "G01A"}),
        ("Lidocaine", {"IV": "C01B", "SC": "N01B", "TD": "N01B", "ED": "N01B"}),
        ("Phenylephrine", {"IV DRIP": "C01C", "NU": "R01A", "OS": "S01F"}),
        ("Acetylcysteine 20%", {"NEB": "R05C", "PO": "V03A", "IV": "V03A"}),
        ("Fluticasone", {"IH": "R03B", "NU": "R01A", "TP": "D07A"}),
        ("Ipratropium Bromide", {"IH": "R03B", "NU": "R01A"}),
        ("Albuterol", {"IH": "R03A", "NEB": "R03A", "PO": "R03C"}),
        ("Scopolamine", {"TD": "A04A", "TP": "A04A", "OU": "S01F"}),
        ("Timolol", {"OU": "S01E", "PO": "C07A"}),
        ("Erythromycin", {"IV": "J01F", "PO": "J01F", "BOTH EYES": "S01A"}),
        ("Chlorhexidine", {"ORAL": "A01A", "TP": "D08A"}),
        ("Methotrexate", {"IV": "L01B", "IT": "L01B", "PO": "L04A"}),
        ("Sodium Phosphate", {"PR": "A06A", "IV": "B05X"}),
        ("Fentanyl", {"IV": "N01A", "TD": "N02A"}),
    ],
)
def test_route_decides(drug: str, routes: dict[str, str]) -> None:
    assert {route: codes(drug, route, 3) for route in routes} == routes


@pytest.mark.parametrize(
    ("drug", "route", "expected"),
    [
        (
            "Albuterol 0.083% Neb Soln",
            "PO",
            "R03AC02",
        ),  # a nebulized solution is inhaled, whatever was clicked
        ("Erythromycin 0.5% Ophth Oint", "TP", "S01AA17"),
        ("Ciprofloxacin 0.3% Ophth Soln", "LEFT EAR", "S02AA15"),  # but a local route is believed
        ("Fentanyl Patch", "TP", "N02AB03"),
        ("Vancomycin Oral Liquid", "IV", "A07AA09"),
        ("Hydrocortisone Cream 1%", "PO", "D07AA02"),
        ("Mupirocin Nasal Ointment 2%", "NU", "R01AX06"),
    ],
)
def test_form_in_the_name(drug: str, route: str, expected: str) -> None:
    assert codes(drug, route) == expected


@pytest.mark.parametrize(
    ("drug", "route", "expected"),
    [
        ("Albuterol 0.083% Neb Soln", "IH", "R03AC02"),
        ("MethylPREDNISolone Sodium Succ.", "IV", "H02AB04"),
        ("Hydrocortisone Na Succ.", "IV", "H02AB09"),
        ("Morphine SR (MS Contin)", "PO", "N02AA01"),
        ("Lansoprazole Oral Disintegrating Tab", "NG", "A02BC03"),
        ("Acetaminophen w/Codeine", "PO", "N02AJ06"),
        ("Guaifenesin w/Codeine", "PO", "R05FA02"),
        ("HYDROmorphone (Dilaudid)", "IV", "N02AA03"),
        ("Metoprolol Succinate XL", "PO", "C07AB02"),
        ("Levothyroxine Sodium", "PO", "H03AA01"),
        ("Cefepime HCl 2 g/100 mL Premix", "IV", "J01DE01"),
        ("Doxycycline Hyclate", "PO", "J01AA02"),
        ("Esomeprazole Magnesium Trihydrate", "PO", "A02BC05"),
        ("Insulin Pen Needle", "SC", ""),
    ],
)
def test_salts_strengths_brands_forms_and_devices(drug: str, route: str, expected: str) -> None:
    assert codes(drug, route) == expected


def test_a_combination_has_its_own_class_in_any_order() -> None:
    assert codes("Acetaminophen/Oxycodone", "PO") == codes("Oxycodone-Acetaminophen", "PO") == "N02AJ17"
    assert codes("Percocet (oxycodone-acetaminophen)", "PO") == "N02AJ17"


def test_parts_without_a_class_of_their_own_stay_apart() -> None:
    assert codes("Warfarin/Digoxin", "PO") == "B01AA03 C01AA05"
    assert codes("Lisinopril-HCTZ + Digoxin", "PO") == "C01AA05 C09BA03"


def test_a_part_that_is_no_drug_alone() -> None:
    assert map_drug("Tazobactam", "IV") == ()


def test_minerals_in_salts_are_not_drugs() -> None:
    assert codes("Leucovorin Calcium", "PO") == "V03AF03"
    assert codes("Losartan Potassium", "PO") == "C09CA01"
    assert codes("Calcium Foobarate", "PO") == ""


def test_guesses_are_reported_as_such() -> None:
    assert [m.method for m in map_drug("Metoprolol")] == ["name"]
    assert [m.method for m in map_drug("Propra")] == ["truncated"]
    assert [m.method for m in map_drug("Hydormorphone")] == ["misspelt"]


@pytest.mark.parametrize("drug", ["Ny", "Pred", "Qwertyuiopan", "", "  ", "???", "123 mg"])
def test_no_guess_where_several_or_none_could_be_meant(drug: str) -> None:
    assert map_drug(drug, "PO") == ()
    assert set_aside(drug, "PO", "MAIN") is None


def test_look_alikes_are_distinguished() -> None:
    pairs = [
        ("HydrALAZINE", "HydrOXYzine"),
        ("PredniSONE", "PrednisoLONE"),
        ("CloniDINE", "ClonazePAM"),
        ("VinBLAStine", "VinCRIStine"),
        ("ChlorproMAZINE", "ChlorproPAMIDE"),
        ("DOBUTamine", "DOPamine"),
        ("Cefotetan", "CefOXitin"),
        ("Bupropion", "Buspirone"),
    ]
    for one, other in pairs:
        assert codes(one, "PO") != codes(other, "PO")
        assert read_drug(one).method == read_drug(other).method == "name"


# --- what is no drug ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drug", "route", "kind", "reason"),
    [
        ("NS", "IV", "BASE", "diluent"),
        ("D5W", "IV", "MAIN", "diluent"),
        ("Iso-Osmotic Dextrose", "IV", "MAIN", "diluent"),
        ("Syringe (0.9% Sodium Chloride)", "IV", "BASE", "diluent"),
        ("Sodium Chloride 0.9%  Flush", "IV", "MAIN", "flush"),
        ("Heparin Flush PICC (100 units/ml)", "IV", "MAIN", "flush"),
        ("Heparin", "DWELL", "MAIN", "flush"),
        ("HEPARIN SODIUM 100 UNIT/ML", "INTRALUMENAL", "", "flush"),
        ("Thiamine", "IV", "ADDITIVE", "additive"),
        ("Syringe (IV Room)", "IV", "BASE", "device"),
        ("donepezil 5 mg or placebo", "PO", "MAIN", "study drug"),
        ("Heparin", "IV", "MAIN", None),
        ("Alteplase (Catheter Clearance)", "DWELL", "MAIN", None),
        ("Dextrose 50%", "IV", "MAIN", None),
        ("Sodium Chloride 3% (Hypertonic)", "IV", "MAIN", None),
        ("Lactated Ringers", "IV", "MAIN", None),
        ("Esmolol in Saline (Iso-osm)", "IV", "MAIN", None),
        ("Some New Drug", "IV", "MAIN", None),
    ],
)
def test_set_aside(drug: str, route: str, kind: str, reason: str | None) -> None:
    assert set_aside(drug, route, kind) == reason
    assert reason is None or reason in SET_ASIDE_REASONS


def test_an_order_is_set_aside_mapped_or_unknown() -> None:
    orders = [("Heparin", "SC", "MAIN"), ("NS", "IV", "BASE"), ("Zzyzx", None, None), (None, "PO", "MAIN")]
    result = [map_order(*order, 4) for order in orders]
    assert [(reason, [m.code for m in matches]) for reason, matches in result] == [
        (None, ["B01AB"]), ("diluent", []), (None, []), (None, []),
    ]  # fmt: skip


def test_another_level_is_refused() -> None:
    with pytest.raises(InputError, match="ATC level 2: expected 3, 4 or 5"):
        map_drug("Heparin", "SC", 2)


# --- properties ---------------------------------------------------------------------------------------------------

NAMES = [name for i in drug_table().ingredients.values() for name in (i.name, *i.synonyms)]
ROUTES = [*known_routes(), "", "SOMEWHERE"]
order_text = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from([*NAMES, "5 mg", "0.9%", "(Liquid)", "-", "/", "w/", "*NF*", "Neb Soln"]), max_size=5
    ).map(" ".join),
)


@given(
    order_text,
    st.sampled_from(ROUTES) | st.text(max_size=8),
    st.sampled_from(["MAIN", "BASE", "ADDITIVE", ""]),
)
def test_never_raises_and_levels_nest(drug: str, route: str, kind: str) -> None:
    reason, matches = map_order(drug, route, kind, 5)
    assert reason is None or (reason in SET_ASIDE_REASONS and not matches)
    fine, coarse = map_drug(drug, route, 5), map_drug(drug, route, 3)
    assert {m.code[:4] for m in fine} == {m.code for m in coarse}


@given(st.text(max_size=60))
def test_notation_is_idempotent(text: str) -> None:
    once = tokens(text)
    assert tokens(" ".join(once)) == once


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2).map("/".join),
    st.sampled_from(ROUTES),
    st.randoms(),
)
def test_letter_case_and_spacing_do_not_matter(drug: str, route: str, random: object) -> None:
    shuffled = "".join(c.upper() if i % 3 else c.lower() for i, c in enumerate(drug))
    assert map_drug(drug, route, 5) == map_drug(shuffled, route.lower(), 5)
    assert map_drug(f"  {drug} ", route, 5) == map_drug(drug, route, 5)


@given(st.sampled_from(NAMES))
def test_strength_and_form_change_nothing(name: str) -> None:
    assert read_drug(f"*NF* {name} HCl (500 mg) Tablet").ingredients == read_drug(name).ingredients


@given(st.sampled_from([None, *ROUTE_GROUPS]))
def test_a_route_stays_without_a_form(group: str | None) -> None:
    assert effective_group(group, ["morphine", "10", "mg"]) == group  # type: ignore[arg-type]


def test_routes_are_read_in_any_case() -> None:
    assert route_group("iv drip") == route_group(" IV  DRIP ") == "iv"
    assert route_group("nowhere") is None


# --- the table against the index ------------------------------------------------------------------------------------


def coded() -> list[Row]:
    return [row for row in table_rows("drugs.csv") if row["atc"]]


def single(ingredient: Ingredient) -> bool:
    return len(ingredient.parts) == 1 and bool(ingredient.codes)


def test_the_formulary_is_large_enough() -> None:
    ingredients = list(drug_table().ingredients.values())
    medicines = [
        i
        for i in ingredients
        if single(i) and not all(c[0] == "V" or c[:3] == "J07" for c in i.codes.values())
    ]
    assert len(medicines) >= 900
    assert len({code for i in medicines for code in i.codes.values()}) >= 1_000


def test_the_notice_cites_the_owner_of_the_codes() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    assert "WHO Collaborating Centre for Drug Statistics Methodology (WHOCC)" in notice
    assert "https://www.whocc.no/" in notice and "non-commercial, with attribution" in notice


def test_the_index_itself_is_not_shipped() -> None:
    """The project holds what hospital formularies use, in its own words, and not a copy of WHOCC's index."""
    shipped = {row["atc"] for row in coded()}
    assert len(shipped) < 2_600
    assert not [path for path in ROOT.joinpath("assets").rglob("*") if path.name == "who_atc_index.csv"]


def test_every_code_exists_and_names_its_ingredient(index: dict[str, str]) -> None:
    table = drug_table()
    assert [row for row in coded() if row["atc"] not in index] == []
    wrong = []
    for row in coded():
        if len(row["atc"]) < 7:
            continue  # ATC has no level 5 there; the group's own name says what it holds
        ingredient = table.ingredients[row["ingredient"]]
        official = index[row["atc"]]
        if row["index_name"]:
            same = row["index_name"] == official
        else:
            same = tokens(official) in {tokens(name) for name in (ingredient.name, *ingredient.synonyms)}
        if not same:
            wrong.append((row["ingredient"], row["atc"], official))
    assert wrong == []


def test_the_deepest_level_is_used(index: dict[str, str]) -> None:
    """Level 4 stands only where the index has no fifth level that names the ingredient."""
    below: dict[str, set[tuple[str, ...]]] = {}
    for code, name in index.items():
        below.setdefault(code[:5], set()).add(tokens(name))
    table = drug_table()
    shallow = [row for row in coded() if len(row["atc"]) == 5]
    missed = [
        (row["ingredient"], row["atc"])
        for row in shallow
        if below[row["atc"]]
        & {tokens(n) for n in (row["ingredient"], *table.ingredients[row["ingredient"]].synonyms)}
        and any(len(code) == 7 and code.startswith(row["atc"]) for code in index)
    ]
    assert missed == []


def test_other_drugs_are_seldom_taken_for_ours(index: dict[str, str]) -> None:
    """Official names outside our table stay unmapped, but for a few a letter or two away."""
    table = drug_table()
    names = {
        name
        for code, name in index.items()
        if len(code) == 7 and tokens(name) not in table.phrases and " and " not in name
    }
    sample = sorted(names)[::4]
    guessed = [n for n in sample if (reading := read_drug(n)).ingredients and reading.method != "name"]
    assert len(sample) > 400
    assert len(guessed) <= len(sample) * 0.03, guessed


# --- the open demo ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo_orders(mimic3demo: Path) -> Counter[tuple[str, str, str]]:
    with gzip.open(mimic3demo / "PRESCRIPTIONS.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        return Counter((r["drug"], r["route"], r["drug_type"]) for r in csv.DictReader(stream))


def test_the_demo_maps(demo_orders: Counter[tuple[str, str, str]]) -> None:
    mapped = {order: (n, *map_order(*order, 3)) for order, n in demo_orders.items()}
    total = sum(n for n, reason, _ in mapped.values() if reason is None)
    unmapped = {order: n for order, (n, reason, matches) in mapped.items() if reason is None and not matches}
    assert total > 7_000
    assert sum(unmapped.values()) <= 0.02 * total, unmapped


def test_judged_by_hand(demo_orders: Counter[tuple[str, str, str]]) -> None:
    """200 pairs drawn from the demo, judged one by one: the mapper still gives what was judged, 98 % rightly."""
    judged = rows(DATA / "judged_drugs.csv")
    real = {(drug.strip(), route) for drug, route, _ in demo_orders}
    assert len({(r["drug"], r["route"]) for r in judged}) == 200
    assert {(r["drug"], r["route"]) for r in judged} <= real
    assert [r for r in judged if codes(r["drug"], r["route"]) != r["expected"]] == []
    assert {r["verdict"] for r in judged} <= {"correct", "doubtful", "wrong"}
    assert sum(r["verdict"] == "correct" for r in judged) >= 196


def test_the_synthetic_hospitals_drugs_map() -> None:
    orders = [
        (name, row["route"], "MAIN")
        for row in rows(ROOT / "train" / "synthetic_hospital" / "knowledge" / "formulary.csv")
        for name in row["names"].split("|")
    ]
    assert [order for order in orders if not map_order(*order, 5)[1]] == []


# --- cost ---------------------------------------------------------------------------------------------------------


def test_twenty_thousand_distinct_orders_take_seconds() -> None:
    orders = [(f"{NAMES[i % len(NAMES)]} {i} mg", ROUTES[i % len(ROUTES)], "MAIN") for i in range(20_000)]
    started = time.process_time()
    _ = [map_order(*order, 3) for order in orders]
    assert time.process_time() - started < 4


def test_the_module_is_light() -> None:
    script = (
        "import sys, leader_core; before = set(sys.modules); import leader_core.terminology.drugs;"
        "print({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() in ("{'leader_core'}", "set()")

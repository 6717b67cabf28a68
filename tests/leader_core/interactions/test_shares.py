"""Which drugs a class means: counted over training orders, stored with the model, else typical use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leader_core import ArtifactError, Engine
from leader_core.cohort import Cohort
from leader_core.interactions.shares import (
    PRIOR,
    SHARES,
    DrugShares,
    count_shares,
    read_shares,
    typical_shares,
    write_shares,
)
from leader_core.model_folder import read_manifest
from train.evaluation.drug_shares import share_losses

DATABASE = """
CREATE TABLE patients (patient_id BIGINT, split VARCHAR);
CREATE TABLE orders (visit_id BIGINT, code VARCHAR, drug VARCHAR, route VARCHAR, orders INTEGER, patient_id BIGINT);
INSERT INTO patients VALUES (1, 'train'), (2, 'test');
INSERT INTO orders VALUES
    (10, 'B01A', 'Warfarin', 'PO', 9, 1),
    (10, 'B01A', 'Coumadin 5 mg', 'PO', 1, 1),
    (10, 'B01A', 'Heparin', 'IV', 1, 1),
    (11, 'B01A', 'Warfarin', 'PO', 1, 1),
    (11, 'B01A', 'study thing', 'PO', 1, 1),
    (20, 'B01A', 'Cilostazol', 'PO', 1, 2);
"""

VISITS = """
CREATE TABLE patients AS SELECT i AS patient_id, if(i < 40, 'train', 'validation') AS split FROM range(50) AS t(i);
CREATE TABLE visits AS
SELECT 2 * i + j AS visit_id, i AS patient_id, j + 1 AS visit_no FROM range(50) AS t(i), range(2) AS s(j);
CREATE TABLE visit_codes (visit_id BIGINT, kind VARCHAR, position INTEGER, concept_id INTEGER);
CREATE TABLE concepts (concept_id INTEGER, code VARCHAR);
CREATE TABLE orders AS
SELECT visit_id, patient_id, 'B01A' AS code, if(patient_id % 2 = 0, 'Warfarin', 'Heparin') AS drug, '' AS route
FROM visits;
"""


def test_a_drug_counts_once_for_each_training_visit_of_the_class() -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(DATABASE)
        shares = count_shares(connection, 3, "hospital")
    drugs = {drug.name: drug for drug in shares.of("B01A")}
    assert {name: drug.share for name, drug in drugs.items()} == {"warfarin": 0.5, "heparin": 0.25}
    assert sum(drug.share for drug in drugs.values()) == 0.75  # a quarter of the orders named no drug
    assert drugs["heparin"].routes == {"iv": 1.0}
    assert "hospital" in shares.label


def test_without_counts_the_typical_use_of_the_class_is_taken_and_said() -> None:
    shares = typical_shares(3)
    drugs = {drug.name: drug.share for drug in shares.of("B01A")}
    assert sum(drugs.values()) == pytest.approx(1)
    assert drugs["warfarin"] > 5 * drugs["cilostazol"] > 0
    assert shares.label == PRIOR


def test_a_drug_is_its_own_only_share() -> None:
    (drug,) = typical_shares(5).of("B01AA03")
    assert (drug.name, drug.code, drug.share) == ("warfarin", "B01AA03", 1.0)


def test_shares_come_back_from_a_models_folder_as_they_were(tmp_path: Path) -> None:
    shares = DrugShares(3, {"B01A": typical_shares(3).of("B01A")[:2]}, "counted")
    write_shares(tmp_path, shares)
    assert read_shares(tmp_path) == shares
    (tmp_path / SHARES).write_text(json.dumps({"format": 1}))
    with pytest.raises(ArtifactError, match="not readable"):
        read_shares(tmp_path)


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_the_demo_models_carry_the_shares_of_their_training_orders(
    name: str, demo_cohort: Path, demo_models: Path
) -> None:
    cohort = Cohort.open(demo_cohort)
    assert SHARES in read_manifest(demo_models / name).files
    assert read_shares(demo_models / name) == cohort.drug_shares()
    engine = Engine.open(demo_cohort, demo_models, "cpu")
    assert "in the training visits of Synthetic hospital" in engine.shares.label


def test_the_losses_compare_plain_frequency_with_conditional_forms() -> None:
    import duckdb

    class Reading:
        """Patients who get warfarin or heparin at random, and at the next visit the same again."""

        def reader(self) -> duckdb.DuckDBPyConnection:
            connection = duckdb.connect()
            connection.execute(VISITS)
            return connection

    losses = share_losses(Reading())  # type: ignore[arg-type]
    assert losses is not None
    assert (losses.orders, losses.repeated) == (20, 10)
    assert losses.plain == pytest.approx(0.7, abs=0.05)  # two equally likely drugs
    assert losses.by_visit_before_repeated is not None
    assert losses.by_visit_before_repeated < 0.1 < losses.by_visit_before < losses.plain
    assert losses.weight_before > 0.8

"""Data that several tests share: the real demo tables and reference files where they lie, and small synthetic cohorts.

What is built here is built once a session, for all worker processes, through the commands that users run.
"""

from __future__ import annotations

import csv
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the tests start Python a hundred times: compile once
sys.dont_write_bytecode = False

settings.register_profile("leader", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("leader")

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"
SYNTHETIC_PATIENTS = 150
collect_ignore = ["soak"]  # driven by `python -m tests.soak`
SLOW = (
    "tests/train/test_distributed.py",
    "tests/test_atc_level5.py",
    "tests/train/teacher/test_teacher_training.py",
    "tests/leader_core/test_icd_meaning.py",
    "tests/train/synthetic_hospital/test_synthesize.py",
    "tests/train/benchmark/test_benchmark.py",
)


@pytest.fixture(scope="session")
def mimic3demo() -> Path:
    """Raw tables of the open MIMIC-III demo."""
    return _shared_data("mimic3demo", "the open MIMIC-III demo")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Reference files to check our tables against."""
    return _shared_data("reference", "the folder of reference files")


@pytest.fixture(scope="session")
def index(reference: Path) -> dict[str, str]:
    """ATC code to name, as WHO lists them."""
    with (reference / "who_atc_index.csv").open(encoding="utf-8", newline="") as stream:
        return {row["code"]: row["name"] for row in csv.DictReader(stream)}


@pytest.fixture(scope="session")
def synthetic_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw tables of a small synthetic hospital in MIMIC-III's layout."""
    return _once(tmp_path_factory, "raw-mimic3", lambda out: _synthesize("mimic3", out))


@pytest.fixture(scope="session")
def synthetic_raw_mimic4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw tables of a small synthetic hospital in MIMIC-IV's layout."""
    return _once(tmp_path_factory, "raw-mimic4", lambda out: _synthesize("mimic4", out))


@pytest.fixture(scope="session")
def synthetic_cohort(tmp_path_factory: pytest.TempPathFactory, synthetic_raw: Path) -> Path:
    """The cohort database of the small MIMIC-III-like hospital."""
    return _once(tmp_path_factory, "synthetic3.duckdb", lambda out: _cohort(synthetic_raw, "mimic3", out))


@pytest.fixture(scope="session")
def synthetic_cohort_mimic4(tmp_path_factory: pytest.TempPathFactory, synthetic_raw_mimic4: Path) -> Path:
    """The cohort database of the small MIMIC-IV-like hospital."""
    return _once(
        tmp_path_factory, "synthetic4.duckdb", lambda out: _cohort(synthetic_raw_mimic4, "mimic4", out)
    )


@pytest.fixture(scope="session")
def real_cohort(tmp_path_factory: pytest.TempPathFactory, mimic3demo: Path) -> Path:
    """The cohort database of the open MIMIC-III demo: real patients."""
    return _once(tmp_path_factory, "mimic3demo.duckdb", lambda out: _cohort(mimic3demo, "mimic3", out))


@pytest.fixture(scope="session")
def real_cohort_mimic4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort database of the open MIMIC-IV demo: real patients."""
    raw = _shared_data("mimic4demo", "the open MIMIC-IV demo")
    return _once(tmp_path_factory, "mimic4demo.duckdb", lambda out: _cohort(raw, "mimic4", out))


@pytest.fixture(scope="session")
def demo_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort that the dashboard serves out of the box, which the shipped models were trained on."""
    return _once(tmp_path_factory, "demo", build_demo_cohort) / "cohort.duckdb"


@pytest.fixture(scope="session")
def demo_models() -> Path:
    """The models that ship with the repository."""
    folder = ROOT / "assets" / "demo" / "models"
    if not (folder / "student" / "manifest.json").is_file():
        pytest.skip(f"the demo models are not in {folder}: `make demo-models` builds them")
    return folder


@pytest.fixture(scope="session")
def browser_path() -> Path:
    """The browser that journeys drive; without one they skip, but fail where CI must have it."""
    from tests.browser import chromium

    path = chromium.find()
    if path is None:
        (pytest.fail if chromium.required() else pytest.skip)(chromium.ABSENT)
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files come first, so that workers end together; tests marked `gpu` skip without a CUDA device."""
    items.sort(key=lambda item: not item.path.as_posix().endswith(SLOW) and "browser" not in item.keywords)
    marked = [item for item in items if "gpu" in item.keywords]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def _shared_data(name: str, what: str) -> Path:
    folder = SHARED_DATA / name
    if not folder.is_dir():
        pytest.skip(f"{what} is not next to the project: {folder}")
    return folder


def _once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], None]) -> Path:
    """Build `name` in a folder that all worker processes share, unless another has done so."""
    base = factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    path = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            build(path)
    return path


def _run(*words: str) -> None:
    from train.cli import call, parse
    from train.console import Report

    call(parse(list(words)), Report(quiet=True))


def build_demo_cohort(folder: Path) -> None:
    """Build the demo cohort as `folder/cohort.duckdb`."""
    _run("demo", "--build", str(folder))


def _synthesize(layout: str, out: Path) -> None:
    patients = str(SYNTHETIC_PATIENTS)
    _run("synthesize", "--layout", layout, "--patients", patients, "--seed", "7", "--out", str(out))


def _cohort(raw: Path, source: str, out: Path) -> None:
    _run("cohort", "--source", source, "--raw", str(raw), "--out", str(out))

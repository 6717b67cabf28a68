"""Coverage-guided fuzzing of everything that reads what comes from outside: nothing but an error of ours may come of it.

    python -m tests.soak.fuzz PARSER SECONDS FOLDER

One parser a process, by Atheris (libFuzzer over instrumented bytecode), for so many seconds of processor time: a busy machine
takes longer and executes as much. Failures go to `FOLDER/failures.jsonl`, one line for each place that one comes from, and the
run goes on; `FOLDER/done.json` counts the executions. The seeds are the tests' own files; besides libFuzzer's changes of
bytes, pieces of a text are dropped, repeated, exchanged and replaced by awkward values.
"""

from __future__ import annotations

import base64
import json
import math
import os
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import atheris

# Atheris 3.0 never frees the result of a comparison that it traces: of arrays, as in the two, a megabyte an execution.
with atheris.instrument_imports(
    include=["leader_core"], exclude=["leader_core.search.matching", "leader_core.search.words"]
):
    from leader_core import LeaderError
    from leader_core.cohort import Cohort, PatientQuery
    from leader_core.cohort.build import build_cohort
    from leader_core.cohort.ndc import parse_ndc_map
    from leader_core.exchange.case_json import case_to_record, read_case_file
    from leader_core.exchange.code_lists import read_diagnoses, read_drugs
    from leader_core.exchange.fhir import read_fhir
    from leader_core.exchange.paste import read_list
    from leader_core.terminology.drug_names import nearest_names, read_drug

from tests import raw_tables
from tests.conftest import ROOT
from tests.fakes import FakeCohort
from tests.fhir_as_xml import as_xml
from tests.synthea_like import bundle

SLOW = 5.0  # seconds of processor time for one input of at most LONGEST bytes, instrumented
LONGEST = 24_000
DATA, CASES = ROOT / "tests" / "data", ROOT.parent / "shared" / "cases"
AWKWARD = (
    b"", b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"9" * 400, b"{}", b"[]", b"[" * 2000, b'"', b"'", b"\\ud800",
    b"\\u0000", b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n\n", b";", b"\t", b"%", b"_", b"*", b"(", b"<", b"&#0;", b"&amp;",
    b"0001-01-01", b"9999-12-31T23:59:59+14:00", b"2020-02-30", b"urn:uuid:", b"#", b"../..", "İß\u202e\u0301ﬃ".encode(),
)  # fmt: skip
PIECES = re.compile(rb"[A-Za-z0-9_.:/-]+|\s+|[^\s]")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _pasted(data: bytes) -> None:
    for kind in ("diagnosis", "procedure", "medication"):
        read_list(_text(data), kind, FAKE)  # type: ignore[arg-type]
    read_diagnoses(_text(data))


def _drugs(data: bytes) -> None:
    read_drug(_text(data))
    nearest_names(_text(data))
    read_drugs(_text(data))


def _search(folder: Path) -> Callable[[bytes], None]:
    raw = raw_tables.write(folder / "raw", raw_tables.mimic4())
    cohort = Cohort.open(build_cohort(raw, folder / "cohort.duckdb").path)

    def search(data: bytes) -> None:
        text = _text(data)
        cohort.read_search(text)
        rows = cohort.patients(PatientQuery(text=text)).rows
        cohort.match_reasons(text, [row.patient_id for row in rows])
        cohort.search(text)

    return search


FAKE: Any = FakeCohort()
PARSERS: dict[str, Callable[[Path], Callable[[bytes], object]]] = {
    "fhir_json": lambda _: lambda data: read_fhir(data, FAKE),
    "fhir_xml": lambda _: lambda data: read_fhir(b"<" + data.lstrip().removeprefix(b"<"), FAKE),
    "case_json": lambda _: read_case_file,
    "pasted_lists": lambda _: _pasted,
    "ndc_map": lambda _: lambda data: parse_ndc_map(data, "map.csv", 3),
    "search": _search,
    "drug_names": lambda _: _drugs,
}


def seeds(parser: str) -> list[bytes]:
    """What the changes begin from."""
    bundles = [json.loads(path.read_bytes()) for path in sorted((CASES / "fhir").glob("*.json"))]
    bundles = [each for each in [json.loads((DATA / "fhir_bundle.json").read_bytes()), *bundles, bundle(1, stays=1)]
               if isinstance(each, dict)]  # fmt: skip
    lists = [line.split(",")[-1].encode() for line in (DATA / "ward_lists.csv").read_text().splitlines()]
    drugs = [line.split(",")[0].encode() for line in (DATA / "drug_strings.csv").read_text().splitlines()]
    return {
        "fhir_json": [json.dumps(each, separators=(",", ":")).encode() for each in bundles],
        "fhir_xml": [as_xml(each) for each in bundles],
        "case_json": [json.dumps(case_to_record(FAKE.case(row.patient_id), identified=True)).encode()
                      for row in FAKE.patients(PatientQuery(page_size=20)).rows],
        "pasted_lists": [*lists, b"4280 4019 25000", b"I10, E11.9 and J44.9", b"ICD9:428.0; I50.9 - CHF",
                         b"icd_code,icd_version\n4280,9\nI10,10", b"warfarin 5 mg PO\nB01AA03", b"['4280', '4019']"],
        "ndc_map": [b"ndc,atc3\n00006494300,J07A\n0006-4943,J07AB01\n", b"NDC;RXCUI;ATC4\n1;2;A01A\n",
                    b"source\ttarget\n00006494300\tJ07A\n", "ndc,atc3\n1,A01A\n".encode("utf-16")],
        "search": [b"heart failure, over 70", b"CHF on warfarin", b"428.0; not diabetes", b'"atrial fibrillation"',
                   b"'; drop table x;--", b"patients with sepsis aged 40 to 60", b"10"],
        "drug_names": drugs,
    }[parser]  # fmt: skip


def mutator(vocabulary: list[bytes]) -> Callable[[bytes, int, int], bytes]:
    """A libFuzzer mutator: half the time its own, half the time one to four changes of whole pieces."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        pieces = PIECES.findall(data) or [b""]
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(pieces))
            end = at + min(dice.choice((1, 1, 2, 5, 30)), len(pieces) - at)
            kind = dice.randrange(5)
            if kind == 0 and len(pieces) > end - at:
                del pieces[at:end]
            elif kind == 1:
                pieces[at:at] = pieces[at:end]
            elif kind == 2:
                other = dice.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            else:
                pieces[at] = dice.choice(AWKWARD if kind == 3 else vocabulary)
        return b"".join(pieces)[:most]

    return mutate


def main(parser: str, seconds: str, place: str) -> None:
    """Fuzz one parser; the process ends with it."""
    folder = Path(place)
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    known = [data[:LONGEST] for data in seeds(parser)]
    for number, data in enumerate(known):
        (folder / "corpus" / f"seed{number}").write_bytes(data)
    read, places = PARSERS[parser](folder), set[str]()

    def report(where: str, data: bytes, what: Iterable[str]) -> None:
        if where not in places:
            places.add(where)
            line = {"where": where, "what": "".join(what)[-3000:], "input": base64.b64encode(data).decode()}
            with (folder / "failures.jsonl").open("a") as stream:
                stream.write(json.dumps(line) + "\n")

    executions, ready = 0, math.inf

    def one(data: bytes) -> None:
        nonlocal executions
        begun = time.process_time()
        if begun - ready > float(seconds):
            done = {"executions": executions, "seconds": round(begun - ready)}
            (folder / "done.json").write_text(json.dumps(done))
            os._exit(0)  # libFuzzer has no limit of processor time
        executions += 1
        try:
            read(data)
        except LeaderError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever else it is, is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            report(
                f"{type(error).__name__} {last.filename}:{last.lineno}",
                data,
                traceback.format_exception(error),
            )
        if (took := time.process_time() - begun) > SLOW:
            report("slow", data, [f"{took:.1f} s for {len(data)} bytes"])

    for data in known:
        one(data)
    ready = time.process_time()
    options = [f"-max_len={LONGEST}", "-timeout=1200", "-rss_limit_mb=3000"]
    vocabulary = sorted({piece for data in known for piece in PIECES.findall(data)})
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(folder / "corpus")], one,
                  custom_mutator=mutator(vocabulary))  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Writes the lock files in `tools/locks/` from the requirements files: every package, with the hashes of its files.

    make lock

`runtime.txt` is what the product runs with, next to `torch.txt`; `cuda.txt` what PyTorch's build for NVIDIA cards needs as
well, installed only with that build; `tests.txt` what the tests add. They hold for every platform and Python from 3.11.
Run again whenever a requirements file changes; a test fails until then.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "tools" / "locks"
OLDEST_PYTHON = "3.11"
CUDA = re.compile(r"(nvidia|cuda)-|triton==")


def main() -> int:
    """Write the lock files; the exit code."""
    runtime = _compiled(ROOT / "requirements.txt")
    torch = next(name for name in runtime if name.startswith("torch=="))
    lines = runtime.pop(torch)
    for digest in _local_hashes(torch):
        if digest not in lines:
            lines += f" \\\n    --hash=sha256:{digest}"
    _write("torch", {torch: lines})
    _write("runtime", {name: text for name, text in runtime.items() if not CUDA.match(name)})
    _write("cuda", {name: text for name, text in runtime.items() if CUDA.match(name)})
    tests = _compiled(ROOT / "tests" / "requirements.txt", "--constraints", str(LOCKS / "runtime.txt"))
    _write(
        "tests",
        {
            name: text
            for name, text in tests.items()
            if name not in runtime and name != torch and not CUDA.match(name)
        },
    )
    return 0


def _compiled(requirements: Path, *options: str) -> dict[str, str]:
    """`name==version` -> its lines of a lock, with hashes and the platforms that it is for."""
    words = ["uv", "pip", "compile", str(requirements), "--universal", "--python-version", OLDEST_PYTHON]
    words += ["--generate-hashes", "--no-annotate", "--no-header", "--quiet", *options]
    result = subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]], capture_output=True, text=True
    )
    if result.returncode != 0:
        raise SystemExit(f"error: {requirements.name} cannot be locked:\n{result.stderr}")
    entries = re.split(r"\n(?=\S)", result.stdout.strip())
    return {re.split(r" \\|$", entry, maxsplit=1, flags=re.MULTILINE)[0]: entry for entry in entries}


def _local_hashes(requirement: str) -> list[str]:
    """Hashes of the file that pip itself would take here: a machine may prefer a build of PyTorch for CPUs alone."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, requirement]
        subprocess.run([sys.executable, *words], check=True)
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(folder).iterdir()]


def _write(name: str, entries: dict[str, str]) -> None:
    text = "# Written by `make lock`; not by hand.\n" + "\n".join(entries.values()) + "\n"
    (LOCKS / f"{name}.txt").write_text(text, encoding="utf-8")
    print(f"tools/locks/{name}.txt: {len(entries)} packages", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

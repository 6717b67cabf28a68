"""Makes `.venv` and keeps its packages in step with the lock files in `tools/locks/`.

    python3 tools/environment.py [tests]

Packages are installed only where the locks changed since the last install, so that a second start is quick; every file that
is installed has a hash that stands in a lock. Written for any Python 3, because its first duty is to refuse one that is too
old; imports the standard library only.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "tools" / "locks"
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
STAMP = VENV / "installed.json"
TORCH, RUNTIME, CUDA, TESTS = "torch.txt", "runtime.txt", "cuda.txt", "tests.txt"
_NEEDS_CUDA = (
    "from importlib.metadata import requires; import sys; "
    "sys.exit(not any(name.startswith(('nvidia-', 'cuda-')) for name in requires('torch') or ()))"
)


def main(words):
    """Returns an exit code: 0 ready, 2 with one sentence on stderr."""
    if words not in ([], ["tests"]):
        return fail("Usage: python3 tools/environment.py [tests]")
    if sys.version_info < OLDEST:
        version = ".".join(str(n) for n in sys.version_info[:3])
        return fail(
            "LEADER needs Python %d.%d or newer, but %s is %s: install a newer one, "
            "or name it: make PYTHON=python3.12 run" % (OLDEST[0], OLDEST[1], sys.executable, version)
        )
    fresh = not works()
    if fresh:
        say("Making .venv with %s" % sys.executable)
        code = subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)])
        if code != 0 or not works():
            return fail(
                "%s could not make a virtual environment at %s: "
                "install Python's venv module (on Debian and Ubuntu the package python3-venv)."
                % (sys.executable, VENV)
            )
    names = [TORCH, RUNTIME, CUDA] + ([TESTS] if words else [])
    wanted = {name: hashlib.sha256((LOCKS / name).read_bytes()).hexdigest() for name in names}
    if not fresh and all(installed().get(name) == digest for name, digest in wanted.items()):
        return 0
    say("Installing the packages of tools/locks into .venv (the first time this takes some minutes)")
    if not install(names):
        return fail("The packages of tools/locks could not be installed: pip says why above.")
    STAMP.write_text(json.dumps(dict(installed(), **wanted), indent=2) + "\n", encoding="utf-8")
    return 0


def install(names):
    """Install the lock files' packages; what PyTorch's build for NVIDIA cards needs only where pip chose that build."""
    if not install_torch() or not locked(RUNTIME):
        return False
    if subprocess.call([str(BIN / "python"), "-c", _NEEDS_CUDA]) == 0 and not locked(CUDA):
        return False
    return TESTS not in names or locked(TESTS)


def install_torch():
    """Install PyTorch in the build that pip prefers on this machine, which may be one for CPUs alone.

    Given hashes at once, pip would rather take the index's build than another whose hash it only learns by reading it.
    """
    lines = (LOCKS / TORCH).read_text(encoding="utf-8").splitlines()
    requirement = next(line for line in lines if line.startswith("torch==")).split()[0]
    with tempfile.TemporaryDirectory() as folder:
        if not pip("download", "--no-deps", "--dest", folder, requirement):
            return False
        return locked(TORCH, "--no-index", "--find-links", folder)


def locked(name, *options):
    """Install one lock file's packages, each checked against its hashes."""
    return pip("install", "--require-hashes", "--no-deps", "-r", str(LOCKS / name), *options)


def pip(*words):
    """Run pip, leaving out what it says about packages that are there already; True on success."""
    command = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input"] + list(words)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, universal_newlines=True)
    for line in process.stdout:
        if not line.startswith("Requirement already satisfied"):
            say(line.rstrip())
    return process.wait() == 0


def works():
    """Whether `.venv` holds a Python that runs and is new enough."""
    try:
        check = "import pip, sys; sys.exit(sys.version_info < %r)" % (OLDEST,)
        return subprocess.call([str(BIN / "python"), "-c", check], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def installed():
    """The digests of the lock files that the last successful install was made from."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(text):
    say("error: " + text)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

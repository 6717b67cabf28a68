"""Makes `.venv` and keeps its packages in step with the requirements files.

    python3 tools/environment.py requirements.txt

Packages are installed only where the files' content changed since the last install, so that a second start is quick.
Written for any Python 3, because its first duty is to refuse one that is too old; imports the standard library only.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
STAMP = VENV / "installed.json"


def main(words):
    """Returns an exit code: 0 ready, 2 with one sentence on stderr."""
    if not words:
        return fail("Usage: python3 tools/environment.py REQUIREMENTS.txt")
    if sys.version_info < OLDEST:
        found = ".".join(str(n) for n in sys.version_info[:3])
        return fail(
            "LEADER needs Python %d.%d or newer, but %s is %s: install a newer one, "
            "or name it: make PYTHON=python3.12 run" % (OLDEST[0], OLDEST[1], sys.executable, found)
        )
    requirements = Path(words[0]).resolve()
    if not requirements.is_file():
        return fail("There is no requirements file %s." % requirements)
    fresh = not works()
    if fresh:
        say("Making .venv with %s" % sys.executable)
        made = subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)])
        if made != 0 or not works():
            return fail(
                "%s could not make a virtual environment at %s: "
                "install Python's venv module (on Debian and Ubuntu the package python3-venv)."
                % (sys.executable, VENV)
            )
    wanted = digests(requirements)
    if not fresh and all(installed().get(name) == digest for name, digest in wanted.items()):
        return 0
    say("Installing %s into .venv (the first time this takes some minutes)" % words[0])
    if not pip_install(requirements):
        return fail("The packages of %s could not be installed: pip says why above." % words[0])
    STAMP.write_text(json.dumps(dict(installed(), **wanted), indent=2) + "\n", encoding="utf-8")
    return 0


def pip_install(requirements):
    """Run pip, leaving out what it says about packages that are there already; True on success."""
    words = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", str(requirements)]
    process = subprocess.Popen([str(BIN / "python")] + words, stdout=subprocess.PIPE, universal_newlines=True)
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


def digests(requirements):
    """Name -> sha256 of a requirements file and of those it includes with `-r`."""
    text = requirements.read_text(encoding="utf-8")
    found = {requirements.relative_to(ROOT).as_posix(): hashlib.sha256(text.encode()).hexdigest()}
    for line in text.splitlines():
        if line.startswith("-r "):
            found.update(digests((requirements.parent / line[3:].strip()).resolve()))
    return found


def installed():
    """What the last successful install was made from."""
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

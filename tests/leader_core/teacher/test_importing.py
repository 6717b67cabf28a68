"""Threads that need a library at once all get it whole."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import threading
from leader_core.teacher.base import find_base, load_body
from leader_core.teacher.tokens import BaseTokenizer

failed = []
gate = threading.Barrier(4)

def use(first):
    gate.wait()
    try:
        files = find_base("minilm")
        BaseTokenizer(files, "base") if first else load_body(files, __import__("torch").float32)
    except BaseException as error:
        failed.append(repr(error))

threads = [threading.Thread(target=use, args=(i % 2,)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed)
"""


def test_threads_that_import_at_once_get_whole_libraries() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr

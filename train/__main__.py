"""`python -m train COMMAND`."""

import os
import signal
import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:
        from leader_core.interrupts import set_up_interrupts

        set_up_interrupts(signal.SIGINT, signal.SIGTERM)
        from train.cli import main

        code = main()
    except KeyboardInterrupt:  # while it was still importing
        print("interrupted before anything was done", file=sys.stderr)  # noqa: T201
        code = INTERRUPTED
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # libraries that were stopped halfway would complain while Python takes them down
    raise SystemExit(code)

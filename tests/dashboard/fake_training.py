"""Stands in for `python -m train student` in page tests: takes its options and does what the run's seed says.

Seed 1 finishes with the model folder that FAKE_MODEL names; 2 fails with a sentence; 3 works until it is stopped;
4 dies of a signal; 5 ends without a word.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import tomllib
from pathlib import Path


def main() -> int:
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    settings = tomllib.loads(Path(given["--config"]).read_text(encoding="utf-8"))
    seed, epochs = settings["seed"], settings["student"]["training"]["epochs"]
    out = Path(given["--out"])
    if seed == 4:
        os.kill(os.getpid(), 9)
    if seed == 5:
        return 3
    with Path(given["--progress"]).open("a", encoding="utf-8") as file:

        def tell(event: str, **values: object) -> None:
            file.write(json.dumps({"event": event, **values, "time": time.time()}) + "\n")
            file.flush()

        tell("started", epochs=epochs, distilled="--states" in given, training_cases=64, validation_cases=8)
        for epoch in range(1, epochs + 1):
            tell("epoch", epoch=epoch, of=epochs, loss=1 / epoch, prauc=0.5 + 0.05 * epoch, seconds_left=9.0)
            if seed == 2 and epoch == 2:
                print("error: The loss became nan in epoch 2. Lower learning_rate.", file=sys.stderr)
                return 2
        out.with_name("model.training.safetensors").write_text("half")
        while seed == 3:
            time.sleep(0.05)
        shutil.copytree(os.environ["FAKE_MODEL"], out)
        tell("finished")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

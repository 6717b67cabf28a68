"""What each of two launched processes does for `test_processes`: the real commands, under DDP and then under FSDP."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml
from accelerate.state import AcceleratorState
from torch.distributed import barrier, destroy_process_group

from train.cli import main
from train.config import CONFIGS
from train.teacher import loop, states

SHARD = 60


def commands(folder: Path, cohort: str, config: str) -> None:
    """Train a teacher and write states of the one in `alone`, into `folder`."""
    common = ["--cohort", cohort, "--config", config, "--device", "cpu", "--json"]
    assert main(["teacher", *common, "--out", str(folder / "teacher")]) == 0
    alone = folder.parent / "alone" / "teacher"
    assert main(["states", *common, "--teacher", str(alone), "--out", str(folder / "states")]) == 0


def killed_at_step(stop: int, out: Path, cohort: str, config: str) -> None:
    """Leave what a teacher's training leaves that is interrupted before a step."""
    step = loop.TeacherTrainer._step

    def killed(self: Any, optimizer: Any, trained: Any, number: int) -> float:
        if number == stop:
            raise KeyboardInterrupt
        return step(self, optimizer, trained, number)

    loop.TeacherTrainer._step = killed  # type: ignore[method-assign]
    words = ["teacher", "--cohort", cohort, "--config", config, "--device", "cpu", "--out", str(out)]
    assert main(words) == 130


if __name__ == "__main__":
    root, cohort, config = sys.argv[1:]
    states.SHARD = SHARD
    commands(Path(root) / "ddp", cohort, config)
    AcceleratorState._reset_state()
    options = yaml.safe_load((CONFIGS / "accelerate" / "fsdp.yaml").read_text(encoding="utf-8"))[
        "fsdp_config"
    ]
    os.environ["ACCELERATE_USE_FSDP"] = "true"  # as the launcher passes that file on
    os.environ |= {name.upper(): str(value).lower() for name, value in options.items()}
    commands(Path(root) / "fsdp", cohort, config)
    killed_at_step(3, Path(root) / "killed" / "teacher", cohort, config)
    barrier()  # neither leaves while the other still speaks
    destroy_process_group()

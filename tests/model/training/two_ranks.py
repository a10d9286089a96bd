"""One process of a training of two: `python -m torch.distributed.run … two_ranks.py DATA OUT CONFIG [STAGE:STEP:HOW]`.

CONFIG is the config.json of a run. At STAGE:STEP, rank 1 hangs or dies: HOW is hang or die. Or both write how many
weights each of them has of the network that the stage started from, and of the one that it trains: HOW is look.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from avw.avw4k.reading.dataset import open_dataset
from avw.model.av_cdit import AvCditConfig
from avw.model.training import stage as stages
from avw.model.training import train as training
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.config_file import from_file
from avw.model.training.ranks import launched
from avw.model.training.sharding import local
from avw.model.training.train import train
from avw.sim_bridge.errors import AvwError

torch.set_num_threads(1)
data, out, config = Path(sys.argv[1]), Path(sys.argv[2]), from_file(TrainConfig(net=AvCditConfig()), Path(sys.argv[3]))
if len(sys.argv) > 4:
    stage, step, how = sys.argv[4].split(":")
    config = replace(config, rank_timeout=20.0)
    computed, run_stage, started = stages.gradients, training.run_stage, []

    def remembered(net, *more, **options):  # type: ignore[no-untyped-def]
        started[:] = [net]
        run_stage(net, *more, **options)

    def held(net) -> int:  # type: ignore[no-untyped-def]
        return sum(local(p).numel() for p in net.parameters() if p.device.type != "meta")

    def gradients(loss, parts, at):  # type: ignore[no-untyped-def]
        if how == "look" and (loss.stage, at) == (stage, int(step)):
            (out / f"rank-{launched()[0]}.held").write_text(f"{held(started[0])} {held(loss)}")
        elif launched()[0] == 1 and getattr(loss, "module", loss).stage == stage and at == int(step):
            if how == "hang":
                time.sleep(60)
            os.kill(os.getpid(), signal.SIGKILL)
        return computed(loss, parts, at)

    stages.gradients, training.run_stage = gradients, remembered
try:
    train(open_dataset(data), out, config)
except AvwError as error:
    sys.exit(f"rank {launched()[0]}: {error}")

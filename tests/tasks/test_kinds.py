"""A kind of one's own: a class with a name is chosen, trained, scored and shown as those that the folders hold."""

import json
import subprocess
import sys

import numpy as np
import pytest

from sparta_core.training.records import open_record

KINDS = '''
import json, sys
import torch
from sparta_core.tasks.embeddings import embed
from sparta_core.training.cached import cached
from sparta_core.tasks.diffusion import Diffusion, Drawn, train_denoiser
from sparta_core.tasks.diffusion.sampling import sample
from sparta_core.tasks.diffusion.scores import draw_scores, rows
from sparta_core.tasks.season import Classifier
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation

class Tomorrow(Drawn, name="tomorrow"):
    """The day after the sparse."""
    learns_from = "downstream_train"

    def pairs(self, record, model):
        def pairs(part, generator):
            days = record.split(f"downstream_{part}")
            return embed(model, days[1:]), embed(model, days[:-1], 0.7, generator)
        return pairs

    def score(self, experiment):
        record, generator = open_record(experiment), torch.Generator().manual_seed(0)
        days = torch.as_tensor(record.splits["downstream_test"])
        def score():
            shown = embed(representation(experiment), record.take(days - 1), 0.7, generator)
            drawn = sample(train_denoiser(experiment), experiment, shown, generator)
            return draw_scores(experiment, days, shown, drawn)
        return cached(run_of(experiment, Diffusion.name), "tomorrow.nc", Diffusion.name, score, rows(experiment))

class Winter(Classifier, name="winter"):
    """Every day is a day of winter."""

    def state(self, model):
        return {}

    def logits(self, model, state, days, ratio=0.0, generator=None):
        return torch.tensor([9.0, 0.0, 0.0, 0.0]).expand(len(days), 4)
'''
USE = '''
from sparta_core.experiment import Experiment
from sparta_core.tasks import task_of
experiment = Experiment(**json.loads(sys.argv[1]), diffusion_of="tomorrow", classifier="winter")
made = {}
for name in ("diffusion", "classification"):
    task = task_of(experiment, name)
    task.train(experiment)
    made[name] = json.loads(task.score(experiment).attrs["rows"])
print(json.dumps(made))
'''


def test_kinds_of_ones_own_are_trained_and_scored(tiny):
    assert len(KINDS.splitlines()) < 50  # both of them
    short = dict.fromkeys(("pretrain_epochs", "blend_epochs", "decoder_epochs", "diffusion_epochs"), 1)
    experiment = tiny(**short, diffusion_widths=(8, 4), draws=2, sampler="ddim", quick_steps=2)
    done = subprocess.run([sys.executable, "-c", KINDS + USE, json.dumps(experiment.given)], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    record = open_record(experiment)
    test = record.splits["downstream_test"]
    share = float(np.mean(record.season[test.start : test.stop] == 0))
    assert {metric: value for _, _, metric, value in rows["classification"]}["accuracy"] == pytest.approx(share)
    drawn = {metric: value for _, setup, metric, value in rows["diffusion"] if setup == "mask0.7"}
    assert np.isfinite(list(drawn.values())).all()
    assert set(drawn) == {"rrmse_percent", "direct_rrmse_percent", "std", "conditional_std", "latent_density",
                          "realism", "ssim_percent", "psnr_db", "spread_skill"}  # fmt: skip

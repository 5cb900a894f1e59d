"""Late fusion through all stages: every encoder trains, nothing frozen moves, tasks take the embedding."""

import pytest
import torch

from sparta_core.tasks.forecast.windows import forecast_embeddings
from sparta_core.training.fit import fabric_of
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import fresh
from tests.stages import OBJECTIVES, STAGES

LATE = ("attention", "gnn", "hybrid")
SETTINGS = dict.fromkeys(("pretrain_epochs", "blend_epochs", "decoder_epochs", "forecast_epochs"), 1)


@pytest.mark.parametrize("fusion", LATE)
def test_all_stages_and_a_forecast(tiny, fusion):
    experiment = tiny(fusion=fusion, **SETTINGS)
    before = fresh(experiment, "pretrain").encoder.state_dict()
    first, second, third = (STAGES[name](experiment) for name in ("pretrain", "blend", "decoder"))
    still = [key for key, value in first.encoder.state_dict().items() if torch.equal(value, before[key])]
    assert not still
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=False))
    for a, b in zip(second.encoder.state_dict().values(), third.encoder.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert forecast_embeddings(experiment, 0).shape[1:] == (experiment.leads, experiment.embedding)


@pytest.mark.parametrize("fusion", LATE)
def test_a_step_in_bf16_is_close_to_float32(tiny, fusion):
    """Fabric's autocast reaches the fused encoder: one stage-one loss in either precision, gradients finite."""
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        experiment = tiny(fusion=fusion, precision=precision)
        model, fabric = fresh(experiment, "pretrain"), fabric_of(experiment, run_of(experiment, "pretrain"))
        for part, module in model.parts.items():
            setattr(model, part, fabric.setup_module(module))
        objective = OBJECTIVES["pretrain"](open_record(experiment), model)
        generator = torch.Generator().manual_seed(0)
        loss = objective.losses(objective.load(objective.batches("train", generator)[0]), 0, generator)["loss"]
        fabric.backward(loss)
        assert all(torch.isfinite(p.grad).all() for p in model.encoder.parameters() if p.grad is not None)
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_validation_of_late_fusion_has_the_cycle_term(tiny):
    """The authors' validation leaves it out for early fusion only (SPEC, section 10)."""
    experiment = tiny(fusion="gnn", blend_decay=0.1)
    objective = OBJECTIVES["blend"](open_record(experiment), fresh(experiment, "blend"))
    generator = torch.Generator().manual_seed(0)
    losses = objective.losses(objective.load(objective.batches("train", generator)[0]), 3, generator)
    assert torch.equal(losses["monitored"], losses["loss"])

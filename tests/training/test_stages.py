"""The stages: what trains and what is frozen in each, and the losses against SPEC's sums written out."""

from math import exp

import pytest
import torch

from sparta_core.losses import cycle_consistency, nt_xent, reconstruction
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import fresh, representation, stage_of
from tests.stages import OBJECTIVES, STAGES

TRAINED = {
    "autoencoder": {"encoder", "decoder"}, "pretrain": {"encoder", "projector"},
    "blend": {"encoder", "projector", "decoder"}, "decoder": {"decoder"},
}  # fmt: skip


def objective_of(experiment, stage):
    objective = stage_of(experiment, stage).objective(open_record(experiment), fresh(experiment, stage))
    assert type(objective) is OBJECTIVES[stage]
    return objective


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("hard_negatives", [True, False])
@pytest.mark.parametrize("cycle_weight", [0.0, 1.0])
def test_gradients_reach_what_trains_and_nothing_else(tiny, stage, hard_negatives, cycle_weight):
    """At epoch 5, where no weight of the blend is 0."""
    objective = objective_of(tiny(hard_negatives=hard_negatives, cycle_weight=cycle_weight), stage)
    batch = objective.batches("train", generator())[0]
    objective.losses(objective.load(batch), 5, generator())["loss"].backward()
    for name, module in objective.modules.items():
        for key, parameter in module.named_parameters():
            if name in TRAINED[stage]:
                assert parameter.grad is not None and parameter.grad.abs().sum() > 0, (name, key)
            else:
                assert parameter.grad is None and not parameter.requires_grad, (name, key)


def test_stage_three_leaves_the_encoder_as_it_was(tiny):
    experiment = tiny()
    before, after = STAGES["blend"](experiment), STAGES["decoder"](experiment)
    for key, value in before.encoder.state_dict().items():  # running statistics included
        assert torch.equal(value, after.encoder.state_dict()[key]), key
    moved = [not torch.equal(a, b) for a, b in
             zip(before.decoder.parameters(), after.decoder.parameters(), strict=True)]  # fmt: skip
    assert all(moved)


def test_later_stages_start_from_the_earlier_ones(tiny, monkeypatch):
    """With nothing trained in them, stages 2 and 3 hand on the weights of stage 1 and 2."""
    from sparta_core.training import fit as fitting

    experiment = tiny(pretrain_epochs=1)
    first = STAGES["pretrain"](experiment)
    monkeypatch.setattr(fitting._Loop, "train", lambda self: None)
    second, third = STAGES["blend"](experiment), STAGES["decoder"](experiment)
    for earlier, later in ((first.encoder, second.encoder), (first.projector, second.projector),
                           (second.encoder, third.encoder), (second.decoder, third.decoder)):  # fmt: skip
        for a, b in zip(earlier.state_dict().values(), later.state_dict().values(), strict=True):
            assert torch.equal(a, b)


def test_trained_stages_come_back_frozen(tiny):
    model = STAGES["pretrain"](tiny())
    assert not model.training and not any(p.requires_grad for p in model.parameters())


def test_the_representation_follows_the_objective(tiny):
    e = tiny()
    for objective, stage in (("contrastive", "decoder"), ("autoencoder", "autoencoder")):
        made, expected = representation(e.replace(objective=objective)), STAGES[stage](e)
        assert all(torch.equal(a, b) for a, b in
                   zip(made.state_dict().values(), expected.state_dict().values(), strict=True))  # fmt: skip


@pytest.mark.parametrize("cycle_weight", [0.0, 2.0])
def test_stage_one_loss_written_out(tiny, cycle_weight):
    objective = objective_of(tiny(cycle_weight=cycle_weight), "pretrain")
    batch = objective.batches("train", generator())[0]
    losses = objective.losses(objective.load(batch), 0, generator(1))
    # The same draws, in the same order, from the same state of the generator.
    g, record, views = generator(1), objective.record, objective.views
    encoder, projector = objective.modules["encoder"], objective.modules["projector"]
    anchors, after, before = batch
    z = encoder(views.augmented(record.take(anchors), g))
    later, earlier = (encoder(views.augmented_sparse(record.take(days), g)) for days in (after, before))
    contrastive = (nt_xent(projector(z), projector(later), 0.3) + nt_xent(projector(z), projector(earlier), 0.3))
    cycle = (later - 2 * z + earlier).square().mean()
    assert float(losses["contrastive"]) == pytest.approx(contrastive.item(), rel=1e-5)
    assert float(losses["loss"]) == pytest.approx(float(contrastive + cycle_weight * cycle), rel=1e-5)


@pytest.mark.parametrize("epoch", [0, 7])
def test_stage_two_loss_is_the_blend(tiny, epoch):
    objective = objective_of(tiny(blend_decay=0.1), "blend")
    for module in objective.modules.values():
        module.eval()  # no dropout, so that the parts can be recomputed
    batch = objective.batches("train", generator())[0]
    loaded = objective.load(batch)
    losses = {k: float(v) for k, v in objective.losses(loaded, epoch, generator(1)).items()}
    alpha = exp(-0.1 * epoch)
    without = alpha * (losses["contrastive"] + losses["neighbours"]) + (1 - alpha) * losses["reconstruction"]
    assert losses["loss"] == pytest.approx(without + alpha * losses["cycle"], rel=1e-5)
    assert losses["monitored"] == pytest.approx(without, rel=1e-5)  # validation of early fusion: no cycle term
    _, positives = objective.contrast(loaded, generator(1))
    truths = (objective.record.values[days] for days in batch[1:])  # rebuilt to the whole days around the anchor
    parts = [reconstruction(objective.modules["decoder"](z), x) for z, x in zip(positives, truths, strict=True)]
    assert losses["neighbours"] == pytest.approx(float(sum(parts)), rel=1e-5)


def test_positives_are_equally_far_on_both_sides(tiny):
    """One to five days, nearer ones more often; a day's hard and soft negatives have positives of their own."""
    objective = objective_of(tiny(), "blend")
    days = torch.cat(objective.batches("train", generator()), dim=1)
    now, after, before = days
    assert torch.equal(after - now, now - before)
    counts = torch.bincount(after - now, minlength=6)
    expected = torch.exp(-0.1 * torch.arange(1, 6)) / torch.exp(-0.1 * torch.arange(1, 6)).sum()
    assert counts[0] == 0 and torch.allclose(counts[1:] / counts.sum(), expected, atol=4 * (0.25 / len(now)) ** 0.5)


def test_the_baseline_has_hard_negatives_whatever_the_ablation(tiny):
    experiment = tiny(hard_negatives=False)
    assert len(objective_of(experiment, "autoencoder").batches("train", generator())[0][0]) == 126
    assert len(objective_of(experiment, "pretrain").batches("train", generator())[0][0]) == 128


def test_reconstruction_is_validated_on_the_plain_mean_squared_error(tiny):
    experiment = tiny(autoencoder_epochs=1)
    STAGES["autoencoder"](experiment)
    history = run_of(experiment, "autoencoder").history()
    assert history["validation_loss"] == pytest.approx([5 * mse for mse in history["validation_mse"]], rel=1e-5)


def test_batches_never_leave_their_split(tiny):
    """Days, negatives and positives of training stay in the training days: later days cannot leak in."""
    objective = objective_of(tiny(), "pretrain")
    for part in ("train", "validation"):
        days = torch.cat(objective.batches(part, generator()), dim=1)
        split = objective.record.splits[part]
        assert days.min() >= split.start and days.max() < split.stop


def test_training_sees_no_later_day(tiny, weather, tmp_path):
    """Shuffling all days after training and validation changes no weight of any stage."""
    import xarray as xr

    data = xr.load_dataset(weather)
    late = int(0.8 * data.sizes["time"])
    shuffled = data.copy(deep=True)
    for name in data:
        shuffled[name][late:] = data[name].values[late:][::-1]
    path = tmp_path / "shuffled.nc"
    shuffled.to_netcdf(path, engine="h5netcdf")
    epochs = dict.fromkeys((f"{stage}_epochs" for stage in STAGES), 1)
    models = [STAGES["decoder"](tiny(data=str(p), runs=str(tmp_path / p.stem), **epochs)) for p in (weather, path)]
    for a, b in zip(*(model.state_dict().values() for model in models), strict=True):
        assert torch.equal(a, b)


def test_cycle_loss_sees_the_days_in_their_order(tiny):
    objective = objective_of(tiny(), "pretrain")
    batch = objective.batches("train", generator())[0]
    losses, (after, before) = objective.contrast(objective.load(batch), generator(1))
    anchors = objective.record.take(batch[0])
    now = objective.modules["encoder"](objective.views.augmented(anchors, generator(1)))
    assert float(losses["cycle"]) == pytest.approx(float(cycle_consistency(before, now, after)), rel=1e-5)

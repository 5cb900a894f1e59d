"""The paper's numbers as they are printed, and named as ours are."""

from sparta_core.data.published import published
from sparta_core.evaluation.scorecard import method
from sparta_core.experiment import Experiment


def test_numbers_of_the_paper():
    """A cell of its table 1, of table 6, and of its text on diffusion's spread."""
    table = published().set_index(["task", "model", "setup", "metric"]).value
    assert table["forecast", "autoencoder", "LB30_S1", "rrmse_percent_T25"] == 19.73
    assert table["diffusion", "sparta_gnn_hn_cycle", "mask0.7", "latent_density"] == 0.96
    assert table.index.is_unique and table.notna().all()


def test_every_variant_of_ours_that_the_paper_has_finds_its_numbers():
    models = set(published().model)
    for hard_negatives in (True, False):
        for cycle_weight in (0.0, 1.0):
            one = Experiment(hard_negatives=hard_negatives, cycle_weight=cycle_weight)
            assert method(one) in models
    for fusion in ("attention", "gnn"):
        assert method(Experiment(fusion=fusion)) in models
    assert method(Experiment(), "autoencoder") == "autoencoder"

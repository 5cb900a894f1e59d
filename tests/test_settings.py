"""Settings that go together or not: the globe's backbone, the linear path, and what forecasts with it."""

import pytest

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from tests.linear import LINEAR

NEEDS = "linear_path needs values at their places and what is observed: set mask_input=True, mask_grid='native'"
DYNAMICS = LINEAR | {"forecaster": "dynamics"}


@pytest.mark.parametrize(("changes", "message"), [
    ({"backbone": "unet"}, "backbone is 'unet'; choose one of: resnet18, globe, none"),
    ({"backbone": "none"}, "backbone is 'none', which leaves the linear path alone; set linear_path=True, or choose"),
    ({"decoder_backbone": "none"}, "decoder_backbone is 'none', which leaves the linear path alone; set linear_path="),
    ({"backbone": "globe", "width": 12}, "width is 12; the globe's norms have eight channels a group, so it must be a"),
    ({"backbone": "globe", "width": 4}, "it must be a multiple of 8"),
    ({"decoder_backbone": "globe", "width": 4}, "it must be a multiple of 8"),
    ({"linear_path": True}, NEEDS),
    (LINEAR | {"mask_input": False}, NEEDS),
    (LINEAR | {"mask_grid": "enlarged"}, NEEDS),
    (LINEAR | {"crop_from": (18, 36)}, "crop_from to view_size and smoothing=1"),
    (LINEAR | {"smoothing": 3}, "crop_from to view_size and smoothing=1"),
    (LINEAR | {"localisation": -1.0}, "localisation is -1.0; it must be at least 0"),
    ({"forecaster": "esn"}, "forecaster is 'esn'; choose one of: lstm, dynamics"),
    ({"forecaster": "dynamics"}, "forecaster is 'dynamics', whose maps are those of the linear path; set linear_path"),
    (DYNAMICS | {"forecast_hidden": 20}, "forecast_hidden is 20; the dynamics' norms have eight channels a group"),
])
def test_what_does_not_go_together_is_refused_in_one_sentence(changes, message):
    with pytest.raises(ExperimentError) as error:
        Experiment(**changes)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("changes", [
    {"backbone": "globe", "width": 16}, {"width": 12}, {"mask_input": True}, LINEAR, LINEAR | {"localisation": 0.0},
    LINEAR | {"backbone": "globe", "width": 8, "fusion": "gnn"}, DYNAMICS | {"forecast_hidden": 24},
    LINEAR | {"forecast_hidden": 20}, LINEAR | {"backbone": "none"},
    LINEAR | {"backbone": "globe", "width": 8, "decoder_backbone": "none"},
])
def test_what_goes_together_is_taken_as_it_is(changes):
    made = Experiment(**changes)
    assert {name: getattr(made, name) for name in changes} == changes


@pytest.mark.parametrize(("changes", "shared"), [
    ({"localisation": 4000.0}, set()), ({"linear_path": False}, set()), ({"backbone": "globe"}, set()),
    ({"forecaster": "dynamics"}, {"autoencoder", "decoder"}),
    ({"forecast_steps": 3}, {"autoencoder", "decoder", "forecast"}),  # of the dynamics, which the LSTM does not read
])
def test_models_are_shared_where_what_they_are_made_of_agrees(changes, shared):
    one = Experiment(**LINEAR)
    other = one.replace(**changes)
    assert {stage for stage in ("autoencoder", "decoder", "forecast")
            if one.digest(stage) == other.digest(stage)} == shared  # fmt: skip

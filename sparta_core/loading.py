"""Load a trained model from its file, on any machine: the file is all that it takes."""

import os
from pathlib import Path

from sparta_core.data.bundled import model_path
from sparta_core.errors import ExperimentError, RunError
from sparta_core.experiment import Experiment
from sparta_core.model import Model
from sparta_core.models.sparta import FORMAT
from sparta_core.tensors import unpacked
from sparta_core.training.device import prepare_process
from sparta_core.training.runs import reading


def load(path: str | os.PathLike[str] | None = None, device: str = "auto") -> Model:
    """Load a model from its file, or the representation from a run's.

    Args:
        path: What `Model.save` wrote, or a stage's model.safetensors; None: the model that comes with the package,
            `data.bundled.model_path()`, whose card lies beside it.
        device: What computes.

    Raises:
        RunError: For a file that is missing, cut short, changed, of another version, or of a task alone.
        DataError: If the installation lacks the package's model.

    Example:
        >>> load().experiment.preset
        'quickstart'
    """
    prepare_process()
    path = model_path() if path is None else Path(path)
    if not path.exists():
        raise RunError(f"there is no model at {path}; make one with Model.of(experiment).save(path)")
    with reading(path, "copy it again, or save it again where it was trained"):
        tensors, about = unpacked(path)
    if about.get("format") != FORMAT:
        raise RunError(f"{path} is no model that this version of sparta-core can read; save it again where it was "
                       "trained, with Model.of(experiment).save(path)")
    try:
        experiment = Experiment(**about["experiment"], device=device)
    except ExperimentError as error:
        raise RunError(f"{path} was saved by sparta-core {about.get('version', 'of another version')}, whose settings "
                       f"this version does not take ({error}); install that version, or save it again") from error
    with reading(path, "save it again where it was trained"):
        return Model(tensors, about, experiment)

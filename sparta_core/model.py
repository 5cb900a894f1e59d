"""Model: a trained representation and its tasks in one file, on anybody's days; xarray in and out."""

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import ArrayLike

from sparta_core import __version__
from sparta_core.card import card
from sparta_core.collected import collected
from sparta_core.data.given import Given, GivenDays, given_days, known
from sparta_core.data.given_errors import Errors, errors_of
from sparta_core.data.labelled import TIME, labelled
from sparta_core.data.reports import gridded_reports
from sparta_core.data.sample import Sample
from sparta_core.data.stations import Table
from sparta_core.errors import DataError, ExperimentError, cannot_write
from sparta_core.experiment import Experiment
from sparta_core.files import replace
from sparta_core.in_blocks import blocks_of, predicted
from sparta_core.models.sparta import Sparta
from sparta_core.observe.quality import Background, checked
from sparta_core.tasks import Task, task_of
from sparta_core.tensors import Tensors, named, packed, under
from sparta_core.training.device import prepare_process
from sparta_core.training.stages import frozen

TASKS = ("forecast", "classification")  # that a model holds unless others are named


class Model:
    """A representation, and what its tasks have learned on it: what a file holds, in use.

    Matrices are in half precision, in the file and in use: half the size, and errors of a few 1e-4 of a weight.

    Args:
        tensors: Weights, modes, moments, and what each task takes, by name.
        about: What is said of them: settings, variables, version, scores.
        experiment: Their settings.

    Example:
        Model.of(Experiment.from_preset("demo")).save("model.safetensors")
        load("model.safetensors").forecast("days.nc", leads=10, members=20).to_netcdf("forecast.nc")
    """

    def __init__(self, tensors: Tensors, about: Mapping[str, Any], experiment: Experiment) -> None:
        self.tensors, self.about = tensors, about
        exact = {name: x.float() if x.dtype is torch.float16 else x for name, x in tensors.items()}
        self.sparta: Sparta = frozen(experiment, about["stage"], exact, about)
        self.state = {task: under(task, exact) for task in about.get("tasks", ())}
        self.known = known(self.sparta.normaliser)
        self.background = None if self.sparta.modes is None else Background.of(self.sparta.modes)

    @classmethod
    def of(cls, experiment: Experiment, names: Iterable[str] = TASKS) -> "Model":
        """The model of an experiment; trains what is missing.

        Args:
            experiment: Its settings.
            names: The tasks that it holds besides embedding and reconstruction.

        Raises:
            ExperimentError: For a name that is no task's.
        """
        prepare_process()
        return cls(*collected(experiment, names), experiment)

    @property
    def experiment(self) -> Experiment:
        """All of its settings."""
        return self.sparta.experiment

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as one safetensors file, whole or not at all, and beside it its card, in Markdown.

        The file holds weights, modes, moments, climatology, domain, variables, settings, the package's version and a
        checksum of all of them, never code.

        Raises:
            RunError: Where it cannot be written.
        """
        path = Path(path)
        try:
            replace(path, packed(self.tensors, dict(self.about)))
            replace(path.with_suffix(".md"), card(path.name, path.stat().st_size, self.about).encode())
        except OSError as error:
            raise cannot_write(path, error) from error
        return path

    def embed(self, days: Given, **reading: Any) -> xr.Dataset:
        """Embed days: the variable "embedding" (time, feature); Args and errors as `predict`'s."""
        return self.predict("latent", days, **reading)

    def reconstruct(self, days: Given, errors: Errors | None = None, **reading: Any) -> xr.Dataset:
        """Make of sparse days full fields (time, latitude, longitude), in physical units.

        Args:
            days: As `predict` takes them.
            errors: Standard deviations of the observations' errors, as `assimilate` takes them: what is observed is
                believed less, beyond what SPARTA-OI's modes make of it, which take all for as wrong as what they leave
                out. None: observed values come back as they are. A station in a large cell is not its mean: say by how
                much it may be off.
            **reading: regrid and quality_control, as `predict` takes them.
        """
        return self.predict("reconstruction", days, errors=errors_of(errors or {}, self.sparta.normaliser), **reading)

    def forecast(self, days: Given, leads: int = 10, members: int | None = None, every: int | None = None,
                 seed: int = 0, **reading: Any) -> xr.Dataset:  # fmt: skip
        """Forecast the days after those given.

        Args:
            days: As `predict` takes them; as many in a row as the forecaster looks back, or more.
            leads: How many steps ahead.
            members: Of an ensemble; None: one forecast.
            every: Forecast from every so many of the fields that have a look-back behind them; None: from the last day.
            seed: Of the ensemble's draws.
            **reading: regrid and quality_control, as `predict` takes them.

        Returns:
            Fields (init_time, lead_time, latitude, longitude) in physical units, with members (init_time, lead_time,
            number, latitude, longitude), as WeatherBench-X reads them.

        Raises:
            DataError: For days that cannot be read, or not enough in a row.
            ExperimentError: For an ensemble of a forecaster that has none, or no leads.
        """
        return self.predict("forecast", days, leads=leads, members=members, every=every, seed=seed, **reading)

    def assimilate(self, days: Given, cycle: str | os.PathLike[str] | None = None, errors: Errors | None = None,
                   seed: int = 0, **reading: Any) -> xr.Dataset:  # fmt: skip
        """Analyse sparse days one after the other, each from the days before it and what is observed.

        Args:
            days: As `predict` takes them, in their order; of some nothing may be observed, and dates may be left out.
            cycle: The file of a cycle's state: it goes on from there, if it is there, and writes it in the end, so that
                tomorrow's call goes on from today's with the same bits. None: the first day is analysed by itself.
            errors: Standard deviations of the observations' errors in the model's units, by variable: a number, or a
                DataArray like the days'. What the modes cannot hold of a field is reckoned as an error, too.
            seed: Of the draws of a new cycle.
            **reading: regrid and quality_control, as `predict` takes them; here the days before are among the others.

        Returns:
            Of each variable its analysis (time, latitude, longitude), with "_std" behind its name the standard
            deviation of its error, with "_background" what was expected of the day, with "_innovation" what was
            observed less that. `forecast` takes it as days.

        Raises:
            DataError: For days that cannot be read, without dates, or not after the cycle's last one.
            ExperimentError: For a model that holds no assimilation, and errors that are none.
            RunError: For a file that is not the state of a cycle of this model.

        Example:
            model.assimilate("today.nc", cycle="cycle.safetensors", errors={"2m_temperature": 0.5})
        """
        given = errors_of(errors or {}, self.sparta.normaliser)
        return self.predict("assimilation", days, cycle=cycle, errors=given, seed=seed, **reading)

    def season(self, days: Given, **reading: Any) -> xr.Dataset:
        """Tell the season of days: the variable "probability" (time, season); Args as `predict`'s."""
        return self.predict("classification", days, **reading)

    def climatology(self, times: ArrayLike) -> xr.Dataset:
        """What is normal on dates: the climatology of the training days, or where the model knows none their mean.

        Args:
            times: (T,) dates.

        Returns:
            Fields (time, latitude, longitude) in physical units: what a forecast or a reconstruction has to beat.

        Raises:
            DataError: For what is no date.
        """
        normaliser = self.sparta.normaliser
        try:
            dates = np.atleast_1d(np.asarray(times, "datetime64[ns]"))
        except (TypeError, ValueError) as error:
            raise DataError(f"times are {times!r}; give dates, such as '2011-07-01'") from error
        usual = normaliser.mean.new_zeros(len(dates), len(normaliser.variables), *normaliser.grid)
        fields = normaliser.made(usual, dates)
        return labelled(normaliser, fields, {"time": ("time", dates, TIME)}, "Climatology of the training days")

    def predict(self, name: str, days: Given, *, regrid: bool = False, quality_control: bool = True,
                **options: Any) -> xr.Dataset:  # fmt: skip
        """Make of days what a task makes of them.

        Args:
            name: Of the task.
            days: A Dataset, a variable as a DataArray, or the path of a NetCDF or GRIB file or a Zarr store, in
                physical units on the model's grid, dimensions in any order. Names and units may be those of Copernicus,
                CMIP, NCEP or GRIB: units are converted, and said. Times are UTC; several moments of one date are
                averaged, and said. NaN was not observed, nor was a variable that is not there. Members of an ensemble
                (number, realization, member) are taken each by itself.
            regrid: Move fields of another grid to the model's: from a finer one conservatively.
            quality_control: Set aside values that the others of their day contradict by 5 standard deviations, as
                `observe.quality` finds them, and say so. It takes the modes of SPARTA-OI, and where it knows
                anomalies from the climatology dates: for a model without modes, such as the paper's, and for days
                without dates nothing is checked but the training days' range.
            **options: The task's own.

        Of days as dask arrays in several chunks along time, such as `xarray.open_mfdataset` gives them, what is made
        of each day by itself (embeddings, reconstructions, seasons) is dask arrays, too: chunk after chunk is read and
        computed when it is asked for, or written, in threads or by the workers of a `distributed` client.

        Returns:
            A Dataset with the names, units and coordinates of the CF conventions. Of an ensemble its first dimension
            is number, or realization where the task itself makes an ensemble along number. Its attribute `set_aside`,
            where any value was, is JSON of the worst: [variable, date, latitude, longitude, value, what the others say]
            each.

        Raises:
            DataError: For another grid, level or unit, for values that no training day comes near, and where nothing
                was observed.
            ExperimentError: For a task that the model does not hold.
        """
        task = task_of(self.experiment, name)
        needs_state = type(task).state is not Task.state
        if needs_state and name not in self.state:
            raise ExperimentError(f"this model holds no {name}, only {', '.join(self.state) or 'the representation'}; "
                                  f"save it with Model.of(experiment, ['{name}'])")
        blocks = blocks_of(days, self.sparta.normaliser.clock) if task.each_day(options) else None
        if blocks is not None:
            alike = partial(self.predict, name, regrid=regrid, quality_control=quality_control, **options)
            return predicted(alike, blocks)
        given, aside = given_days(days, self.sparta.normaliser, self.known, regrid, task.empty_days), ""
        if task.checks:
            options["quality_control"] = quality_control
        elif quality_control:
            given, aside = checked(given, self.background, self.sparta.normaliser)
        state = self.state.get(name, {}).copy()
        for other in task.takes:
            state |= named(other, self.state[other])
        members = [task.predict(self.sparta, state, self._sample(member, task.full_fields), **options)
                   for member in given.members]  # fmt: skip
        made = members[0] if given.number is None else _ensemble(members, given.number)
        made.attrs["history"] = f"made by sparta-core {__version__}"
        if aside:
            made.attrs["set_aside"] = aside
        if "time" not in made.dims:
            return made
        made = made.assign_coords(given.coords) if given.coords else made.drop_vars("time")
        return made if given.several else made.isel(time=0)

    def observations(self, table: Table) -> xr.Dataset:
        """Put what stations measured on the model's grid, for the other methods.

        Args:
            table: A pandas DataFrame, or the path of a text with columns (CSV, semicolons, tabs; decimal commas) or of
                Parquet, with the columns lat, lon, time where there are several days, and any of the model's
                variables. Their usual other names are read, as are units in a header ("t2m [degC]") or in the row
                below it, zones of times, days and hours in columns of their own, and what stands above the header.
                Without units a variable is in the model's, without a zone a time is UTC. Codes such as -9999 are
                missing values, and stations outside the grid are left out. What is read in another way than it is
                written is said in a warning.

        Returns:
            (time, latitude, longitude), NaN where no station is; without times (latitude, longitude).

        Raises:
            DataError: For another table, for dates that may be day first or month first, and for values that no
                training day comes near.
        """
        if not isinstance(table, str | os.PathLike | pd.DataFrame):
            raise DataError(f"observations takes a pandas DataFrame or the path of a CSV, no {type(table).__name__}; "
                            "its columns are lat, lon, time, and what was measured")
        return gridded_reports(table, self.known)

    def _sample(self, given: GivenDays, full: bool) -> Sample:
        normaliser = self.sparta.normaliser
        values = torch.from_numpy(given.values).to(normaliser.device)
        dates = given.dates
        if full:
            return Sample.of(normaliser.scaled(values), dates)
        if normaliser.climatology is not None and (dates is None or np.isnat(dates).any()):
            raise DataError("the dataset has no coordinate time of dates, and the model knows days as anomalies from "
                            "the climatology of their date; add it")
        return Sample.of(normaliser.standardise(values, dates), dates, given.follows)


def _ensemble(members: list[xr.Dataset], number: xr.DataArray) -> xr.Dataset:
    """What a task made of each member of an ensemble, along the members."""
    name = "realization" if "number" in members[0].dims else "number"
    index = xr.DataArray(number.values, dims=name, name=name, attrs={"standard_name": "realization"})
    return xr.concat(members, index, data_vars="all", coords="minimal", compat="override", join="override",
                     combine_attrs="override")  # fmt: skip

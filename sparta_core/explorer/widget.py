"""The explorer's widgets: choose a model, a day and how much of it is masked, and see what becomes of it."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np

from sparta_core.data.variables import label
from sparta_core.experiment import Experiment
from sparta_core.explorer.pictures import MapPicture, MapScale, Picture, PlanePicture, height_of, png
from sparta_core.explorer.session import ANALOGUES, PLANES, Session
from sparta_core.plotting.maps import Panel

MOST_MASKED = 0.95
PAUSE = 250  # milliseconds between days while playing


class Explorer:
    """Linked views of a model's latent space and its maps; `widget` is what a notebook displays.

    `experiments` names the models to choose from; a model that is not trained yet is trained when chosen.
    """

    def __init__(self, experiments: Mapping[str, Experiment]) -> None:
        self.session = Session(experiments)
        self._planes: dict[tuple[str, str], PlanePicture] = {}
        self._maps: dict[int, MapPicture] = {}
        self.level = next(iter(experiments.values())).level
        self.labels = [label(name, self.level, units)
                       for name, units in zip(self.session.record.variables, self.session.record.units, strict=True)]
        shown = [(one.name, number) for number, one in enumerate(self.labels)]
        wide = {"style": {"description_width": "6em"}, "layout": widgets.Layout(width="24em")}
        self.model = widgets.Dropdown(options=list(experiments), description="model", **wide)
        self.variable = widgets.Dropdown(options=shown, value=0, description="variable", **wide)
        self.plane = widgets.Dropdown(options=PLANES, description="plane", **wide)
        last, days = len(self.session.days) - 1, self.session.record.clock.fields
        self.day = widgets.IntSlider(0, 0, last, description=days.removesuffix("s"), readout=False, **wide)
        self.play = widgets.Play(0, min=0, max=last, interval=PAUSE, description=f"play through the {days}")
        self.ratio = widgets.FloatSlider(0.7, min=0, max=MOST_MASKED, step=0.05, description="masked",
                                         readout_format=".0%", **wide)  # fmt: skip
        self.caption = widgets.HTML()
        self.plane_image, self.map_image = widgets.Image(format="png"), widgets.Image(format="png")
        for image, name in ((self.plane_image, "sparta-plane"), (self.map_image, "sparta-maps")):
            image.add_class(name)
        self.buttons = [widgets.Button(layout=widgets.Layout(width="auto")) for _ in range(ANALOGUES)]
        self.widget = self._laid_out()
        self._link()
        self.paint()

    def _laid_out(self) -> widgets.Widget:
        choices = widgets.HBox([self.model, self.plane, self.variable])
        movers = widgets.HBox([widgets.HBox([self.day, self.play]), self.ratio])
        pictures = widgets.HBox([self.plane_image, self.map_image])
        name = f"nearest past {self.session.record.clock.fields} (distance):"
        past = widgets.HBox([widgets.HTML(name), *self.buttons])
        return widgets.VBox([choices, movers, self.caption, pictures, past])

    def _link(self) -> None:
        widgets.jslink((self.play, "value"), (self.day, "value"))
        for control in (self.model, self.variable, self.plane, self.day, self.ratio):
            control.observe(self.paint, "value")
        for number, button in enumerate(self.buttons):
            button.on_click(lambda _, number=number: self._go(number))

    def _go(self, number: int) -> None:
        """Go to an analogue of the day shown."""
        self.day.value = self.session.analogues(self.model.value, self.day.value)[number][0]

    def paint(self, _change: Any = None) -> None:
        """Bring both pictures, the caption and the analogues up to date."""
        plane, maps = self.painted()
        self.plane_image.value, self.map_image.value = png(plane), png(maps)

    def painted(self) -> tuple[Picture, Picture]:
        """The latent plane and the four maps of what is chosen."""
        session, name, method, day = self.session, self.model.value, self.plane.value, self.day.value
        frame = session.frame(name, day, self.ratio.value, self.variable.value)
        past = session.analogues(name, day)
        self._say(frame.rmse, past)
        place = session.on_plane(name, method, frame.embedding)
        plane = self._plane(name, method).painted(day, [other for other, _ in past], place)
        return plane, self._map().painted([frame.truth, frame.observed, frame.reconstruction, frame.error])

    def picture(self) -> Picture:
        """Both pictures side by side: the explorer as a still."""
        plane, maps = self.painted()
        return np.hstack([plane, maps])

    def _say(self, rmse: float, past: list[tuple[int, float]]) -> None:
        """The caption, and the analogues on their buttons."""
        shown = self.labels[self.variable.value]
        self.caption.value = (
            f"<b>{self.session.date(self.day.value)}</b>, {self.ratio.value:.0%} masked: {shown.name}, "
            f"root mean squared error {rmse * shown.factor:.3g} {shown.units} ({self.session.record.source})")
        for button, found in zip(self.buttons, [*past, *[None] * ANALOGUES], strict=False):
            button.layout.display = "" if found else "none"
            if found:
                button.description = f"{self.session.date(found[0])} ({found[1]:.2g})"

    def _plane(self, name: str, method: str) -> PlanePicture:
        if (name, method) not in self._planes:
            days, record = self.session.days, self.session.record
            title = f"{name}, {method} of {len(days)} whole {record.clock.fields}"
            self._planes[name, method] = PlanePicture(
                self.session.plane(name, method), record.day_of_year[days.start : days.stop], title, record.clock,
                height_of(record.domain))  # fmt: skip
        return self._planes[name, method]

    def _map(self) -> MapPicture:
        variable = self.variable.value
        if variable not in self._maps:
            fields = self.session.record
            low, high, apart = self.session.limits(variable)
            name, units = fields.variables[variable], fields.units[variable]
            kinds = {"truth": "field", "what the encoder saw": "field", "reconstruction": "field", "error": "error"}
            panels = [Panel(np.zeros((2, 2)), title, name, kind, units, level=self.level)
                      for title, kind in kinds.items()]
            if panels[0].signed:
                low, high = -max(-low, high), max(-low, high)
            scales = [MapScale.of(p, (-apart, apart) if p.kind == "error" else (low, high)) for p in panels]
            self._maps[variable] = MapPicture(scales, fields.domain, fields.land_sea_mask)
        return self._maps[variable]

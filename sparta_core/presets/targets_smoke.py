"""`smoke` scored as `targets` is."""

from sparta_core.presets.targets import NEARLY_ALL

BASED_ON = "smoke"
PAPER = "paper_smoke"
SETTINGS = NEARLY_ALL

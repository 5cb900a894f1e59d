"""`smoke` scored as `targets` is."""

BASED_ON = "smoke"
PAPER = "paper_smoke"
SETTINGS = {"downstream_split": (0.05, 0.05), "start_every": 12}

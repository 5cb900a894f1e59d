"""`demo` in 256 modes instead of 1,000: the model that comes with the package, small enough to."""

BASED_ON = "demo"
PAPER = "paper_demo"
SETTINGS = {"embedding": 256, "residual_reach": 2500.0}

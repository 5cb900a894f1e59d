"""The paper's method to the letter, on ERA5's days, which `python -m sparta_core prepare` stores."""

SETTINGS = {"data": "data/era5_5.625deg.zarr"}  # all others have the paper's values as defaults
COMPARISON = {"share": 1.0, "seeds": "0,1,2", "equal_steps": "sparta_early,sparta_early_cycle"}

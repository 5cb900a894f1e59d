"""What the linear path needs of an experiment on the made-up climate."""

LINEAR = {"linear_path": True, "mask_input": True, "mask_grid": "native", "view_size": (16, 32), "crop_from": (16, 32),
          "smoothing": 1}  # fmt: skip
GLOBE = {
    **LINEAR, "objective": "autoencoder", "autoencoder_epochs": 1, "anomalies": "climatology", "backbone": "globe",
    "width": 8, "embedding": 24, "forecaster": "dynamics", "forecast_hidden": 8, "forecast_epochs": 1,
    "forecast_batch_size": 16,
}  # fmt: skip

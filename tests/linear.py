"""What the linear path needs of an experiment on the made-up climate."""

LINEAR = {"linear_path": True, "mask_input": True, "mask_grid": "native", "view_size": (16, 32), "crop_from": (16, 32),
          "smoothing": 1}  # fmt: skip

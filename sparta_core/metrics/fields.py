"""Scores of forecasts and reconstructions in physical units, per lead (paper, 6.1.3, and WeatherBench 2).

Args of all:
    forecast, truth: fields (N, L, C, H, W) of N samples, L leads and C variables, in the variables' units.
    area: the grid cells' relative areas (H, W), mean 1.

Raises:
    DataError: for values that are not finite and for shapes that do not fit.

Sums are taken in float64: a geopotential of 10^4 leaves float32 few digits.

Example:
    >>> truth, area = torch.full((2, 3, 5, 4, 8), 100.0), torch.ones(4, 8)
    >>> rrmse(truth + 2, truth), rmse(truth + 2, truth, area).shape, bias(truth + 2, truth, area)[0, 0]
    (tensor([2., 2., 2.], dtype=torch.float64), torch.Size([3, 5]), tensor(2., dtype=torch.float64))
    >>> skill(rmse(truth + 1, truth, area), rmse(truth + 2, truth, area))[0, 0]
    tensor(0.5000, dtype=torch.float64)
"""

import torch
from torch import Tensor

from sparta_core.errors import DataError
from sparta_core.metrics.checks import area_mean, check_vector, checked


def rrmse(forecast: Tensor, truth: Tensor) -> Tensor:
    """Relative root mean squared error in percent (L,): all variables pooled, no area weights.

    The paper's score. Geopotential is 10^4 times larger than the rest, so it is geopotential's alone.
    """
    forecast, truth = checked(forecast=forecast, truth=truth)
    pooled = (0, 2, 3, 4)
    return 100 * (forecast - truth).square().mean(pooled).sqrt() / truth.mean(pooled)


def rmse(forecast: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Area-weighted root mean squared error (L, C), in each variable's unit."""
    forecast, truth = checked(forecast=forecast, truth=truth)
    return area_mean((forecast - truth).square(), area).mean(0).sqrt()


def bias(forecast: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Area-weighted mean of forecast minus truth (L, C), in each variable's unit."""
    forecast, truth = checked(forecast=forecast, truth=truth)
    return area_mean(forecast - truth, area).mean(0)


def acc(forecast: Tensor, truth: Tensor, climatology: Tensor, area: Tensor) -> Tensor:
    """Anomaly correlation coefficient (L, C), uncentred, of each sample, then averaged, as in WeatherBench 2.

    A forecast without anomaly, the climatology itself, scores 0.

    Args:
        forecast: fields (N, L, C, H, W).
        truth: the same.
        climatology: of each sample and lead, the same.
        area: relative areas (H, W).

    Example:
        >>> truth = torch.randn(2, 3, 5, 4, 8)
        >>> acc(0.5 * truth, truth, torch.zeros_like(truth), torch.ones(4, 8)).unique().round(decimals=6)
        tensor([1.], dtype=torch.float64)
    """
    forecast, truth, climatology = checked(forecast=forecast, truth=truth, climatology=climatology)
    f, o = forecast - climatology, truth - climatology
    size = (area_mean(f.square(), area) * area_mean(o.square(), area)).sqrt()
    product = area_mean(f * o, area)
    return torch.where(size > 0, product / size.clamp(min=torch.finfo(size.dtype).tiny), 0.0).mean(0)


def skill(error: Tensor, reference: Tensor) -> Tensor:
    """1 - error / reference, of one shape: 1 is perfect, 0 as good as the reference, below 0 worse."""
    check_vector("error", error, reference.shape)
    check_vector("reference", reference, error.shape)
    return 1 - error / reference


def psnr(forecast: Tensor, truth: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB (L, C), of fields scaled by each variable's training range.

    From the mean squared error of all samples, as torchmetrics pools it; infinite where forecast and truth are equal.

    Args:
        forecast: fields (N, L, C, H, W).
        truth: the same.
        low: the lowest value of each variable (C,).
        high: the highest.

    Example:
        >>> truth, low, high = torch.zeros(2, 3, 5, 4, 8), torch.zeros(5), torch.full((5,), 10.0)
        >>> psnr(truth + 1, truth, low, high)[0, 0]
        tensor(20., dtype=torch.float64)
    """
    forecast, truth = checked(forecast=forecast, truth=truth)
    error = (forecast - truth).square().mean((0, 3, 4)) / _span(low, high, truth.shape[2]).double().square()
    return -10 * error.log10()


def ssim(forecast: Tensor, truth: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Structural similarity (L, C), mean over samples, of fields scaled to [0, 1] by `low` and `high` (C,).

    In Gaussian windows of 1.5 grid points, mirrored at every edge, the date line included.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # here: it takes seconds to import

    forecast, truth = checked(forecast=forecast, truth=truth)
    span = _span(low, high, truth.shape[2]).view(-1, 1, 1)
    low = low.view(-1, 1, 1)
    scores = []
    for lead in range(truth.shape[1]):
        f, o = (_as_images((x[:, lead] - low) / span) for x in (forecast, truth))
        score = structural_similarity_index_measure(f, o, data_range=1.0, reduction="none")
        assert isinstance(score, Tensor)
        scores.append(score)
    return torch.stack(scores)


def _as_images(fields: Tensor) -> Tensor:
    """(N, C, H, W) to (C, N, H, W): every variable a picture, every sample a colour of it, over which scores are means.

    In float32, enough for values near [0, 1], and channels-last: that is where processors are fast.
    """
    return fields.transpose(0, 1).float().contiguous(memory_format=torch.channels_last)


def _span(low: Tensor, high: Tensor, variables: int) -> Tensor:
    """Each variable's range (C,); DataError unless it is above 0."""
    for name, values in (("low", low), ("high", high)):
        check_vector(name, values, torch.Size([variables]))
    if not (high > low).all():
        raise DataError("high is not above low for every variable; take them from days that vary")
    return high - low

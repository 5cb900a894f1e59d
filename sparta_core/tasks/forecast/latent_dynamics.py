"""A day's step in latent space: the linear inverse model of the embeddings, and what convolutions add to it.

The convolutions see the last days as fields, the sums of their modes, beside the climatology of the day to come:
weather is carried by the wind that there is, and no linear step knows it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.layers.globe import GROUP, GlobeBlock, GlobeConv

LAGS = 3  # days that the convolutions see
PATCH = 2  # grid points a side that the convolutions take together: a quarter of the work


class LatentDynamics(nn.Module):
    """Embeddings of the last `lags` days (B, lags, E) to those of the days after them (B, leads, E).

    `climatology` (B, leads, C, H, W) is that of the days to come. Starts as the linear inverse model: the last layer
    of the convolutions is 0. An embedding longer than `limit`, beyond any day, is shortened to it.
    """

    patterns: Tensor  # (E, C H W)
    static: Tensor  # (S, H, W) fields that every day shares
    step: Tensor  # (E, E): tomorrow = today @ step
    limit: Tensor

    def __init__(self, patterns: Tensor, static: Tensor, channels: int, lags: int, width: int, blocks: int) -> None:
        super().__init__()
        size = len(patterns)
        self.lags = lags
        self.register_buffer("patterns", patterns, persistent=False)
        self.register_buffer("static", static, persistent=False)
        self.register_buffer("step", torch.eye(size))
        self.register_buffer("limit", torch.tensor(torch.inf))
        inputs = channels * (lags + 2) + len(static)
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(PATCH), GlobeConv(PATCH**2 * inputs, width), *(GlobeBlock(width) for _ in range(blocks)),
            nn.GroupNorm(width // GROUP, width), nn.GELU(), GlobeConv(width, PATCH**2 * channels),
            nn.PixelShuffle(PATCH))  # fmt: skip
        nn.init.zeros_(self.layers[-2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-2].bias)  # type: ignore[arg-type]

    def forward(self, past: Tensor, climatology: Tensor) -> Tensor:
        days, fields = list(past.unbind(1)), [self.fields(day, climatology) for day in past.unbind(1)]
        for ahead in climatology.unbind(1):
            linear = days[-1] @ self.step
            shown = [*fields[-self.lags :], self.fields(linear, climatology), ahead,
                     self.static.expand(len(past), *self.static.shape)]  # fmt: skip
            added = self._padded(torch.cat(shown, 1)).float()
            day = linear + added.flatten(1) @ self.patterns.T
            day = day * (self.limit / day.norm(dim=1, keepdim=True).clamp_min(1e-9)).clamp_max(1)
            days.append(day)
            fields.append(self.fields(day, climatology))
        return torch.stack(days[self.lags :], 1)

    def fields(self, embedding: Tensor, like: Tensor) -> Tensor:
        """The sum of the modes (B, C, H, W) with the sizes of `like` (..., C, H, W)."""
        return (embedding @ self.patterns).view(-1, *like.shape[-3:])

    def _padded(self, x: Tensor) -> Tensor:
        """The layers on any grid: one row or column more where PATCH does not divide it."""
        height, width = x.shape[-2:]
        made: Tensor = self.layers(F.pad(x, (0, -width % PATCH, 0, -height % PATCH), mode="replicate"))
        return made[..., :height, :width]

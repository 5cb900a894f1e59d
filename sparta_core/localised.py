"""Localised modes: of the days' covariance damped with distance, of which there are only products with fields."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LEFT_OUT = 1e-4  # of a correlation, at most, where the taper is a sum of factors
WIDTH, SPARE, DEPTH = 0.2, 8, 10  # fields in a block of the Krylov space, a share of the modes and some; its blocks
BLOCK = 1024  # values of a day in a block of the covariance
FIELDS = 256  # multiplied at once, which bounds the memory
KEPT = 2**31  # bytes of half a covariance that is kept between products
Told = Callable[[float], None]


def localised_eofs(x: Tensor, count: int, places: Tensor, length: float,
                   told: Told = lambda share: None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Leading eigenvectors (K, D) and eigenvalues (K,) of the covariance of x (T, D), damped with distance.

    The sample's times exp(-(d / length)**2 / 2), d the chord between `places` (N, 3) on the unit sphere, in any order,
    of which D is a multiple: far correlations in a few thousand days are chance (Houtekamer and Mitchell, 2001).
    `told` is which share of the work is done.

    By factors of the taper memory and time grow as D. Where those would be more work than the covariance itself, on
    small grids or over lengths that are short against the domain, its blocks are taken, and time grows as D squared.
    """
    (days, size), width = x.shape, min(x.shape[1], math.ceil(WIDTH * count) + SPARE)
    total, kept = min(size, DEPTH * width), size**2 * x.element_size() <= 2 * KEPT
    factors = taper_factors(places, length, size * ((1 if kept else DEPTH) * days + 2 * total) // (4 * days * total))
    blocks: Iterable[Block] = () if factors is not None else CovarianceBlocks(x, places.to(x.device), length)
    if kept:
        blocks = list(blocks)
    done = 0.0

    def product(fields: Tensor) -> Tensor:
        made = torch.zeros_like(fields)
        if factors is None:
            parts = add_products_by_blocks(made, blocks, fields, len(places))
        else:
            parts = add_products_by_factors(made, x, factors, fields)
        nonlocal done
        before = done
        for share in parts:
            done = before + share * fields.shape[1] / total
            told(done)
        return made

    start = torch.randn(size, width, generator=torch.Generator().manual_seed(0)).to(x)
    return leading_eigenvectors(product, start, count)


def taper_factors(places: Tensor, length: float, most: int) -> Tensor | None:
    """The taper between `places` (N, 3) as factors.T @ factors, of which (J, N) there are few if it is smooth.

    Its leading eigenvectors, scaled so that it is 1 from every place to itself. By Cholesky's factorisation with
    pivots, which takes a row of the taper for each (Harbrecht et al., 2012). None where there are more than `most`.
    """
    places, rest = places.cpu().double(), torch.ones(len(places), dtype=torch.float64)
    rows = torch.empty(min(len(places), 3 * most), len(places), dtype=torch.float64)  # pivots are up to twice as many
    pivots = 0
    while float(rest.max()) > LEFT_OUT / 10:
        if pivots == len(rows):
            return None
        pivot, known = int(rest.argmax()), rows[:pivots]
        row = taper(places[pivot : pivot + 1], places, length)[0] - known[:, pivot] @ known
        rows[pivots] = row / rest[pivot].sqrt()
        rest = (rest - rows[pivots].square()).clamp_min(0)
        pivots += 1
    known = rows[:pivots]
    factors = torch.linalg.eigh(known @ known.T).eigenvectors.T.flip(0) @ known
    left_out = 1 - factors.square().cumsum(0).amin(1)
    factors = factors[: int((left_out > LEFT_OUT).sum()) + 1]
    return factors / factors.square().sum(0).sqrt() if len(factors) <= most else None


def add_products_by_factors(made: Tensor, x: Tensor, factors: Tensor, fields: Tensor) -> Iterator[float]:
    """Add to `made` the damped covariance of x (T, D) times fields (D, B), by factors (J, N) of the taper.

    The mean over days of the sum over factors f of f x' (x (f v)): the modulation of Bishop and Hodyss (2009). Yields
    the share that is done.
    """
    factors = (factors.to(x) / math.sqrt(len(x))).repeat(1, x.shape[1] // factors.shape[1])[..., None]
    for first in range(0, fields.shape[1], FIELDS):
        some = slice(first, first + FIELDS)
        for number, factor in enumerate(factors, 1):
            made[:, some].addcmul_(factor, x.T @ (x @ (factor * fields[:, some])))
            yield min(1.0, (first + FIELDS * number / len(factors)) / fields.shape[1])


class Block(NamedTuple):
    """Of a covariance what is between some places and others, all variables of each."""

    rows: slice
    columns: slice
    covariance: Tensor  # (C rows, C columns)


@dataclass(frozen=True)
class CovarianceBlocks:
    """The blocks on and above the diagonal of the damped covariance of x (T, C N), computed as they are asked for."""

    x: Tensor
    places: Tensor  # (N, 3)
    length: float

    def __iter__(self) -> Iterator[Block]:
        """Go through them row by row."""
        count = len(self.places)
        fields = self.x.unflatten(1, (-1, count)) / math.sqrt(len(self.x))
        step = math.ceil(BLOCK / fields.shape[1])
        parts = [slice(first, min(first + step, count)) for first in range(0, count, step)]
        for number, rows in enumerate(parts):
            left = fields[:, :, rows].flatten(1).T
            for columns in parts[number:]:
                covariance = (left @ fields[:, :, columns].flatten(1)).unflatten(1, (fields.shape[1], -1))
                damping = taper(self.places[rows], self.places[columns], self.length).to(self.x)
                covariance.unflatten(0, (fields.shape[1], -1)).mul_(damping[:, None])
                yield Block(rows, columns, covariance.flatten(1))


def add_products_by_blocks(made: Tensor, blocks: Iterable[Block], fields: Tensor, count: int) -> Iterator[float]:
    """Add to `made` the matrix of these blocks, and their mirror images, times fields (C N, B), of `count` places N.

    Yields the share that is done.
    """
    made, fields, done = made.unflatten(0, (-1, count)), fields.unflatten(0, (-1, count)), 0
    for rows, columns, covariance in blocks:
        made[:, rows] += (covariance @ fields[:, columns].flatten(0, 1)).unflatten(0, (len(made), -1))
        if rows != columns:
            made[:, columns] += (covariance.T @ fields[:, rows].flatten(0, 1)).unflatten(0, (len(made), -1))
        done += (rows.stop - rows.start) * (columns.stop - columns.start) * (1 if rows == columns else 2)
        yield done / count**2


def leading_eigenvectors(product: Callable[[Tensor], Tensor], start: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Leading eigenvectors (K, D) and eigenvalues (K,) of a symmetric matrix, from its products with fields (D, B).

    The best in the space of `start` (D, B) and DEPTH - 1 products, each made orthogonal to all before: block Lanczos.
    Narrow blocks and many of them find more with as many products than the few wide ones of a subspace iteration.
    """
    size, width = start.shape
    total, generator = min(size, DEPTH * width), torch.Generator().manual_seed(1)
    basis, small = start.new_empty(size, total), torch.zeros(total, total, dtype=torch.float64, device=start.device)
    basis[:, :width] = torch.linalg.qr(start).Q
    for first in range(0, total, width):
        here, after = min(first + width, total), min(first + 2 * width, total)
        made = product(basis[:, first:here])
        # Noise as of rounding: where products have nothing new, the next fields are any, not what rounding leaves.
        noise = torch.randn(size, after - here, generator=generator).to(made) * torch.finfo(made.dtype).eps
        rest = made[:, : after - here] + noise * made[:, : after - here].norm(dim=0)
        for _ in range(2):  # once is not enough in float32
            rest = torch.linalg.qr(rest - basis[:, :here] @ (basis[:, :here].T @ rest)).Q
        basis[:, here:after] = rest
        small[:after, first:here] = (basis[:, :after].T @ made).double()
    values, vectors = torch.linalg.eigh(small)  # reads what is on and below the diagonal
    return (basis @ vectors.flip(1)[:, :count].to(basis)).T.contiguous(), values.flip(0)[:count].to(basis)


def taper(first: Tensor, second: Tensor, length: float) -> Tensor:
    """How far a covariance is believed between places (N, 3) and (M, 3) on the unit sphere: (N, M)."""
    return torch.exp(-(torch.cdist(first, second) / length).square() / 2)

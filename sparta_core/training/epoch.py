"""What an epoch goes through, and what it leaves: batches loaded ahead, and the means of their losses."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Losses = dict[str, Tensor]


def ahead(load: Callable[[Tensor], Any], batches: Sequence[Tensor]) -> Iterator[Any]:
    """Yield every batch loaded, on a thread, while the one before it is worked on."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(load, batches[0])
        for batch in batches[1:]:
            now, following = following, reader.submit(load, batch)
            yield now.result()
        yield following.result()


class Means:
    """The means over an epoch's steps of every optimiser's losses."""

    def __init__(self) -> None:
        self.total: dict[tuple[str, str], Tensor] = {}
        self.count: Counter[tuple[str, str]] = Counter()

    def add(self, optimiser: str, losses: Losses) -> None:
        for name, value in losses.items():
            key = optimiser, name
            self.total[key] = self.total.get(key, 0) + value.detach()
            self.count[key] += 1

    def over(self, fabric: "Fabric") -> dict[str, float]:
        """Return the means over processes, too, by name; the device is read once, here."""
        sums: Any = fabric.all_reduce(torch.stack(list(self.total.values())), reduce_op="mean")
        means = zip(self.total, sums.tolist(), strict=True)
        return named({key: value / self.count[key] for key, value in means})


def named(values: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Values of (optimiser, name) by the name alone, but where several optimisers have it."""
    shared = Counter(name for _, name in values)
    return {name if shared[name] == 1 else f"{optimiser}_{name}": value for (optimiser, name), value in values.items()}

"""Tensors and a JSON record as one safetensors file, so that they cannot disagree, with the checksum of both."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from sparta_core.files import CHANGED, check_size, sealed_json, unsealed_json

Tensors = dict[str, Tensor]
MOST_BYTES = 2**34  # of a file, all of which is loaded


def named(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """Tensors by their names under another: `weight` as `encoder.weight`.

    >>> named("encoder", {"weight": torch.ones(1)})
    {'encoder.weight': tensor([1.])}
    """
    return {f"{name}.{key}": value for key, value in tensors.items()}


def under(name: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """What `named` named, by its own names."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def packed(tensors: Tensors, record: dict[str, Any]) -> bytes:
    """The content of such a file; the same bytes for the same tensors and record."""
    tensors = {key: value.detach().contiguous().cpu() for key, value in tensors.items()}
    seal = sealed_json({"record": record, "tensors": checksum(tensors)})
    return save(tensors, metadata={"sealed": seal.decode()})  # one entry: safetensors shuffles them


def unpacked(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """What was packed; OSError, ValueError, KeyError or SafetensorError for anything else, to the last bit."""
    check_size(path, MOST_BYTES)
    with safe_open(path, framework="pt") as file:
        seal = _seal(file)
        # Copies: products of matrices depend in their last bits on where in memory they begin, by chance in a file.
        tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    if seal["tensors"] != checksum(tensors):
        raise ValueError(CHANGED)
    return tensors, seal["record"]


def checksum_of(path: Path) -> str:
    """The checksum that such a file says its tensors have, without reading these; errors as `unpacked`'s."""
    with safe_open(path, framework="pt") as file:
        said: str = _seal(file)["tensors"]
    return said


def _seal(file: Any) -> dict[str, Any]:
    seal: dict[str, Any] = unsealed_json((file.metadata() or {}).get("sealed", "null").encode())
    return seal


def checksum(tensors: Tensors) -> str:
    """The sha256 of tensors, by name."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
        digest.update(value.cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

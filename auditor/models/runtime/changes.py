"""An adapter's changes worked into its base's tensors in memory, as a merge of the two would write them.

The product of the factors and the sum are made in double precision; the sum is rounded once, to the format that the
base's tensor is stored in (the merge engine does the same, see `auditor.merge.engine.applied`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import ModelError
from auditor.models.files.adapted import changes_of
from auditor.models.files.adapter import ADAPTER_WEIGHTS
from auditor.models.files.placed import Change
from auditor.models.runtime.weights import read_tensors, read_weights
from store.records import Profile

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

ELEMENTS = 1 << 22
"""Elements of a tensor that are computed in double precision at a time: the scratch memory."""


def adapter_tensors(adapter: Profile) -> dict[str, torch.Tensor]:
    """An adapter's tensors by their own names, on the CPU.

    Raises:
        ModelError: its file is not what was hashed, is damaged, or holds NaN or infinite values.
    """
    path = Path(adapter.ref.path) / ADAPTER_WEIGHTS
    found = read_tensors(path, adapter.files[ADAPTER_WEIGHTS])
    for name, tensor in found.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ModelError(
                f"{adapter.ref.reference}: tensor {name} in {path} holds NaN or infinite values",
                hint="Leave the adapter out, or take a sound copy of it.",
            )
    return found


def apply(name: str, change: Change, own: Tensors, stored: torch.Tensor | None, *, inplace: bool) -> torch.Tensor:
    """A tensor of the base with its change.

    Args:
        name: of the tensor, for messages.
        own: the adapter's tensors.
        stored: the base's; None where the adapter adds the tensor.
        inplace: write into `stored`, and return it.

    Raises:
        ModelError: the sum does not fit the format.
    """
    if change.whole is not None:
        tensor = own[change.whole.info.name]
        tensor = tensor.clone() if change.factors else tensor
    else:
        if stored is None:
            raise ModelError(f"tensor {name} is in neither the adapter nor its base")
        tensor = stored if inplace else stored.clone()
    if (low := change.factors) is not None:
        down, up = own[low.down.info.name].double(), own[low.up.info.name].double()
        if low.turned:
            down, up = up.T, down.T
        step = max(1, ELEMENTS // max(1, down.shape[1]))
        for first in range(0, tensor.shape[0], step):
            rows = tensor[first : first + step]
            sums = (up[first : first + step] @ down).mul_(low.scale).add_(rows.double())
            rows.copy_(rounded(sums, rows.dtype))
            if not rows.isfinite().all():
                raise ModelError(
                    f"tensor {name}: with the adapter's change its values do not fit "
                    f"{str(tensor.dtype).removeprefix('torch.')}, in which the base is stored",
                    hint="Convert the base to a wider dtype, and give that with --base.",
                )
    if (tokens := change.rows) is not None:
        new = own[tokens.stored.info.name]
        tensor[list(tokens.indices)] = rounded(new.double(), tensor.dtype)
    return tensor


def rounded(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Numbers of double precision in another format, rounded once: to the nearest, ties to even.

    torch goes to half precision by way of single, which rounds twice. So what is inexact there is first made odd in
    its last bit (Boldo and Melquiond, Emulation of a FMA and correctly rounded sums, 2008): then the second rounding
    is the only one.
    """
    import torch

    single = values.float()
    if dtype not in (torch.float16, torch.bfloat16):
        return values.to(dtype) if dtype == torch.float64 else single.to(dtype)
    error = values - single.double()
    bits = single.view(torch.int32)
    # Away from zero adds one to the bits of a float, whatever its sign; a zero takes the sign of the value.
    outward = (values.abs() > single.double().abs()).int() * 2 - 1
    inexact = (error != 0) & single.isfinite() & (bits & 1 == 0)
    single = torch.where(inexact, bits + outward, bits).view(torch.float32)
    return single.to(dtype)


@dataclass(frozen=True)
class Adapted:
    """A base's tensors with an adapter's changes, by the base's names, and what stood in their place.

    Attributes:
        originals: the base's own tensors where they were changed; None for those that the adapter adds.
        firsts: of every changed tensor its first rows, to know it again by.
    """

    tensors: dict[str, torch.Tensor]
    originals: dict[str, torch.Tensor | None]
    firsts: dict[str, torch.Tensor]


def read_adapted(profile: Profile, *, keep: bool) -> Adapted:
    """The weights of an adapter on its base, each file read once and compared with the profile.

    Args:
        keep: the originals of the changed tensors stay in memory, beside the changed ones.

    Raises:
        ModelError: a file is not what was hashed, or is damaged; or a change does not fit the base's format.
    """
    adapter, base = profile.parts
    changes, own = changes_of(profile), adapter_tensors(adapter)
    tensors = read_weights(base)
    originals: dict[str, torch.Tensor | None] = {}
    for name, change in changes.items():
        stored = tensors.get(name)
        if keep:
            originals[name] = stored
        tensors[name] = apply(name, change, own, stored, inplace=not keep)
    return Adapted(tensors, originals, {name: tensors[name][:2].clone() for name in changes})

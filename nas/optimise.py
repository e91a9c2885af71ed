"""Optimiser of a network of shift weights: few large tensors instead of many small ones.

All P, all S (or what else stands behind the weights) and all other parameters are laid end to end,
so that an optimiser step, the modified L2 and the clamps cost a handful of operations however many
layers there are.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from nas import distributed
from nas.shift import ShiftSettings, ShiftWeight, shift_weights


class Regularisation(StrEnum):
    """What weight decay acts on, see `StepSettings`."""

    WEIGHT = "weight"
    LATENT = "latent"
    NONE = "none"


class Optimiser(StrEnum):
    """Rectified Adam, the paper's, or SGD with momentum."""

    RADAM = "radam"
    SGD = "sgd"


NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
"""Modules whose parameters `StepSettings.weight_decay_norms` is about: batch norms of all kinds
first."""


def flatten(parameters: list[nn.Parameter], device: torch.device) -> tuple[nn.Parameter, Tensor]:
    """Lay parameters and their gradients end to end; views of the two tensors returned."""
    total = sum(p.numel() for p in parameters)
    dtype = parameters[0].dtype if parameters else None
    flat = nn.Parameter(torch.empty(total, device=device, dtype=dtype))
    gradient = torch.zeros_like(flat)
    flat.grad = gradient
    start = 0
    with torch.no_grad():
        for p in parameters:
            part = slice(start, start + p.numel())
            flat[part] = p.flatten()
            p.data = flat.data[part].view(p.shape)
            p.grad = gradient[part].view(p.shape)
            start += p.numel()
    return flat, gradient


@dataclass(frozen=True)
class StepSettings:
    """What a step does besides following the gradient.

    Parameters
    ----------
    weight_decay: lambda of eq. 15
    regularisation: "weight": lambda/2·sum of w² of the quantised w, through the straight-through
        gradients (eq. 15); "latent": the conventional lambda/2·(P² + S²), of the trained numbers
        whatever they are; "none". Other parameters (batch norm, bias, real weights) have plain L2
        in all but "none"
    weight_decay_norms: scales and shifts of norms are among these; else they have none
    clip: largest norm of the loss gradient, before the regularisation; 0 switches clipping off
    optimiser: "radam" (rectified Adam, the paper's) or "sgd"
    momentum: of "sgd"
    """

    weight_decay: float
    regularisation: str = "weight"
    clip: float = 5.0
    optimiser: str = "radam"
    momentum: float = 0.9
    weight_decay_norms: bool = True

    @classmethod
    def of(cls, config: Any) -> "StepSettings":
        """Those of a section of the configuration, where they have the same names."""
        return cls(**{one.name: getattr(config, one.name) for one in fields(cls)})


@dataclass(frozen=True)
class _Latents:
    """The latents of all shift weights of one kind, one flat tensor for each of its `LATENTS`."""

    kind: type[ShiftWeight]
    values: tuple[nn.Parameter, ...]
    gradients: tuple[Tensor, ...]


class ShiftOptimiser(torch.optim.Optimizer):
    """Rectified Adam, or SGD, over the parameters of a module; torch's schedulers work on it.

    Make it after the module is on its device: it lays the parameters end to end. Where several
    processes train, a step follows the mean of their gradients.
    """

    def __init__(self, module: nn.Module, lr: float, settings: StepSettings, shift: ShiftSettings):
        device = next(module.parameters()).device
        self.settings, self.shift = settings, shift
        self._latents = _flat_latents(module, device)
        latent = {id(p) for m in shift_weights(module) for p in m.latents}
        others = [p for p in module.parameters() if id(p) not in latent]
        self._other, self._other_gradient = flatten(others, device)
        self._decayed = (
            None if settings.weight_decay_norms else _outside_norms(module, others, device)
        )
        flat = [value for group in self._latents for value in group.values]
        self._gradients = [g for group in self._latents for g in group.gradients]
        self._gradients.append(self._other_gradient)
        self._steps = _library_optimiser([*flat, self._other], lr, settings)
        super().__init__(self._steps.param_groups, {})
        self._share()

    def _share(self) -> None:
        """Parameter groups and state are those of the library's optimiser."""
        self.param_groups, self.state = self._steps.param_groups, self._steps.state

    @property
    def lr(self) -> float:
        return self.param_groups[0]["lr"]

    def set_lr(self, lr: float) -> None:
        for group in self.param_groups:
            group["lr"] = lr

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Gradients become zeros, also with `set_to_none`: they are parts of one tensor."""
        for gradient in self._gradients:
            gradient.zero_()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Average, clip, regularise, step; then keep the latents in the code's range."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._average()
        self._clip()
        self._regularise()
        self._steps.step()
        for group in self._latents:
            group.kind.clamp_(self.shift, *group.values)
        return loss

    @contextmanager
    def ahead(self, loss: Callable[[], Tensor], weights: list[nn.Parameter]) -> Iterator[None]:
        """Within it the weights are one plain step down a loss: w - lr·(slope + decay + momentum).

        Of momentum, only SGD's. Gradients are zeros within it and after it.
        """
        self.zero_grad()
        loss().backward(inputs=weights)
        self._average()
        self._regularise()
        flat = self.param_groups[0]["params"]
        before = [value.detach().clone() for value in flat]
        with torch.no_grad():
            for value in flat:
                inertia = self.state.get(value, {}).get("momentum_buffer")
                if inertia is not None:
                    value.grad.add_(inertia, alpha=self.settings.momentum)
                value.sub_(value.grad, alpha=self.lr)
        self.zero_grad()
        yield
        with torch.no_grad():
            for value, old in zip(flat, before, strict=True):
                value.copy_(old)

    def _average(self) -> None:
        averages = distributed.averages(self._gradients)
        for gradient, average in zip(self._gradients, averages, strict=True):
            gradient.copy_(average)

    @torch.no_grad()
    def _clip(self) -> None:
        if self.settings.clip:
            norm = torch.stack([gradient.norm() for gradient in self._gradients]).norm()
            scale = (self.settings.clip / (norm + 1e-6)).clamp(max=1.0)
            for gradient in self._gradients:
                gradient.mul_(scale)

    @torch.no_grad()
    def _regularise(self) -> None:
        decay, kind = self.settings.weight_decay, self.settings.regularisation
        if kind == Regularisation.NONE or not decay:
            return
        other = self._other if self._decayed is None else self._other * self._decayed
        self._other_gradient.add_(other, alpha=decay)
        for group in self._latents:
            match kind:
                case Regularisation.LATENT:
                    added = [decay * value for value in group.values]
                case Regularisation.WEIGHT:
                    added = group.kind.l2_gradients(decay, self.shift, *group.values)
                case _:
                    raise ValueError(f"regularisation: {kind!r}")
            for gradient, more in zip(group.gradients, added, strict=True):
                gradient.add_(more)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._steps.load_state_dict(state_dict)
        self._share()


def _outside_norms(
    module: nn.Module, parameters: list[nn.Parameter], device: torch.device
) -> Tensor:
    """1 for each number of `parameters`, laid end to end, that is not a norm's; 0 for those."""
    norms = {
        id(p) for m in module.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)
    }
    parts = [torch.full((p.numel(),), float(id(p) not in norms)) for p in parameters]
    return torch.cat([torch.empty(0), *parts]).to(device)


def _flat_latents(module: nn.Module, device: torch.device) -> list[_Latents]:
    """The latents of each kind in `module`, laid end to end."""
    kinds: dict[type[ShiftWeight], list[ShiftWeight]] = {}
    for weight in shift_weights(module):
        kinds.setdefault(type(weight), []).append(weight)
    groups = []
    for kind, weights in kinds.items():
        slots = zip(*(weight.latents for weight in weights), strict=True)
        flat = [flatten(list(slot), device) for slot in slots]
        values, gradients = zip(*flat, strict=True)
        groups.append(_Latents(kind, values, gradients))
    return groups


def _library_optimiser(
    flat: list[nn.Parameter], lr: float, settings: StepSettings
) -> torch.optim.Optimizer:
    match settings.optimiser:
        case Optimiser.SGD:
            return torch.optim.SGD(flat, lr=lr, momentum=settings.momentum)
        case Optimiser.RADAM:
            return torch.optim.RAdam(flat, lr=lr)
    raise ValueError(f"optimiser: {settings.optimiser!r}")


def cosine(lr: float, step: int, steps: int, warmup: int = 0) -> float:
    """Learning rate of `step` (from 0) of `steps`: linear warm-up, then a cosine from `lr` to 0."""
    if step < warmup:
        return lr * (step + 1) / warmup
    return lr / 2 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def stepped(lr: float, epoch: int, epochs: int, shares: Sequence[float]) -> float:
    """Learning rate of `epoch` (from 0) of `epochs`: a tenth of what it was from each share of them
    on, rounded half up to whole epochs.
    """
    return lr / 10 ** sum(epoch >= int(share * epochs + 0.5) for share in shares)

"""
Several folds side by side: one tensor with a leading axis of folds for every weight.

Worth it where single steps are too small to fill a core: dense heads, small batches. Convolutions over many rows fill it
already and become slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from mmme.errors import ConfigError, DataError
from mmme.models.deep.layers import at_step
from mmme.models.deep.training import (
    Build,
    Training,
    batches,
    learning_rate_at,
    loss_function,
    make_optimiser,
    mirrored,
    seeded_module,
)

__all__ = ["train_stacked"]


def train_stacked(
    build: Build,
    X: Tensor,
    y: NDArray[np.int64],
    n_classes: int,
    training: Training,
    seed: int,
    *,
    mirrors: Sequence[Callable[[Tensor], Tensor] | None],
) -> list[nn.Module]:
    """
    Train one network per fold at the same time; each comes out as from `train` alone, to rounding.

    Parameters
    ----------
    build
        As in `train`.
    X : (n_folds, n, *shape)
        Training rows of each fold.
    y : (n_folds, n)
        Codes of their classes.
    n_classes, training, seed
        As in `train`.
    mirrors
        By fold.

    Returns
    -------
    list of torch.nn.Module
        In evaluation mode.

    Raises
    ------
    ConfigError, DataError
        As `train`.
    """
    n_folds = len(X)
    if training.mirror and any(m is None for m in mirrors):
        raise ConfigError("training: expected inputs with a left and a right to mirror, got others; leave mirror off")
    if not bool(torch.isfinite(X).all()):
        raise DataError("training of a network: expected rows without missing values, got some with; leave them out")
    modules = [seeded_module(build, tuple(X.shape[2:]), n_classes, seed).train() for _ in range(n_folds)]
    weights, buffers = stack_module_state(modules)
    losses = [loss_function(codes, n_classes, training) for codes in y]
    optimiser = make_optimiser(list(weights.values()), training)
    frame = modules[0]
    codes = torch.from_numpy(y)

    def forward(own: dict[str, Tensor], state: dict[str, Tensor], inputs: Tensor) -> Any:
        return functional_call(frame, (own, state), (inputs,))

    together = torch.vmap(forward, randomness="same")
    step = 0
    for epoch in range(training.epochs):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(training, epoch)
        orders = [list(batches(fold, training, seed, epoch)) for fold in y]
        total = 0.0
        for rows in zip(*orders, strict=True):
            picked = torch.from_numpy(np.stack(rows))
            inputs = torch.stack([x[p] for x, p in zip(X, picked, strict=True)])
            if training.mirror:
                flip = torch.from_numpy(mirrored(seed, step, inputs.shape[1]))
                for fold, mirror in zip(inputs, mirrors, strict=True):
                    if mirror is not None:
                        fold[flip] = mirror(fold[flip])
            at_step(frame, seed, step)
            optimiser.zero_grad(set_to_none=True)
            logits = together(weights, buffers, inputs)
            each = [of(z, c[p]) for of, z, c, p in zip(losses, logits, codes, picked, strict=True)]
            loss = torch.stack(each).sum()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach())
            step += 1
        if not np.isfinite(total):
            raise DataError(
                f"training of networks, epoch {epoch}: expected a finite loss, got {total}; is the step too large?"
            )
    with torch.no_grad():
        for k, module in enumerate(modules):
            for name, own in module.named_parameters():
                own.copy_(weights[name][k])
            for name, buffer in module.named_buffers():  # also those that are not saved with the weights
                buffer.copy_(buffers[name][k])
            module.eval()
    return modules

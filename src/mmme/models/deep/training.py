"""
One way to train a network: a fixed number of epochs, one order of rows, the state after the last epoch.

What is random follows from the seed alone: the start of the weights, the order of rows in each epoch (which depends on the
number of training rows and nothing else), and what is dropped (`mmme.models.deep.layers`). The epoch is never chosen: a
choice by test rows is worth 0.06 to 0.14 UF1 on the MEGC2019 composite and is no result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mmme.errors import ConfigError, DataError, raise_faults
from mmme.models.deep.layers import Prepares, at_step

__all__ = ["Build", "Training", "batches", "learning_rate_at", "loss_function", "make_optimiser", "seeded_module", "train"]

Build = Callable[[tuple[int, ...], int], nn.Module]
Loss = Callable[[Tensor, Tensor], Tensor]

OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")
MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Training:
    """
    How a network is trained.

    Parameters
    ----------
    epochs
        Passes over the training rows; the state after the last one is kept.
    learning_rate
        Step size.
    batch_size
        Rows of a step.
    optimiser
        ``adam``, ``adamw`` or ``sgd`` (momentum 0.9).
    weight_decay
        As the optimiser defines it.
    class_weights
        Weigh rows so that classes count equally in the loss.
    focal_gamma
        Above 0: rows that are right already count less (focal loss, doi:10.1109/ICCV.2017.324).
    balanced_sampling
        Draw as many rows of each class in an epoch, rare ones again.
    label_smoothing
        Share of certainty given to all classes, 0 to below 1.
    mirror
        Half of the rows of a step are mirrored left to right, chosen by the seed; horizontal motion changes its sign.
    schedule
        ``constant``, or ``cosine`` down to zero.

    Raises
    ------
    ConfigError
        If a value is out of range.

    Examples
    --------
    >>> Training(epochs=50, learning_rate=1e-3, batch_size=64).optimiser
    'adam'
    """

    epochs: int
    learning_rate: float
    batch_size: int
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    class_weights: bool = False
    focal_gamma: float = 0.0
    balanced_sampling: bool = False
    label_smoothing: float = 0.0
    mirror: bool = False
    schedule: Literal["constant", "cosine"] = "constant"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        faults = []
        for name, value, least in (("epochs", self.epochs, 1), ("batch_size", self.batch_size, 1)):
            if value < least:
                faults.append(f"{name}: expected at least {least}, got {value}")
        if not self.learning_rate > 0:
            faults.append(f"learning_rate: expected more than 0, got {self.learning_rate}")
        if self.weight_decay < 0 or self.focal_gamma < 0:
            faults.append(
                f"expected a weight_decay and focal_gamma of 0 or more, got {self.weight_decay} and {self.focal_gamma}"
            )
        if not 0 <= self.label_smoothing < 1:
            faults.append(f"label_smoothing: expected 0 to below 1, got {self.label_smoothing}")
        if self.optimiser not in OPTIMISERS:
            faults.append(f"optimiser: expected {', '.join(OPTIMISERS)}, got '{self.optimiser}'")
        if self.schedule not in SCHEDULES:
            faults.append(f"schedule: expected {', '.join(SCHEDULES)}, got '{self.schedule}'")
        raise_faults("training", faults, error=ConfigError)


def _random(seed: int, epoch: int, purpose: int) -> np.random.Generator:
    """Numbers for one epoch and purpose, whatever was drawn before."""
    return np.random.Generator(np.random.Philox(key=[seed, (epoch << 8) + purpose]))


def batches(y: NDArray[np.int64], training: Training, seed: int, epoch: int) -> Iterator[NDArray[np.intp]]:
    """
    Yield the rows of each step of an epoch.

    A last batch of a single row is joined to the one before: batch statistics of one row do not exist.

    Parameters
    ----------
    y : (n,)
        Codes of the classes; only their number matters unless sampling is balanced.
    training
        Size of batches, and sampling.
    seed, epoch
        What the order follows from.

    Examples
    --------
    >>> made = list(batches(np.zeros(5, dtype=np.int64), Training(1, 0.1, 2), 0, 0))
    >>> [len(b) for b in made], sorted(np.concatenate(made).tolist())
    ([2, 3], [0, 1, 2, 3, 4])
    """
    rng = _random(seed, epoch, 0)
    if training.balanced_sampling:
        classes, counts = np.unique(y, return_counts=True)
        most = int(counts.max())
        rows = []
        for code in classes:
            own = np.flatnonzero(y == code)
            times, rest = divmod(most, len(own))
            rows += [np.tile(own, times), rng.permutation(own)[:rest]]
        order = rng.permutation(np.concatenate(rows))
    else:
        order = rng.permutation(len(y))
    edges = list(range(0, len(order), training.batch_size))
    if len(edges) > 1 and len(order) - edges[-1] == 1:
        edges.pop()
    for start, stop in zip(edges, [*edges[1:], len(order)], strict=True):
        yield order[start:stop]


def mirrored(seed: int, step: int, n: int) -> NDArray[np.bool_]:
    """Choose the rows of a step, counted from the start of training, that are mirrored."""
    return np.asarray(_random(seed, step, 1).random(n) < 0.5)


def loss_function(y: NDArray[np.int64], n_classes: int, training: Training) -> Loss:
    """
    Return the loss of logits ``(batch, n_classes)`` and codes ``(batch,)``, the mean over rows.

    Class weights are ``n / (n_classes * count)`` of the training rows, as scikit-learn's ``balanced``.

    Examples
    --------
    >>> loss = loss_function(np.array([0, 1]), 2, Training(1, 0.1, 2))
    >>> round(float(loss(torch.zeros(1, 2), torch.tensor([0]))), 4)
    0.6931
    """
    weight = None
    if training.class_weights:
        counts = np.bincount(y, minlength=n_classes)
        weight = torch.tensor(len(y) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)

    def loss(logits: Tensor, codes: Tensor) -> Tensor:
        if training.focal_gamma == 0:
            each = functional.cross_entropy(
                logits, codes, weight=weight, label_smoothing=training.label_smoothing, reduction="none"
            )
        else:
            log_p = functional.log_softmax(logits, dim=1)
            certain = torch.zeros_like(log_p).scatter_(1, codes[:, None], 1.0)
            target = certain * (1 - training.label_smoothing) + training.label_smoothing / logits.shape[1]
            each = -(target * (1 - log_p.exp()) ** training.focal_gamma * log_p).sum(dim=1)
            each = each if weight is None else each * weight[codes]
        return each.sum() / (len(codes) if weight is None else weight[codes].sum())

    return loss


def make_optimiser(parameters: list[nn.Parameter], training: Training) -> torch.optim.Optimizer:
    """Return the optimiser of a training."""
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimiser == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=MOMENTUM, weight_decay=decay)
    if training.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)


def learning_rate_at(training: Training, epoch: int) -> float:
    """Return the step size of an epoch, counted from 0."""
    if training.schedule == "constant":
        return training.learning_rate
    return float(training.learning_rate * 0.5 * (1 + np.cos(np.pi * epoch / training.epochs)))


def seeded_module(build: Build, shape: tuple[int, ...], n_classes: int, seed: int) -> nn.Module:
    """Build a network whose weights follow from the seed; the caller's random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(shape, n_classes)


def train(
    build: Build,
    X: Tensor,
    y: NDArray[np.int64],
    n_classes: int,
    training: Training,
    seed: int,
    *,
    mirror: Callable[[Tensor], Tensor] | None = None,
    told: Callable[[int, float], None] | None = None,
) -> nn.Module:
    """
    Train a network on all rows given.

    Parameters
    ----------
    build
        From the shape of a row and the number of classes to a network.
    X : (n, *shape) float32
        Rows, none missing.
    y : (n,)
        Codes of their classes, 0 to ``n_classes - 1``.
    n_classes
        How many classes there are.
    training
        How.
    seed
        Of everything random.
    mirror
        How rows are mirrored; needed when the training asks for it.
    told
        Called with each epoch and its mean loss.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, after the last epoch.

    Raises
    ------
    ConfigError
        If rows shall be mirrored that have no left and right.
    DataError
        If rows are missing, or the loss ceases to be a number.

    Examples
    --------
    >>> X = torch.tensor([[0.0], [1.0]]).repeat(8, 1)
    >>> net = train(lambda shape, n: nn.Linear(*shape, n), X, np.array([0, 1] * 8), 2, Training(200, 0.1, 16), seed=0)
    >>> net(torch.tensor([[0.0], [1.0]])).argmax(dim=1).tolist()
    [0, 1]
    """
    missing = int((~torch.isfinite(X.reshape(len(X), -1)).all(dim=1)).sum())
    if missing:
        raise DataError(
            f"training of a network: expected rows without missing values, got {missing} of {len(X)} with some; leave them "
            "out, or let a fusion decide them by another modality"
        )
    if training.mirror and mirror is None:
        raise ConfigError("training: expected inputs with a left and a right to mirror, got others; leave mirror off")
    module = seeded_module(build, tuple(X.shape[1:]), n_classes, seed)
    loss_of, optimiser = loss_function(y, n_classes, training), make_optimiser(list(module.parameters()), training)
    codes = torch.from_numpy(y)
    module.train()
    # what a network can lay out once for all its steps; images that change from step to step are not for that
    source = module.prepared(X) if isinstance(module, Prepares) and not training.mirror else X
    step = 0
    for epoch in range(training.epochs):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at(training, epoch)
        total = 0.0
        for rows in batches(y, training, seed, epoch):
            picked = torch.from_numpy(rows)
            inputs = source[picked]
            if training.mirror and mirror is not None:
                flip = torch.from_numpy(mirrored(seed, step, len(rows)))
                inputs[flip] = mirror(inputs[flip])
            at_step(module, seed, step)
            optimiser.zero_grad(set_to_none=True)
            loss = loss_of(module(inputs), codes[picked])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(rows)
            step += 1
        if not np.isfinite(total):
            raise DataError(
                f"training of a network, epoch {epoch}: expected a finite loss, got {total}; is the step too large?"
            )
        if told is not None:
            told(epoch, total / len(y))
    return module.eval()

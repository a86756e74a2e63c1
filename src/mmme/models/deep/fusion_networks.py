"""Small networks that fuse modalities: building, training and asking them, seeded and without global side effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mmme.models.deep.contrastive import ContrastiveFusion
from mmme.models.deep.cross_attention import CrossAttention
from mmme.models.deep.layers import at_step
from mmme.models.deep.tensor_fusion import LowRankFusion

__all__ = ["HEADS", "FusionTraining", "probabilities_of", "trained"]

Floats = NDArray[np.float32]

HEADS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {"tensor": LowRankFusion, "cross-attention": CrossAttention, "contrastive": ContrastiveFusion}
)


@dataclass(frozen=True, slots=True)
class FusionTraining:
    """
    How a fusion network is trained; every epoch counts, the last is kept.

    Parameters
    ----------
    epochs
        Passes over the training rows.
    pretraining_epochs
        Passes of contrastive pre-training before; other heads have none.
    learning_rate, weight_decay
        Of AdamW (arXiv:1711.05101).
    batch_size
        Rows of a step.
    width
        Features of each modality.
    dropout
        Of features.
    left_out
        Share of rows with several modalities from which one is taken away in training, so that none is relied on.
    """

    epochs: int
    pretraining_epochs: int
    learning_rate: float
    weight_decay: float
    batch_size: int
    width: int
    dropout: float
    left_out: float


def _tensors(parts: Sequence[Floats]) -> list[Tensor]:
    return [torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)) for part in parts]


def _leave_one_out(there: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Take one modality from some of the rows that have several."""
    one = torch.multinomial(there, 1, generator=generator)[:, 0]
    chosen = (torch.rand(len(there), generator=generator) < share) & (there.sum(dim=1) > 1)
    left = there.clone()
    left[torch.nonzero(chosen)[:, 0], one[chosen]] = 0.0
    return left


def _steps(
    module: nn.Module,
    parameters: Sequence[nn.Parameter],
    loss: Callable[[NDArray[np.intp], torch.Generator], Tensor],
    batches: Callable[[np.random.Generator], list[NDArray[np.intp]]],
    epochs: int,
    how: FusionTraining,
    seed: int,
) -> None:
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(parameters, lr=how.learning_rate, weight_decay=how.weight_decay)
    module.train()
    step = 0
    for _ in range(epochs):
        for rows in batches(rng):
            at_step(module, seed, step)
            optimiser.zero_grad()
            loss(rows, generator).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            step += 1
    module.eval()


def trained(
    head: str,
    parts: Sequence[Floats],
    there: NDArray[np.bool_],
    y: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    n_classes: int,
    how: FusionTraining,
    seed: int,
) -> nn.Module:
    """
    Build and train a network on all rows given; classes weigh equally.

    Parameters
    ----------
    head
        One of `HEADS`.
    parts
        Standardised columns of each modality ``(n_samples, n_columns)``, 0 where missing.
    there : (n_samples, n_modalities)
        Which modalities each row has, at least one each.
    y : (n_samples,)
        Positions of classes.
    groups : (n_samples,)
        Positions of subjects; contrastive pre-training compares rows of one subject.
    n_classes
        Classes.
    how
        Training.
    seed
        Of initialisation, order, dropout and left-out modalities; torch's global generator is left as it was.

    Returns
    -------
    nn.Module
        In evaluation mode.
    """
    inputs, present = _tensors(parts), torch.from_numpy(there.astype(np.float32))
    target, who = torch.from_numpy(y.astype(np.int64)), torch.from_numpy(groups.astype(np.int64))
    counts = np.bincount(y, minlength=n_classes)
    weight = torch.from_numpy((len(y) / n_classes / np.maximum(counts, 1)).astype(np.float32))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = HEADS[head]([part.shape[1] for part in parts], n_classes, width=how.width, dropout=how.dropout)

    def shuffled(rng: np.random.Generator) -> list[NDArray[np.intp]]:
        order = rng.permutation(len(y))
        return [order[i : i + how.batch_size] for i in range(0, len(y), how.batch_size)]

    def loss(rows: NDArray[np.intp], generator: torch.Generator) -> Tensor:
        left = _leave_one_out(present[rows], how.left_out, generator)
        return functional.cross_entropy(module([part[rows] for part in inputs], left), target[rows], weight=weight)

    learning = list(module.parameters())
    if isinstance(module, ContrastiveFusion):
        pretrained = module

        def by_subject(rng: np.random.Generator) -> list[NDArray[np.intp]]:
            """Whole subjects, some to a batch."""
            names = rng.permutation(np.unique(groups))
            share = max(1, round(len(names) * how.batch_size / len(y)))
            chunks = [names[i : i + share] for i in range(0, len(names), share)]
            return [np.flatnonzero(np.isin(groups, chunk)) for chunk in chunks]

        def alike(rows: NDArray[np.intp], generator: torch.Generator) -> Tensor:
            del generator
            return pretrained.pretraining_loss([part[rows] for part in inputs], present[rows], who[rows])

        _steps(module, list(module.encoders.parameters()), alike, by_subject, how.pretraining_epochs, how, seed)
        learning = list(module.head.parameters())
    _steps(module, learning, loss, shuffled, how.epochs, how, seed + 1)
    return module


def probabilities_of(module: nn.Module, parts: Sequence[Floats], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Class probabilities of rows, ``(n_samples, n_classes)``."""
    with torch.no_grad():
        logits = module(_tensors(parts), torch.from_numpy(there.astype(np.float32)))
        return np.asarray(logits.double().softmax(dim=1).numpy(), dtype=np.float64)

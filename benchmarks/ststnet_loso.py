"""
How much faster a leave-one-subject-out run of STSTNet is than the authors' way of training it, and whether it is the same.

Usage: ``python benchmarks/ststnet_loso.py [--table flow.npz] [--folds 3] [--epochs 6] [--whole]``. Without a table, images
are simulated (442 of 28 x 28, 68 subjects). The authors' way: three streams of their own, a loader that joins single
images, and a look at the test rows after every epoch. Both take turns in one run on one thread; CPU time per fold and
epoch is compared, to which a whole run of 68 folds and 800 epochs is proportional. Then both train with the same start,
order and dropped units, and their predictions are compared. ``--whole`` carries out our whole run as well: about 40
minutes. Ends with 1 when ours is less than 3 times as fast, or results differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before anything loads it

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Subset, TensorDataset

from mmme.io.flow_npz import read_flow_npz
from mmme.metrics.recognition import confusion, uar, uf1
from mmme.models.deep.layers import Dropout, at_step
from mmme.models.deep.ststnet import STREAM_MAPS, STSTNet
from mmme.models.deep.training import Training, batches, seeded_module, train

LEAST, MOST_APART, ROUNDS = 3.0, 1e-4, 5
EPOCHS, RATE, BATCH = 800, 5e-5, 256


class ThreeStreams(nn.Module):
    """The network as published: every stream by itself. With ``keyed`` it drops what ours drops."""

    def __init__(self, n_classes: int, *, keyed: bool) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(3, k, 3, padding=2) for k in STREAM_MAPS])
        self.norms = nn.ModuleList([nn.BatchNorm2d(k) for k in STREAM_MAPS])
        self.pool, self.mean = nn.MaxPool2d(3, stride=3, padding=1), nn.AvgPool2d(2, stride=2)
        self.keyed = Dropout(0.5) if keyed else None
        self.plain = nn.Dropout(0.5)
        self.head = nn.Linear(400, n_classes)

    def started_as(self, net: STSTNet) -> ThreeStreams:
        """Take the weights of our network."""
        with torch.no_grad():
            for ours, own in ((net.convolution, self.convolutions), (net.norm, self.norms)):
                for name in ("weight", "bias"):
                    for part, values in zip(own, getattr(ours, name).split(STREAM_MAPS), strict=True):
                        getattr(part, name).copy_(values)
            self.head.load_state_dict(net.head.state_dict())
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        streams = [self.pool(n(torch.relu(c(x)))) for c, n in zip(self.convolutions, self.norms, strict=True)]
        if self.keyed is None:
            maps = torch.cat([self.plain(stream) for stream in streams], dim=1)
        else:
            maps = self.keyed(torch.cat(streams, dim=1))
        return torch.as_tensor(self.head(self.mean(maps).flatten(1)))


def authors_way(
    net: ThreeStreams,
    X: Tensor,
    codes: Tensor,
    tested: tuple[Tensor, Tensor],
    epochs: int,
    orders: list[list[NDArray]] | None,
) -> ThreeStreams:
    """Train as published, in the order of the rows, or in a given one."""
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    rows, test = TensorDataset(X, codes), DataLoader(TensorDataset(*tested), batch_size=BATCH)
    step = 0
    for epoch in range(epochs):
        net.train()
        if orders is None:
            loader = iter(DataLoader(rows, batch_size=BATCH))
        else:
            loader = iter([next(iter(DataLoader(Subset(rows, b.tolist()), batch_size=len(b)))) for b in orders[epoch]])
        for x, y in loader:
            at_step(net, 0, step)
            optimiser.zero_grad()
            logits = net(x)
            loss = functional.cross_entropy(logits, y)
            loss.backward()
            optimiser.step()
            float(loss.detach()), int((logits.argmax(dim=1) == y).sum())
            step += 1
        net.eval()
        with torch.no_grad():
            for x, y in test:
                logits = net(x)
                float(functional.cross_entropy(logits, y)), int((logits.argmax(dim=1) == y).sum())
    return net.eval()


def read(path: Path | None) -> tuple[Tensor, NDArray[np.int64], NDArray]:
    """Images as the authors' loader gives them, classes and subjects."""
    if path is None:
        rng = np.random.default_rng(0)
        codes, who = rng.integers(0, 3, 442), rng.permutation(np.arange(442) % 68)
        X = rng.uniform(0, 255, (442, 3, 28, 28)).astype(np.float32)
        X[:, 0, 8:16] += 40 * codes[:, None, None].astype(np.float32)
        return torch.from_numpy(X), codes, who
    table = read_flow_npz(path)
    X = np.moveaxis(np.asarray(table.X, dtype=np.float32), -1, 1)
    return torch.from_numpy(X.copy()), np.unique(table.labels, return_inverse=True)[1].astype(np.int64), table.subjects


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", type=Path)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--whole", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    X, codes, who = read(asked.table)
    n_classes, subjects = int(codes.max()) + 1, np.unique(who)
    training = Training(epochs=asked.epochs, learning_rate=RATE, batch_size=BATCH)
    y = torch.from_numpy(codes)

    taken, apart, differing = [], 0.0, 0
    for k, subject in enumerate([*subjects[:1], *subjects[: asked.folds]]):
        inside, outside = torch.from_numpy(np.flatnonzero(who != subject)), torch.from_numpy(np.flatnonzero(who == subject))
        tested = (X[outside], y[outside])
        for _ in range(ROUNDS if k else 1):  # the first fold warms up
            started = time.process_time()
            train(STSTNet, X[inside], codes[inside], n_classes, training, 0)
            middle = time.process_time()
            authors_way(ThreeStreams(n_classes, keyed=False), X[inside], y[inside], tested, asked.epochs, None)
            if k:
                taken.append((middle - started, time.process_time() - middle))
        ours = train(STSTNet, X[inside], codes[inside], n_classes, training, 0)
        start = seeded_module(STSTNet, (3, 28, 28), n_classes, 0)
        orders = [list(batches(codes[inside], training, 0, epoch)) for epoch in range(asked.epochs)]
        same = ThreeStreams(n_classes, keyed=True).started_as(start)
        theirs = authors_way(same, X[inside], y[inside], tested, asked.epochs, orders)
        with torch.no_grad():
            both = [torch.softmax(net(X[outside]), dim=1) for net in (ours, theirs)]
        apart = max(apart, float((both[0] - both[1]).abs().max()))
        differing += int((both[0].argmax(dim=1) != both[1].argmax(dim=1)).sum())
    seconds = np.median(np.array(taken), axis=0) / asked.epochs
    ratio = float(np.median(np.array(taken)[:, 1] / np.array(taken)[:, 0]))
    print(f"per fold and epoch: {1e3 * seconds[0]:.1f} ms, the authors' way {1e3 * seconds[1]:.1f} ms: {ratio:.1f}x (CPU)")
    print(f"probabilities of test rows differ by {apart:.1e} at most, {differing} predictions")
    if asked.whole:
        whole(X, codes, who, subjects)
    return int(ratio < LEAST or apart > MOST_APART or differing > 0)


def whole(X: Tensor, codes: NDArray[np.int64], who: NDArray, subjects: NDArray) -> None:
    """Our whole run, every fold and epoch, at the published settings."""
    started, predicted = time.process_time(), np.empty_like(codes)
    training = Training(epochs=EPOCHS, learning_rate=RATE, batch_size=BATCH)
    for subject in subjects:
        inside = np.flatnonzero(who != subject)
        net = train(STSTNet, X[inside], codes[inside], int(codes.max()) + 1, training, 0)
        with torch.no_grad():
            predicted[who == subject] = net(X[who == subject]).argmax(dim=1).numpy()
    counts = confusion(codes, predicted, sorted(set(codes.tolist()))).astype(np.float64)
    print(
        f"whole run: {time.process_time() - started:.0f} CPU s for {len(subjects)} folds and {EPOCHS} epochs; "
        f"last epoch: UF1 {float(uf1(counts)):.3f}, UAR {float(uar(counts)):.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())

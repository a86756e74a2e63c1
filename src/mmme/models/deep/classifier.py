"""A network as a scikit-learn classifier: any architecture by name, trained by the one trainer."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn

from mmme.errors import ConfigError, DataError
from mmme.models.deep.inputs import AXES, Scale, channels_first, mirror_of
from mmme.models.deep.networks import NetworkSpec, spec_of
from mmme.models.deep.stacking import train_stacked
from mmme.models.deep.training import Training, train
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["NetworkClassifier"]

log = logging.getLogger(__name__)

WAYS = ("auto", "one-by-one", "stacked")
TIMED_EPOCHS = 1
TIMED_ALONE = 2
AT_ONCE = 8


class NetworkClassifier(ClassifierMixin, BaseEstimator):
    """
    A network by name, with scikit-learn's contract.

    Inputs are scaled per channel with the mean and deviation of the training rows. Parameters of training that are None
    are the network's own (``mmme.models.deep.networks``).

    Parameters
    ----------
    network
        Name of an architecture, for example ``ststnet``.
    epochs, learning_rate, batch_size, optimiser, weight_decay, schedule
        See `mmme.models.deep.training.Training`.
    class_weights, focal_gamma, balanced_sampling, label_smoothing, mirror
        Against imbalance and for augmentation; off unless asked.
    scale
        ``channel``, or ``none`` for inputs that are on a scale already.
    shape
        Shape of one row in the table, for rows that come flattened, as in a fusion.
    random_state
        Seed of start, order and dropout, the same in every fold.
    way
        How many folds are trained: ``one-by-one``, ``stacked`` (folds of as many rows side by side in one tensor), or
        ``auto``, which times both for one epoch. Predictions are the same to rounding.

    Attributes
    ----------
    classes_
        In sorted order.
    module_
        The trained network.
    scale_
        Learned scales.
    way_
        After `predict_over_folds`: what was chosen.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(40, 8, 8, 3)), np.repeat(["neg", "pos"], 20)
    >>> X[20:, 4:, :, 1] += 2.0
    >>> model = NetworkClassifier("ststnet", epochs=20, learning_rate=1e-2).fit(X, y)
    >>> bool((model.predict(X) == y).mean() > 0.9)
    True
    """

    def __init__(
        self,
        network: str = "ststnet",
        epochs: int | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        optimiser: str | None = None,
        weight_decay: float | None = None,
        schedule: str | None = None,
        class_weights: bool | None = None,  # noqa: FBT001  scikit-learn sets parameters by name
        focal_gamma: float | None = None,
        balanced_sampling: bool | None = None,  # noqa: FBT001
        label_smoothing: float | None = None,
        mirror: bool | None = None,  # noqa: FBT001
        scale: Literal["channel", "none"] = "channel",
        shape: tuple[int, ...] | None = None,
        random_state: int = 0,
        way: Literal["auto", "one-by-one", "stacked"] = "one-by-one",
    ) -> None:
        self.network = network
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.optimiser = optimiser
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.class_weights = class_weights
        self.focal_gamma = focal_gamma
        self.balanced_sampling = balanced_sampling
        self.label_smoothing = label_smoothing
        self.mirror = mirror
        self.scale = scale
        self.shape = shape
        self.random_state = random_state
        self.way = way

    @property
    def folds_at_once(self) -> int:
        """How many folds an evaluation gives at a time, so that progress is seen."""
        return AT_ONCE

    @property
    def training(self) -> Training:
        """The network's own training with what was asked for."""
        asked = {f.name: getattr(self, f.name) for f in fields(Training)}
        return replace(self._spec.training, **{k: v for k, v in asked.items() if v is not None})

    @property
    def _spec(self) -> NetworkSpec:
        return spec_of(self.network)

    def _rows(self, X: ArrayLike) -> NDArray[np.float32]:
        """Check and turn rows to channels first."""
        if self.way not in WAYS:
            raise ConfigError(f"network '{self.network}': expected a way among {', '.join(WAYS)}, got '{self.way}'")
        if self.scale not in ("channel", "none"):
            raise ConfigError(f"network '{self.network}': expected a scale of channel or none, got '{self.scale}'")
        X = np.asarray(X, dtype=np.float32)
        if self.shape is not None and X.ndim == 2:
            if X.shape[1] != int(np.prod(self.shape)):
                raise DataError(
                    f"network '{self.network}': expected {int(np.prod(self.shape))} values per row for shape {self.shape}, "
                    f"got {X.shape[1]}"
                )
            X = X.reshape(len(X), *self.shape)
        missing = int((~np.isfinite(X.reshape(len(X), -1)).all(axis=1)).sum())
        if missing:
            raise DataError(
                f"network '{self.network}': expected rows without missing values, got {missing} of {len(X)} with some; "
                "leave them out, or let a fusion decide them by another modality"
            )
        kind = self._spec.takes
        if kind == "band-power" and X.ndim == AXES[kind] + 2:  # with windows in time
            return X
        return channels_first(X, kind, f"network '{self.network}'")

    def _scaled(self, X: NDArray[np.float32]) -> Scale:
        return Scale.learned(X) if self.scale == "channel" else Scale.none(X)

    def fit(self, X: ArrayLike, y: ArrayLike) -> NetworkClassifier:
        """
        Train on all rows.

        Parameters
        ----------
        X : (n, ...)
            Rows as tables keep them; see `mmme.models.deep.inputs.channels_first`.
        y : (n,)
            Classes.

        Raises
        ------
        ConfigError
            If network, way or a parameter is not known or out of range.
        DataError
            If rows have another shape or missing values, or the loss ceases to be a number.
        """
        rows, y = self._rows(X), np.asarray(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.scale_ = self._scaled(rows)
        self.shape_ = tuple(rows.shape[1:])
        self.module_ = self._trained(rows, codes.astype(np.int64), self.scale_)
        return self

    def _trained(self, rows: NDArray[np.float32], codes: NDArray[np.int64], scale: Scale) -> nn.Module:
        n_classes = int(codes.max()) + 1
        mirror = mirror_of(self._spec.takes, scale)
        return train(self._spec.build, scale(rows), codes, n_classes, self.training, self.random_state, mirror=mirror)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities, ``(n, n_classes)``, columns as ``classes_``."""
        return probabilities_of(self.module_, self._rows(X), self.scale_)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable classes."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def predict_over_folds(
        self, X: ArrayLike, y: ArrayLike, folds: Sequence[Rows], *, groups: ArrayLike | None = None
    ) -> list[FoldPrediction]:
        """
        Predict the test rows of every fold by a network trained on its training rows alone.

        Parameters
        ----------
        X, y
            As in `fit`, all rows.
        folds
            Training and test rows.
        groups
            Not used.
        """
        del groups
        rows, labels = self._rows(X), np.asarray(y)
        self.way_ = self.way if self.way != "auto" else self._quicker(rows, labels, folds)
        out: list[FoldPrediction | None] = [None] * len(folds)
        for positions in _of_one_size(folds) if self.way_ == "stacked" else [[k] for k in range(len(folds))]:
            trained = self._trained_folds(rows, labels, [folds[k] for k in positions], self.training)
            for k, (module, classes, scale) in zip(positions, trained, strict=True):
                values = probabilities_of(module, rows[folds[k][1]], scale)
                names = classes.astype(np.str_)
                out[k] = FoldPrediction(names[values.argmax(axis=1)], "probability", values, names)
        return [one for one in out if one is not None]

    def _trained_folds(
        self, rows: NDArray[np.float32], labels: NDArray[Any], folds: Sequence[Rows], training: Training
    ) -> list[tuple[nn.Module, NDArray[Any], Scale]]:
        """Networks, classes and scales of folds; several of one size side by side."""
        parts = []
        for fold, _ in folds:
            classes, codes = np.unique(labels[fold], return_inverse=True)
            scale = self._scaled(rows[fold])
            parts.append((classes, codes.astype(np.int64), scale, scale(rows[fold])))
        mirrors = [mirror_of(self._spec.takes, scale) for _, _, scale, _ in parts]
        same = len({len(classes) for classes, *_ in parts}) == 1
        if len(parts) > 1 and same and not training.balanced_sampling:  # which draws as many as the largest class has
            inputs = torch.stack([x for *_, x in parts])
            codes = np.stack([c for _, c, _, _ in parts])
            n = len(parts[0][0])
            modules = train_stacked(self._spec.build, inputs, codes, n, training, self.random_state, mirrors=mirrors)
        else:
            modules = [
                train(self._spec.build, x, codes, len(classes), training, self.random_state, mirror=mirror)
                for (classes, codes, _, x), mirror in zip(parts, mirrors, strict=True)
            ]
        return [(module, classes, scale) for module, (classes, _, scale, _) in zip(modules, parts, strict=True)]

    def way_for(self, X: ArrayLike, y: ArrayLike, folds: Sequence[Rows]) -> str:
        """
        Say which way these folds are trained sooner: a few of them are, both ways, for one epoch.

        Parameters
        ----------
        X, y, folds
            As in `predict_over_folds`.

        Returns
        -------
        str
            ``one-by-one`` or ``stacked``; the former where folds differ in size or the network cannot be stacked.
        """
        return self._quicker(self._rows(X), np.asarray(y), folds)

    def _quicker(self, rows: NDArray[np.float32], labels: NDArray[Any], folds: Sequence[Rows]) -> str:
        largest = max(_of_one_size(folds), key=len)[:AT_ONCE]
        if len(largest) < 2:
            return "one-by-one"
        some = [folds[k] for k in largest]
        short = replace(self.training, epochs=min(TIMED_EPOCHS, self.training.epochs), schedule="constant")
        once = replace(short, epochs=1)
        try:
            self._trained_folds(rows, labels, some, once)  # what is compiled or allocated the first time is not timed
            started = time.perf_counter()
            self._trained_folds(rows, labels, some, short)
        except (RuntimeError, NotImplementedError) as error:  # an operation without a rule for stacks
            log.info("network %s: folds one by one, they cannot be stacked (%s)", self.network, error)
            return "one-by-one"
        stacked = time.perf_counter() - started
        self._trained_folds(rows, labels, some[:1], once)
        started = time.perf_counter()
        for fold in some[:TIMED_ALONE]:
            self._trained_folds(rows, labels, [fold], short)
        alone = (time.perf_counter() - started) * len(some) / len(some[:TIMED_ALONE])
        way = "stacked" if stacked < alone else "one-by-one"
        log.info("network %s: %s, %d folds took %.3f s stacked, %.3f s alone", self.network, way, len(some), stacked, alone)
        return way


def _of_one_size(folds: Sequence[Rows]) -> list[list[int]]:
    """Group folds by their number of training rows: only those have batches of the same sizes."""
    sizes: dict[int, list[int]] = {}
    for k, (train_rows, _) in enumerate(folds):
        sizes.setdefault(len(train_rows), []).append(k)
    return [own[i : i + AT_ONCE] for own in sizes.values() for i in range(0, len(own), AT_ONCE)]


def probabilities_of(module: nn.Module, rows: NDArray[np.float32], scale: Scale) -> NDArray[np.float64]:
    """Return class probabilities of rows, ``(n, n_classes)``."""
    with torch.inference_mode():
        inputs = scale(rows)
        parts = [torch.softmax(module(inputs[k : k + 256]).double(), dim=1) for k in range(0, len(inputs), 256)]
    return np.asarray(torch.cat(parts).numpy()) if parts else np.zeros((0, 0))

"""Networks that see all modalities at once, as estimators; PyTorch is needed to fit them and for nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from mmme.errors import ConfigError, raise_faults, unknown_name
from mmme.models.fusion import modalities
from mmme.models.fusion.modalities import Columns, columns_of

__all__ = ["HEADS", "NetworkFusion"]

#: Networks by name; they are in `mmme.models.deep.fusion_networks`.
HEADS = ("tensor", "cross-attention", "contrastive")
DONE = "decided by the others, which training prepared for"


def _networks(head: str) -> ModuleType:
    try:
        from mmme.models.deep import fusion_networks
    except ImportError as error:
        raise ConfigError(
            f"{head} fusion: expected PyTorch, got none installed; install the extra 'deep' (pip install 'mmme[deep]')"
        ) from error
    return fusion_networks


class NetworkFusion(ClassifierMixin, BaseEstimator):
    """
    A small network of all modalities.

    Values are filled with the median and standardised with mean and deviation of the training rows that have the modality;
    a missing modality enters as missing, not as values. A row without any teaches nothing and gets the shares of the
    classes in training. The number of epochs is fixed: no epoch is ever chosen on rows that are not for training.

    Parameters
    ----------
    head
        ``tensor`` (low-rank product of features, arXiv:1806.00064), ``cross-attention`` (each modality asks the others),
        ``contrastive`` (features by which a row's modalities match among the rows of its subject, InfoNCE on training
        rows, then a linear head).
    columns
        By modality: positions of its columns in ``X``.
    quality
        By modality: positions of columns in ``X``; a modality whose quality is 0 in a row counts as missing there.
    random_state
        Of initialisation, order of rows and dropout.
    epochs, pretraining_epochs, learning_rate, weight_decay, batch_size, width, dropout, left_out
        As in `mmme.models.deep.fusion_networks.FusionTraining`.

    Attributes
    ----------
    module_
        The trained network.
    classes_
        Classes in sorted order.
    missing_note_
        What was missing in the rows fitted, and what was done; empty when nothing was.
    """

    def __init__(
        self,
        head: str,
        columns: Columns,
        quality: Mapping[str, Sequence[int]] | None = None,
        random_state: int | None = None,
        epochs: int = 20,
        pretraining_epochs: int = 40,
        learning_rate: float = 0.003,
        weight_decay: float = 0.1,
        batch_size: int = 64,
        width: int = 16,
        dropout: float = 0.5,
        left_out: float = 0.2,
    ) -> None:
        self.head = head
        self.columns = columns
        self.quality = quality
        self.random_state = random_state
        self.epochs = epochs
        self.pretraining_epochs = pretraining_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.width = width
        self.dropout = dropout
        self.left_out = left_out

    @property
    def _where(self) -> str:
        return f"{self.head} fusion"

    def _seen(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        if self.head not in HEADS:
            raise unknown_name("network of fusion", self.head, HEADS)
        X = modalities.checked(self._where, X, self.columns, quality=self.quality)
        wholes = {"epochs": self.epochs, "batch_size": self.batch_size, "width": self.width}
        faults = [f"{name}: expected at least 1, got {value}" for name, value in wholes.items() if value < 1]
        shares = {"dropout": self.dropout, "left_out": self.left_out}
        faults += [f"{name}: expected a share from 0 to below 1, got {v}" for name, v in shares.items() if not 0 <= v < 1]
        if self.learning_rate <= 0:
            faults.append(f"learning_rate: expected above 0, got {self.learning_rate}")
        if self.head == "contrastive" and len(self.columns) < 2:
            faults.append(f"expected at least 2 modalities to compare, got {', '.join(self.columns)}")
        raise_faults(self._where, faults, error=ConfigError)
        return modalities.trusted_only(X, self.columns, self.quality)

    def _parts(self, X: NDArray[Any], there: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
        """Columns of each modality, filled and standardised; 0 where it is missing."""
        out = []
        for m, name in enumerate(self.columns):
            part = np.zeros((len(X), len(columns_of(self.columns, name))), dtype=np.float32)
            if there[:, m].any():
                part[there[:, m]] = self.scalers_[name].transform(X[there[:, m]][:, columns_of(self.columns, name)])
            out.append(part)
        return out

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> NetworkFusion:
        """
        Train on the rows that have any modality.

        Parameters
        ----------
        X : (n_samples, n_features)
            All modalities side by side.
        y : (n_samples,)
            Classes.
        groups : (n_samples,)
            Subjects; contrastive pre-training compares rows of one subject, or all rows without them.

        Raises
        ------
        ConfigError
            If PyTorch is missing, or parameters or columns do not fit.
        ProtocolError
            If a modality is missing in all rows of all but one class.
        """
        (X, there), y = self._seen(X), np.asarray(y)
        networks = _networks(self.head)
        modalities.learnable(self._where, y, there, list(self.columns))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        self.scalers_ = {}
        for m, name in enumerate(self.columns):
            scaler = Pipeline(
                [("impute", SimpleImputer(strategy="median", keep_empty_features=True)), ("scale", StandardScaler())]
            )
            self.scalers_[name] = scaler.fit(X[there[:, m]][:, columns_of(self.columns, name)])
        rows = there.any(axis=1)
        who = np.zeros(len(y), dtype=np.intp) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
        seed = self.random_state
        if seed is None:
            seed = int(check_random_state(None).randint(2**31 - 1))
        self.module_ = networks.trained(
            self.head,
            self._parts(X[rows], there[rows]),
            there[rows],
            np.searchsorted(self.classes_, y[rows]),
            who[rows],
            n_classes=len(self.classes_),
            how=networks.FusionTraining(
                epochs=self.epochs,
                pretraining_epochs=self.pretraining_epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                batch_size=self.batch_size,
                width=self.width,
                dropout=self.dropout,
                left_out=self.left_out,
            ),
            seed=seed,
        )
        self.missing_note_ = modalities.note(there, list(self.columns), DONE)
        return self

    def _proba(self, parts: Sequence[NDArray[np.float32]], there: NDArray[np.bool_]) -> NDArray[np.float64]:
        out = np.tile(self.prior_, (len(there), 1))
        rows = there.any(axis=1)
        if rows.any():
            shown = [np.where(there[:, m, None], part, 0.0)[rows] for m, part in enumerate(parts)]
            out[rows] = _networks(self.head).probabilities_of(self.module_, shown, there[rows])
        return out

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities of the network, ``(n_samples, n_classes)``."""
        X, there = self._seen(X)
        return self._proba(self._parts(X, there), there)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of highest probability; the first in sorted order of equals."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def decided_by(self, X: ArrayLike) -> NDArray[np.float64]:
        """
        Weight of each modality in each row's decision, ``(n_samples, n_modalities)``, in the order of ``columns``.

        It is how far the probabilities move when the modality is taken away, as a share of all; 0 where it is missing.
        """
        X, there = self._seen(X)
        parts = self._parts(X, there)
        return modalities.by_leaving_out(lambda left: self._proba(parts, left), there)

    def missing_note(self, X: ArrayLike) -> str:
        """Say in a sentence what is missing in rows and what is done with them; empty when nothing is."""
        return modalities.note(self._seen(X)[1], list(self.columns), DONE)

    def without(self, modality: str) -> NetworkFusion:
        """
        Return the same fusion, unfitted, without one modality; its columns may stay in ``X``.

        Raises
        ------
        ConfigError
            If there is no such modality, or no other; contrastive pre-training says at fit that it needs two.
        """
        modalities.without_one(self._where, self.columns, modality)
        rest = {name: modalities.reduced(getattr(self, name), modality) for name in ("columns", "quality")}
        return NetworkFusion(**{**self.get_params(deep=False), **rest})

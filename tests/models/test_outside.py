"""Refusal: rows of new subjects are let through, planted outliers are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mmme.errors import ProtocolError
from mmme.models.outside import reference


def planted(n_subjects: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Five latent movements seen in 60 columns, with subjects that differ."""
    mixing = np.random.default_rng(0).normal(size=(5, 60))
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n_subjects), 8)
    latent = rng.normal(size=(len(who), 5)) + 0.3 * rng.normal(size=(n_subjects, 5))[who]
    return latent @ mixing + 0.5 * rng.normal(size=(len(who), 60)), who


def test_new_subjects_pass_and_planted_outliers_do_not() -> None:
    """At most 5 % of 800 rows of new subjects are outside; another scale, noise and a movement off the axes all are."""
    known = reference(*planted(25, seed=1))
    new = planted(100, seed=2)[0]
    assert known.outside(new).mean() <= 0.05
    rng = np.random.default_rng(3)
    assert known.outside(new * 20).mean() > 0.99
    assert known.outside(rng.normal(size=(50, 60)) * new.std()).all()
    off = new[:50].copy()
    off[:, :10] += 6 * new.std() * rng.choice([-1, 1], size=10)
    assert known.outside(off).all()


def test_fewer_than_three_subjects_are_refused() -> None:
    """With 2 subjects, how far a new one lies cannot be learnt."""
    with pytest.raises(ProtocolError, match="expected at least 3 subjects to hold out, got 2"):
        reference(*planted(2, seed=1))

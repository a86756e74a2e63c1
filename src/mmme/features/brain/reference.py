"""What the potentials of the scalp are measured against, and which channels beside the scalp that takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.brain.bad_channels import MOST_BAD
from mmme.types import Stream, listed

__all__ = ["MASTOIDS", "Reference", "artefact_channels", "reference_channels", "reference_signal"]

#: Mastoids and ear lobes under the names they are recorded with.
MASTOIDS = ("M1", "M2", "A1", "A2", "TP9", "TP10")
#: An average of a few channels is mostly those channels: the share of bad ones is asked from this number on.
MANY = 10

#: The signal, what it is in words, and the scalp channel that it is, if it is one; or why there is none.
Reference = tuple[NDArray[np.float32] | None, str, int | None]


def reference_channels(stream: Stream, names: tuple[str, ...], reference: str) -> dict[str, int]:
    """
    Find the channels beside the scalp that a reference needs: name in capitals and position.

    Parameters
    ----------
    stream
        As recorded.
    names
        Scalp channels.
    reference
        ``average``, ``none``, ``mastoids`` or names with a space between.

    Raises
    ------
    DataError
        If the reference names a channel that is not there.

    Examples
    --------
    >>> stream = Stream("eeg", "eeg", np.arange(2.0), np.zeros((2, 3)), "V", None, ("CZ", "M1", "VEO"))
    >>> reference_channels(stream, ("Cz",), "mastoids")
    {'M1': 1}
    """
    if reference in ("average", "none"):
        return {}
    upper = [c.strip().upper() for c in stream.channels]
    scalp = {name.upper() for name in names}
    if reference == "mastoids":
        return {m: upper.index(m) for m in MASTOIDS if m in upper and m not in scalp}
    wanted = [r for r in reference.upper().split() if r not in scalp]
    lacking = [r for r in wanted if r not in upper]
    if lacking:
        raise DataError(
            f"stream '{stream.name}': expected the channels of the reference, got none called {listed(lacking)}; "
            f"there are {listed(stream.channels)}"
        )
    return {name: upper.index(name) for name in wanted}


def artefact_channels(stream: Stream) -> tuple[dict[str, int], dict[str, int]]:
    """
    Find the channels that record the eyes and the heart, by type or name: name in capitals and position.

    Examples
    --------
    >>> artefact_channels(Stream("eeg", "eeg", np.arange(2.0), np.zeros((2, 3)), "V", None, ("CZ", "EKG", "VEO")))
    ({'VEO': 2}, {'EKG': 1})
    """
    kinds = stream.types or ("",) * len(stream.channels)
    named = [(c.strip().upper(), kind, i) for i, (c, kind) in enumerate(zip(stream.channels, kinds, strict=True))]
    eyes = {c: i for c, kind, i in named if kind in ("HEOG", "VEOG", "EOG") or c.startswith(("HEO", "VEO", "EOG"))}
    heart = {c: i for c, kind, i in named if kind == "ECG" or c.startswith(("EKG", "ECG"))}
    return eyes, heart


def reference_signal(
    wanted: str,
    x: NDArray[np.float32],
    names: tuple[str, ...],
    doubted: Mapping[str, str],
    aside: Mapping[str, NDArray[np.float32]],
) -> Reference:
    """
    Make the signal that is subtracted from every channel; flat and bad channels are never part of it.

    Parameters
    ----------
    wanted
        As in `reference_channels`.
    x : (n_channels, n)
        Scalp channels.
    names
        Of the scalp channels.
    doubted
        Flat and bad channels, also those beside the scalp, by name: what is wrong with them.
    aside : (n,) each
        Channels beside the scalp, by name in capitals.

    Returns
    -------
    signal : (n,) or None
        None where there cannot be one.
    text
        What it is, or why it cannot be.
    itself
        Row of the only channel it is made of, which has nothing left when it is subtracted; None elsewhere.

    Examples
    --------
    >>> x = np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], dtype=np.float32)
    >>> signal, text, _ = reference_signal("average", x, ("Fz", "Cz", "Pz"), {"Pz": "flat"}, {})
    >>> signal.tolist(), text
    ([2.0, 3.0], 'average of Fz Cz')
    >>> reference_signal("M1 M2", x, ("Fz", "Cz", "Pz"), {"M2": "flat"}, {"M1": x[0], "M2": x[1]})[1]
    'the reference M1 M2 cannot be used: M2 is flat'
    """
    trusted = np.array([name not in doubted for name in names])
    if wanted == "none":
        return np.zeros(x.shape[1], dtype=np.float32), "as recorded", None
    if wanted == "average":
        return _average(x, names, trusted)
    rows: dict[str, NDArray[np.float32]] = {name.upper(): x[i] for i, name in enumerate(names)} | dict(aside)
    wrong = {name.upper(): why for name, why in doubted.items()}
    if wanted == "mastoids":
        recorded = [m for m in MASTOIDS if m in rows]
        chosen = [m for m in recorded if m not in wrong]
        if not chosen:
            why = ", ".join(f"{m} is {wrong[m]}" for m in recorded) or "no mastoid or ear channel was recorded"
            return None, f"no reference: {why}", None
    else:
        chosen = wanted.upper().split()
        why = ", ".join(f"{name} is {wrong[name]}" for name in chosen if name in wrong)
        if why:
            return None, f"the reference {wanted} cannot be used: {why}", None
    upper = [name.upper() for name in names]
    itself = upper.index(chosen[0]) if len(chosen) == 1 and chosen[0] in upper else None
    return np.mean([rows[name] for name in chosen], axis=0), "mean of " + " ".join(chosen), itself


def _average(x: NDArray[np.float32], names: tuple[str, ...], trusted: NDArray[np.bool_]) -> Reference:
    """Mean over the channels that can be trusted."""
    if trusted.sum() < 2:
        return None, "an average reference needs 2 scalp channels that are neither flat nor bad", None
    n_bad = int((~trusted).sum())
    if n_bad > MOST_BAD * trusted.size and trusted.size >= MANY:
        why = f"{n_bad} of {trusted.size} channels are flat or bad, an average reference bears {100 * MOST_BAD:.0f} %"
        return None, f"{why}; choose another reference", None
    kept = [name for name, ok in zip(names, trusted, strict=True) if ok]
    weights = (trusted / trusted.sum()).astype(np.float32)  # as a product: no copy of the recording
    return weights @ x, "average of " + " ".join(kept), None

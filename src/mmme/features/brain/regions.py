"""Where the channels of the EEG lie: regions of the scalp, names of the same place, pairs across the midline."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.types import Stream

__all__ = ["ASYMMETRIES", "FRONT_BACK", "REGIONS", "homologous", "scalp_channels"]


def _names(text: str) -> tuple[str, ...]:
    """Split a line of channel names, which reads better than a column of them."""
    return tuple(text.split())


#: Channels of each region, 10-10 names. A region is the mean over those of its channels that the recording has.
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "frontal": _names("Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8"),
        "central": _names("FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6"),
        "temporal": _names("FT9 FT7 FT8 FT10 T7 T8 TP9 TP7 TP8 TP10"),
        "parietal": _names("P7 P5 P3 P1 Pz P2 P4 P6 P8"),
        "occipital": _names("PO7 PO5 PO3 POz PO4 PO6 PO8 O1 Oz O2"),
    }
)
#: Alpha asymmetry, ln right minus ln left: positive means more alpha, less activity, on the right.
ASYMMETRIES: Mapping[str, tuple[str, str]] = MappingProxyType({"F4F3": ("F4", "F3"), "F8F7": ("F8", "F7")})
#: Pairs in front of and behind the vertex, for caudality: a frontal and a posterior channel in the same row of the cap.
FRONT_BACK: tuple[tuple[str, str], ...] = tuple(
    zip(_names("FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8"), _names("TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8"), strict=True)
)

#: Older names of the same places.
SYNONYMS: Mapping[str, str] = MappingProxyType({"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"})
#: What an EEG amplifier records besides the scalp: mastoids, ear lobes, eyes, heart, muscle, triggers.
NOT_SCALP = re.compile(
    r"^(M[12]|A[12]|[HV]EO.*|EOG.*|E[CK]G.*|EMG.*|TRIG.*|STI.*|STATUS|MARKER.*|GSR|EDA|RESP.*|PPG)$", re.IGNORECASE
)


def scalp_channels(stream: Stream) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """
    Names (in 10-10 spelling) and positions of the channels that lie on the scalp.

    Raises
    ------
    DataError
        If channel names are missing, do not fit, or repeat.

    Examples
    --------
    >>> x = np.zeros((2, 4))
    >>> names, keep = scalp_channels(Stream("eeg", "eeg", np.arange(2.0), x, "V", None, ("FPZ", "M1", "CZ", "HEO")))
    >>> names, keep.tolist()
    (('Fpz', 'Cz'), [0, 2])
    """
    width = 1 if len(stream.x.shape) == 1 else stream.x.shape[1]
    if len(stream.channels) != width:
        raise DataError(
            f"stream '{stream.name}': expected {width} channel names, got {len(stream.channels)}; regions need them"
        )
    usual = {n.upper(): n for region in REGIONS.values() for n in region}
    spelled = [SYNONYMS.get(c.strip().upper(), c.strip()) for c in stream.channels]
    pairs = [(usual.get(c.upper(), c), i) for i, c in enumerate(spelled) if not NOT_SCALP.match(c)]
    names = tuple(name for name, _ in pairs)
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise DataError(f"stream '{stream.name}': expected every channel once, got {', '.join(twice)} more than once")
    return names, np.array([i for _, i in pairs], dtype=np.int64)


def homologous(names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """
    Pairs ``(left, right)`` of channels at the same place on both sides: odd numbers are left, the next even one right.

    Examples
    --------
    >>> homologous(("F3", "Fz", "F4", "O1", "PO8"))
    (('F3', 'F4'),)
    """
    pairs = []
    for left in names:
        found = re.fullmatch(r"([A-Za-z]+)(\d*[13579])", left)
        right = f"{found[1]}{int(found[2]) + 1}" if found else ""
        if right in names:
            pairs.append((left, right))
    return tuple(pairs)

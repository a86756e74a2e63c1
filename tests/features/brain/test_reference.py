"""References: which channels they take, which they never take, and what is said where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.brain.reference import artefact_channels, reference_channels, reference_signal
from mmme.types import Stream

NAMES = tuple(f"C{k}" for k in range(12))


def stream(*channels: str, types: tuple[str, ...] = ()) -> Stream:
    """Nothing but names."""
    return Stream("eeg", "eeg", np.arange(2.0), np.zeros((2, len(channels))), "V", None, channels, types)


def rows(n: int = 12) -> np.ndarray:
    """Channel ``k`` holds ``k``."""
    return np.repeat(np.arange(n, dtype=np.float32)[:, None], 5, axis=1)


def test_the_average_takes_only_channels_that_can_be_trusted():
    """Two of 12 doubted: the mean of the other ten, which are named."""
    signal, text, itself = reference_signal("average", rows(), NAMES, {"C0": "flat", "C11": "bad"}, {})

    assert signal is not None
    np.testing.assert_allclose(signal, 5.5)
    assert text == "average of C1 C2 C3 C4 C5 C6 C7 C8 C9 C10"
    assert itself is None


def test_too_many_bad_channels_bear_no_average():
    """Three of 12 are 25 %: refused with the way out; two of 8 are not many enough to tell."""
    doubted = dict.fromkeys(("C0", "C1", "C2"), "bad")
    signal, text, _ = reference_signal("average", rows(), NAMES, doubted, {})

    assert signal is None
    assert text == "3 of 12 channels are flat or bad, an average reference bears 20 %; choose another reference"
    assert reference_signal("average", rows(8), NAMES[:8], dict.fromkeys(("C0", "C1"), "bad"), {})[0] is not None
    assert "needs 2 scalp channels" in reference_signal("average", rows(2), NAMES[:2], {"C0": "bad"}, {})[1]


def test_mastoids_that_are_flat_are_left_out():
    """M2 disconnected: M1 alone, said so; both: refused."""
    aside = {"M1": rows()[3], "M2": rows()[4]}

    assert reference_signal("mastoids", rows(), NAMES, {}, aside)[1] == "mean of M1 M2"
    signal, text, _ = reference_signal("mastoids", rows(), NAMES, {"M2": "flat"}, aside)
    assert signal is not None
    assert text == "mean of M1"
    np.testing.assert_allclose(signal, 3.0)
    assert reference_signal("mastoids", rows(), NAMES, {"M1": "flat", "M2": "flat"}, aside)[1] == (
        "no reference: M1 is flat, M2 is flat"
    )
    assert reference_signal("mastoids", rows(), NAMES, {}, {})[1] == "no reference: no mastoid or ear channel was recorded"


def test_named_channels_must_be_sound():
    """A named channel that is flat or bad is refused, not replaced."""
    assert reference_signal("C3 C4", rows(), NAMES, {"C4": "bad"}, {})[1] == (
        "the reference C3 C4 cannot be used: C4 is bad"
    )
    signal, _, itself = reference_signal("c3 C5", rows(), NAMES, {}, {})
    assert signal is not None
    np.testing.assert_allclose(signal, 4.0)
    assert itself is None


def test_a_single_scalp_channel_is_told():
    """Nothing is left of a channel that is the reference: its row is returned, so that it counts nowhere."""
    assert reference_signal("C7", rows(), NAMES, {}, {})[2] == 7


def test_channels_of_the_reference_are_looked_up_in_any_case():
    """Mastoids only where they are beside the scalp; a name that is nowhere is an error that lists what is there."""
    one = stream("Fz", "m1", "VEO")

    assert reference_channels(one, ("Fz",), "M1") == {"M1": 1}
    assert reference_channels(one, ("Fz",), "mastoids") == {"M1": 1}
    assert reference_channels(one, ("Fz",), "average") == reference_channels(one, ("Fz",), "fz") == {}
    with pytest.raises(DataError, match=r"channels of the reference, got none called NOSE; there are Fz, m1, VEO"):
        reference_channels(one, ("Fz",), "nose")


def test_eyes_and_heart_are_known_by_type_or_name():
    """A channel typed EOG under any name, one named EKG without a type."""
    one = stream("Fz", "E1", "EKG", "HEO", types=("EEG", "VEOG", "MISC", "MISC"))

    assert artefact_channels(one) == ({"E1": 1, "HEO": 3}, {"EKG": 2})

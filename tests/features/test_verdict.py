"""The quality index is the share of time that no rule objects to."""

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular
from mmme.features.windows import Windows


def test_the_index_is_a_share_of_time():
    """Windows that cut cells count the part they hold; what lies outside the recording is not good."""
    v = Verdict(10.0, np.array([[0, 1, 0, 0]], dtype=np.uint8), ("flat",))
    index, cause = v.index(Windows(np.array([10.0, 10.5, 12.0, 13.0, 8.0]), 1.5))

    assert index.tolist() == pytest.approx([1.0 / 1.5, 0.5 / 1.5, 1.0, 1.0 / 1.5, 0.0])
    assert cause.tolist() == ["flat", "flat", "", "window leaves the recording", "window leaves the recording"]


def test_channels_count_equally():
    """One of four channels bad throughout leaves three quarters."""
    codes = np.zeros((4, 10), dtype=np.uint8)
    codes[2] = 2
    v = Verdict(0.0, codes, ("flat", "noisy"), ("F3", "F4", "Cz", "Oz"))

    assert v.over_all() == (0.75, "noisy")
    assert v.part_shares().tolist() == [1.0, 1.0, 0.0, 1.0]


def test_the_gravest_cause_names_a_cell():
    """A cell that is missing and clipped is missing."""
    s = Regular(np.arange(30) / 10, np.zeros(30), (np.arange(30) >= 12) & (np.arange(30) < 14), 10.0)
    v = verdict_from(s, {"clipped": np.arange(30) >= 15, "noisy": np.ones(30, dtype=bool)})

    assert [v.causes[k - 1] for k in v.codes[0]] == ["noisy", "samples are missing", "clipped"]


def test_codes_need_their_texts():
    """A code without a cause could not be told."""
    with pytest.raises(DataError, match="expected codes .n_parts, n_cells. up to 1, got shape .1, 2. up to 2"):
        Verdict(0.0, np.array([[0, 2]], dtype=np.uint8), ("flat",))


def test_an_empty_recording_has_no_quality():
    """Nothing recorded, nothing to trust."""
    assert Verdict(0.0, np.zeros((1, 0), dtype=np.uint8), ()).over_all() == (0.0, "empty recording")

"""Bad channels from their neighbours, against MNE."""

from __future__ import annotations

import mne
import numpy as np

from mmme.features.brain.interpolation import electrode_places, interpolated

NAMES = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "C3", "Cz", "C4", "P7", "P3", "Pz", "P4", "P8", "O1", "O2")


def noise(n: int = 500) -> np.ndarray:
    """White noise."""
    return np.random.default_rng(0).normal(size=(len(NAMES), n)).astype(np.float32)


def test_it_is_mne_s_interpolation():
    """Two bad channels: as `Raw.interpolate_bads` with the template montage; the others untouched."""
    x = noise()
    trusted = ~np.isin(NAMES, ("F3", "O2"))
    got, replaced, text = interpolated(x, NAMES, trusted)
    raw = mne.io.RawArray(x.astype(np.float64), mne.create_info(list(NAMES), 100.0, "eeg"), verbose="ERROR")
    raw.set_montage(mne.channels.make_dig_montage(electrode_places(NAMES), coord_frame="head"))
    raw.info["bads"] = ["F3", "O2"]
    expected = raw.interpolate_bads(verbose="ERROR").get_data()

    assert replaced == ("F3", "O2")
    assert text == "F3 O2"
    np.testing.assert_allclose(got, expected, atol=1e-4)
    np.testing.assert_array_equal(got[trusted], x[trusted])


def test_a_smooth_field_is_found_again():
    """A field that varies slowly over the head, Cz lost: found to 10 % of its size."""
    places = electrode_places(NAMES)
    field = np.array([places[n][1] * 10 + places[n][2] * 5 for n in NAMES])[:, None]
    x = (field * np.sin(np.arange(200) / 7)).astype(np.float32)
    got, _, _ = interpolated(np.where((np.array(NAMES) == "Cz")[:, None], 0, x), NAMES, np.array(NAMES) != "Cz")

    cz = NAMES.index("Cz")
    assert np.abs(got[cz] - x[cz]).max() < 0.1 * np.abs(x).max()


def test_a_channel_without_a_place_stays_and_is_said():
    """CB1 is not on the template head."""
    names = (*NAMES[:-1], "CB1")
    x = noise()
    got, replaced, text = interpolated(x, names, ~np.isin(names, ("CB1", "Fz")))

    assert replaced == ("Fz",)
    assert text == "Fz; without a place on the template head: CB1"
    np.testing.assert_array_equal(got[-1], x[-1])


def test_too_few_neighbours_interpolate_nothing():
    """Three channels are no sphere."""
    x = noise()[:4]
    got, replaced, text = interpolated(x, NAMES[:4], np.array([True, True, True, False]))

    assert (replaced, text) == ((), "none: fewer than 4 channels to interpolate from")
    np.testing.assert_array_equal(got, x)
    assert interpolated(x, NAMES[:4], np.ones(4, dtype=bool))[2] == "none"

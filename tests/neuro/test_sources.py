"""Dipoles in a template head are found near where they are; what cannot be located is said."""

import mne
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.brain.interpolation import electrode_places
from mmme.neuro.sources import localised
from mmme.report.analysis_figures import source_views
from mmme.simulate.brain import EEG_NAMES

CHANNELS = [name for name in EEG_NAMES if name in electrode_places(EEG_NAMES)][::2]


def maps(place_m, direction, *, noise: float, seed: int = 0) -> np.ndarray:
    """Potentials of one dipole in a dozen subjects."""
    with mne.use_log_level("error"):
        info = mne.create_info(CHANNELS, 250.0, "eeg")
        info.set_montage(mne.channels.make_dig_montage(electrode_places(CHANNELS), coord_frame="head"))
        sphere = mne.make_sphere_model("auto", "auto", info)
        average = mne.EvokedArray(np.zeros((len(CHANNELS), 1)), info).set_eeg_reference("average", projection=True).info
        dipole = mne.Dipole([0.0], [place_m], [2e-8], [np.array(direction) / np.linalg.norm(direction)], [1.0])
        forward, _ = mne.make_forward_dipole(dipole, sphere, average)
    one = forward["sol"]["data"][:, 0] * 2e-2
    return one + np.random.default_rng(seed).normal(size=(12, one.size)) * noise * np.abs(one).max()


@pytest.mark.parametrize(
    ("place_mm", "direction"),
    [((0, 30, 50), (0, 0.6, 0.8)), ((42, -48, 48), (0.5, -0.5, 0.7)), ((0, -78, 22), (0, -1, 0.2))],
)
def test_a_dipole_is_found(place_mm, direction):
    x = maps(np.array(place_mm) * 1e-3, direction, noise=0.2)
    found = localised(x, CHANNELS, n_bootstrap=100)

    assert np.linalg.norm(np.array(found.peak_mm) - place_mm) < 35  # 31 channels, noise of a fifth per subject
    assert found.n_subjects == 12
    assert found.strength.max() == 1.0
    assert found.reach_mm < 60


def test_noise_reaches_everywhere():
    """Where subjects have nothing in common the peak is no place, and the reach says so."""
    x = np.random.default_rng(0).normal(size=(12, len(CHANNELS)))
    assert localised(x, CHANNELS, n_bootstrap=100).reach_mm > 80


def test_what_cannot_be_located_is_said():
    x = np.ones((12, len(CHANNELS)))
    with pytest.raises(DataError, match="known places, got CB1; leave them out"):
        localised(x, ["CB1", *CHANNELS[1:]])
    with pytest.raises(DataError, match="at least 6 subjects and 20 channels"):
        localised(x[:3], CHANNELS)
    with pytest.raises(DataError, match="finite maps"):
        localised(np.full(x.shape, np.nan), CHANNELS)


def test_three_views_are_drawn():
    found = localised(maps((0, 0.03, 0.05), (0, 0.6, 0.8), noise=0.2), CHANNELS, n_bootstrap=50)
    figure = source_views(found, "a dipole")

    assert [axes.get_title() for axes in figure.axes[:3]] == ["from above", "from behind", "from the right"]

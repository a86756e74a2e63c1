"""Columns of connectivity and networks: means over regions, planted couplings, refusals with their reasons."""

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.features.brain.connectivity import connectivity_over_epochs, connectivity_over_time, frequency_means
from mmme.features.brain.couplings import COUPLED_HZ, connectivity_columns, connectivity_names
from mmme.features.brain.graphs import clustering, distances, nodal_efficiency, path_length, small_world, thresholded
from mmme.features.brain.networks import network_columns, network_names
from mmme.features.brain.regions import REGIONS
from mmme.features.windows import Occasions, Windows

FS = 250.0
CAP = (
    "Fp1",
    "Fp2",
    "F3",
    "Fz",
    "F4",
    "C3",
    "Cz",
    "C4",
    "FC1",
    "FC2",
    "T7",
    "T8",
    "P3",
    "Pz",
    "P4",
    "P7",
    "O1",
    "Oz",
    "O2",
    "PO3",
)
ALPHA = {"alpha": (8.0, 13.0)}


def recording(seconds=130.0, seed=0, names=CAP):
    """Noise; F3 and O1 share a rhythm of 9 to 11 Hz at a lag of 20 ms (72 degrees), in the first minute only."""
    rng = np.random.default_rng(seed)
    n = int(seconds * FS)
    x = rng.normal(size=(len(names), n))
    f = np.fft.rfftfreq(n, 1 / FS)
    rhythm = np.fft.irfft(np.fft.rfft(rng.normal(size=n)) * np.exp(-0.5 * ((f - 10) / 0.5) ** 2), n)
    rhythm *= 2 / rhythm.std()
    rhythm[int(60 * FS) :] = 0
    for name, lag in (("F3", 0), ("O1", 5)):
        if name in names:
            x[names.index(name)] += np.roll(rhythm, lag)
    return (10 * x).astype(np.float32)


def trials(*starts, duration=60.0):
    return Occasions(Windows(np.array(starts, dtype=float), duration), None, np.full(len(starts), np.nan))


@pytest.mark.parametrize("form", ["epochs", "time"])
@pytest.mark.parametrize("measure", ["wpli", "plv", "coh", "pli", "imcoh", "ciplv"])
def test_a_planted_coupling_is_found_in_its_pair_band_and_minute(cleaned, form, measure):
    """F3 and O1: the largest of 190 pairs in alpha, by far, in the minute with the coupling; not in gamma, nor afterwards."""
    clean = cleaned(recording(), CAP)
    bands = {band: COUPLED_HZ[band] for band in ("alpha", "gamma")}
    columns = connectivity_columns(clean, trials(0.0, 65.0), measure=measure, form=form, bands=bands, by="pair")
    values = {name: v for name, (v, why) in columns.items() if (why == "").all()}
    assert set(values) == set(connectivity_names(CAP, measure=measure, bands=bands, by="pair"))
    alpha = {n: v for n, v in values.items() if "_alpha_" in n}
    planted = f"eeg_{measure}_alpha_F3_O1"
    others = [v for n, v in alpha.items() if n != planted]
    assert alpha[planted][0] > 1.5 * max(v[0] for v in others)
    assert alpha[planted][1] < max(v[1] for v in others)
    gamma = {n: v[0] for n, v in values.items() if "_gamma_" in n}
    there = gamma.pop(f"eeg_{measure}_gamma_F3_O1")
    assert there < 1.3 * max(gamma.values())


def test_regions_are_means_over_their_pairs(cleaned):
    """Every region and pair of regions: mean over the columns of the pairs; within a region each pair once."""
    clean = cleaned(recording(70.0), CAP)
    by_pair = connectivity_columns(clean, trials(1.0), by="pair")
    by_region = connectivity_columns(clean, trials(1.0))
    assert tuple(by_region) == connectivity_names()
    for a, b in (("frontal", "frontal"), ("frontal", "occipital"), ("temporal", "parietal")):
        pairs = [f"eeg_wpli_theta_{p}_{q}" for i, p in enumerate(CAP) for q in CAP[i + 1 :]
                 if (p in REGIONS[a] and q in REGIONS[b]) or (p in REGIONS[b] and q in REGIONS[a])]  # fmt: skip
        expected = np.mean([by_pair[name][0][0] for name in pairs])
        name = f"eeg_wpli_theta_{a}" + ("" if a == b else f"_{b}")
        assert by_region[name][0][0] == pytest.approx(expected, rel=1e-6)


def test_columns_are_the_functions_for_arrays(cleaned):
    """Over epochs of 2 s and over time, band means of frequencies ``low <= f < high``; a rest shorter than an epoch is left."""
    x = recording(70.0)
    clean = cleaned(x, CAP)
    part = x[:, 250 : 250 + 15000]
    f, found = connectivity_over_epochs(part.reshape(20, 30, 500).swapaxes(0, 1), FS, ["coh"], low_hz=4.0, high_hz=45.0)
    means = frequency_means(found["coh"], f, COUPLED_HZ)
    for length in (60.0, 60.7):
        columns = connectivity_columns(clean, trials(1.0, duration=length), measure="coh", by="pair")
        for band in COUPLED_HZ:
            assert columns[f"eeg_coh_{band}_F3_O1"][0][0] == pytest.approx(
                means[band][CAP.index("F3"), CAP.index("O1")], abs=1e-6
            )
    columns = connectivity_columns(clean, trials(1.0), measure="plv", form="time", bands=ALPHA, by="pair")
    hz = 8.0 * (13 / 8) ** ((np.arange(5) + 0.5) / 5)
    expected = connectivity_over_time(part, FS, ["plv"], hz)["plv"].mean(axis=0)
    assert columns["eeg_plv_alpha_F3_O1"][0][0] == pytest.approx(expected[CAP.index("F3"), CAP.index("O1")], abs=1e-6)


def test_short_windows_are_refused(cleaned):
    """A window around an expression has no connectivity; each form says what it needs; delta needs longer epochs."""
    clean = cleaned(recording(70.0), CAP)

    def why(name, duration, **form):
        return connectivity_columns(clean, trials(5.0, duration=duration), **form)[name][1][0]

    assert why("eeg_wpli_alpha_frontal", 2.0) == "window 2 s, connectivity in alpha needs 20 s"
    assert why("eeg_wpli_alpha_frontal", 20.0) == ""
    assert why("eeg_wpli_alpha_frontal", 2.0, form="time") == "window 2 s, connectivity in alpha needs 3.12 s"
    assert why("eeg_wpli_gamma_frontal", 2.0, form="time") == ""
    assert why("eeg_wpli_gamma_frontal", 0.5, form="time") == "window 0.5 s, connectivity in gamma needs 0.833 s"
    delta = {"delta": (1.0, 4.0)}
    assert why("eeg_wpli_delta_frontal", 60.0, bands=delta) == "epoch 2 s, delta needs 6 s"
    assert why("eeg_wpli_delta_frontal", 60.0, bands=delta, epoch_s=6.0) == ""
    nets = network_columns(clean, trials(5.0, duration=2.0))
    assert {w[0] for _, w in nets.values()} == {
        f"window 2 s, connectivity in {band} needs 20 s" for band in ("theta", "alpha", "beta", "gamma")
    }


def test_places_that_cannot_be_used_have_reasons(cleaned):
    """Outside, missing samples, slow recordings, flat, bad, bridged and absent channels; interpolated ones count."""
    x = recording()
    x[CAP.index("T7")] = x[CAP.index("T8")]
    clean = cleaned(
        x, CAP, missing=slice(int(80 * FS), int(81 * FS)), flat=("Fp1",), bad={"C3": "noisy", "Pz": "noisy"},
        interpolated=("Pz",), silent={"O2": slice(10, 12)},
    )  # fmt: skip
    occasions = trials(0.0, 60.0, 100.0)
    pairs = connectivity_columns(clean, occasions, by="pair", bands=ALPHA)
    assert pairs["eeg_wpli_alpha_F3_O1"][1].tolist() == [
        "", "window touches missing samples", "window leaves the recording"
    ]  # fmt: skip
    assert pairs["eeg_wpli_alpha_Fp1_C3"][1][0] == "flat or bad: Fp1 and C3"
    assert pairs["eeg_wpli_alpha_F3_Pz"][1][0] == ""
    assert pairs["eeg_wpli_alpha_T7_T8"][1][0] == "a channel is flat in the window, or both have no lag"
    assert pairs["eeg_wpli_alpha_F3_O2"][1][0] == "a channel is flat in the window, or both have no lag"
    assert network_columns(clean, occasions, bands=ALPHA)["eeg_wpli_alpha_efficiency"][1][0] == (
        "two channels have no lag to each other (bridged electrodes?)"
    )
    few = cleaned(recording(70.0, names=("F3", "O1", "O2")), ("F3", "O1", "O2"), silent={"F3": slice(0, 70)})
    regions = connectivity_columns(few, trials(0.0), bands=ALPHA)
    assert regions["eeg_wpli_alpha_occipital"][1][0] == ""
    assert regions["eeg_wpli_alpha_frontal"][1][0] == "fewer than 2 channels of region frontal"
    assert regions["eeg_wpli_alpha_central_occipital"][1][0] == "no channel of region central"
    assert regions["eeg_wpli_alpha_frontal_occipital"][1][0] == "flat in the window: frontal or occipital"
    assert network_columns(few, trials(0.0), bands=ALPHA)["eeg_wpli_alpha_strength_frontal"][1][0] == (
        "fewer than 16 channels for a network"
    )
    slow = cleaned(recording(130.0)[:, ::4], CAP, 62.5)
    why = connectivity_columns(slow, trials(0.0))["eeg_wpli_gamma_frontal"][1][0]
    assert why == "rate 62.5 Hz, connectivity in gamma needs 90 Hz"


def test_left_out_channels_do_not_touch_the_others(cleaned):
    """A bad channel of any content: pairs of the others keep their values."""
    x = recording(70.0)
    y = x.copy()
    y[CAP.index("C3")] = np.nan
    before = connectivity_columns(cleaned(x, CAP), trials(0.0), by="pair", bands=ALPHA)
    after = connectivity_columns(cleaned(y, CAP, bad={"C3": "noisy"}), trials(0.0), by="pair", bands=ALPHA)
    for name, (values, _) in after.items():
        if "C3" not in name:
            np.testing.assert_allclose(values, before[name][0], rtol=1e-5)


def test_networks_are_those_of_the_matrices(cleaned):
    """All columns of one window from the pairs' own: tree and strongest 20 %, then the measures of networks."""
    clean = cleaned(recording(70.0), CAP)
    pairs = connectivity_columns(clean, trials(0.0), by="pair", bands=ALPHA)
    w = np.zeros((20, 20))
    for i, a in enumerate(CAP):
        for j in range(i + 1, 20):
            w[i, j] = w[j, i] = pairs[f"eeg_wpli_alpha_{a}_{CAP[j]}"][0][0]
    graph = (thresholded(w[None], 0.2, connected=True) > 0).astype(float)
    d = distances(graph)
    expected = {
        "efficiency": nodal_efficiency(d).mean(),
        "clustering": clustering(graph).mean(),
        "path_length": path_length(d)[0],
        "small_worldness": small_world(graph, n_rewired=30, seed=2).sigma[0],
    }
    for place, members in REGIONS.items():
        rows = [CAP.index(c) for c in members if c in CAP]
        expected[f"strength_{place}"] = w[rows].sum(axis=1).mean() / 19
        expected[f"efficiency_{place}"] = nodal_efficiency(d)[0, rows].mean()
    found = network_columns(clean, trials(0.0, 5.0), bands=ALPHA, n_rewired=30, seed=2)
    assert tuple(found) == network_names(bands=ALPHA)
    assert set(found) == {f"eeg_wpli_alpha_{what}" for what in expected}
    for what, value in expected.items():
        values, why = found[f"eeg_wpli_alpha_{what}"]
        assert values[0] == pytest.approx(value, rel=1e-6), what
        assert why.tolist() == ["", ""]


def test_refused_recordings_and_no_windows(cleaned):
    """One reason everywhere; no windows, no values."""
    from dataclasses import replace

    clean = cleaned(recording(70.0), CAP)
    gone = replace(clean, refused="recording shorter than 5 s")
    for columns in (connectivity_columns(gone, trials(0.0)), network_columns(gone, trials(0.0))):
        assert {why[0] for _, why in columns.values()} == {"recording shorter than 5 s"}
    for columns in (connectivity_columns(clean, trials()), network_columns(clean, trials())):
        assert all(v.size == w.size == 0 for v, w in columns.values())


def test_unknown_choices_are_refused(cleaned):
    """Names with the nearest match, measures that are not for a form, densities."""
    clean, one = cleaned(recording(70.0), CAP), trials(0.0)
    with pytest.raises(ConfigError, match="no form of connectivity 'epoch'; did you mean 'epochs'"):
        connectivity_columns(clean, one, form="epoch")
    with pytest.raises(ConfigError, match="connectivity: no grouping of pairs 'channel'"):
        connectivity_columns(clean, one, by="channel")
    with pytest.raises(ConfigError, match="ppc takes looks for independent"):
        connectivity_columns(clean, one, measure="ppc", form="time")
    with pytest.raises(ConfigError, match=r"expected bands \(low, high\) with 0 < low < high .* got \['x'\]"):
        connectivity_columns(clean, one, bands={"x": (8.0, 4.0)})
    with pytest.raises(ConfigError, match="got no band"):
        connectivity_columns(clean, one, bands={})
    with pytest.raises(ConfigError, match="epochs longer than 0 s, got 0 s"):
        connectivity_columns(clean, one, epoch_s=0.0)
    with pytest.raises(ConfigError, match="expected a measure that is at least 0, got wpli2_debiased; use wpli"):
        network_columns(clean, one, measure="wpli2_debiased")
    with pytest.raises(
        ConfigError, match="expected a density above 0, up to 1, and at least 1 random network, got 2 and 100"
    ):
        network_columns(clean, one, density=2.0)

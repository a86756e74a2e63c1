"""Band power, shares, entropy and asymmetry of regions and channels, against planted rhythms and hand computation."""

import numpy as np
import pytest
from scipy.stats import differential_entropy

from mmme.errors import ConfigError
from mmme.features.brain.asymmetry import asymmetry_columns, asymmetry_names, frontal_asymmetry_columns
from mmme.features.brain.band_power import (
    band_power_columns,
    differential_entropy_columns,
    differential_entropy_names,
    relative_power_columns,
    relative_power_names,
)
from mmme.features.brain.families import EEG_FAMILIES
from mmme.features.brain.regions import FRONT_BACK, homologous
from mmme.features.brain.spectra import BANDS_HZ

NAMES = (
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "FC3",
    "FC4",
    "C3",
    "Cz",
    "C4",
    "CP3",
    "CP4",
    "T7",
    "T8",
    "P3",
    "P4",
    "O1",
    "O2",
)
FS = 250.0

#: Families that describe channels; those of pairs are tested in test_couplings.py.
WINDOWED = {name: family for name, family in EEG_FAMILIES.items() if not family.coupled}


def noise(seconds=30.0, names=NAMES, seed=0):
    return np.random.default_rng(seed).normal(0, 5, (len(names), int(seconds * FS)))


def sine(x, name, hz, uv, names=NAMES):
    t = np.arange(x.shape[1]) / FS
    x[names.index(name)] += uv * np.sin(2 * np.pi * hz * t)
    return x


@pytest.mark.parametrize("by", ["region", "channel", "both"])
@pytest.mark.parametrize("family", list(WINDOWED))
def test_columns_are_known_without_a_recording(family, by, cleaned, occasions):
    """Every family returns exactly the columns it announced, in that order, also for no window and a refused recording."""
    clean = cleaned(noise(8.0), NAMES)
    names = WINDOWED[family].names(NAMES, by=by)
    columns = WINDOWED[family].columns(clean, occasions(3.0, 4.0), by=by)

    assert tuple(columns) == names
    assert len(set(names)) == len(names)
    assert all(v.shape == w.shape == (2,) for v, w in columns.values())
    assert tuple(WINDOWED[family].columns(clean, occasions(), by=by)) == names


@pytest.mark.parametrize("family", list(WINDOWED))
def test_every_gap_has_a_reason_and_a_row_stands_alone(family, cleaned, occasions):
    """
    Windows outside, on missing samples, near a silent channel, without an event: NaN exactly where a reason stands, and the
    values of a window do not depend on the windows beside it.
    """
    clean = cleaned(noise(40.0), NAMES, missing=slice(5000, 5003), bad={"F7": "uncorrelated"}, silent={"P3": slice(24, 26)})
    starts = [-1.0, 0.1, 10.0, 19.0, 24.0, 30.0, 39.5]
    where = occasions(*starts, duration=3.0, baseline=3.0, at=[-0.5, 0.6, 10.5, 19.5, 24.5, float("nan"), 39.9])
    columns = WINDOWED[family].columns(clean, where, by="both")
    alone = WINDOWED[family].columns(clean, occasions(10.0, duration=3.0, baseline=3.0), by="both")

    for name, (values, why) in columns.items():
        np.testing.assert_array_equal(np.isnan(values) | (why != ""), why != "", err_msg=name)
        np.testing.assert_allclose(values[2], alone[name][0][0], rtol=1e-5, atol=1e-6, err_msg=name)
    assert any(np.isfinite(v[2]) for v, _ in columns.values())
    assert all(why[2].startswith(("bad", "no pair")) for name, (_, why) in columns.items() if "F7" in name)


@pytest.mark.parametrize("family", list(WINDOWED))
def test_a_refused_recording_gives_its_reason_everywhere(family, cleaned, occasions):
    """All columns, one reason."""
    from dataclasses import replace

    clean = replace(cleaned(noise(6.0), NAMES), refused="recording shorter than 5 s")
    columns = WINDOWED[family].columns(clean, occasions(1.0, 2.0), by="region")

    assert tuple(columns) == WINDOWED[family].names(by="region")
    assert {w for _, why in columns.values() for w in why} == {"recording shorter than 5 s"}


def test_without_a_baseline_only_changes_are_refused(cleaned, occasions):
    """A baseline describes itself: values hold, every change says that there is nothing to compare with."""
    columns = band_power_columns(cleaned(noise(), NAMES), occasions(10.0, duration=4.0, baseline=None))

    assert all(
        why[0] == ("no baseline to compare with" if name.endswith("_change") else "") for name, (_, why) in columns.items()
    )


def test_shares_add_up_and_follow_the_power(cleaned, occasions):
    """The shares of a channel add up to 1; a sine of 20 µV at 10 Hz in noise of 5 µV gives alpha the share of its power."""
    clean = cleaned(sine(noise(), "O1", 10.5, 20.0), NAMES)
    columns = relative_power_columns(clean, occasions(10.0, duration=10.0, baseline=10.0), by="channel")
    shares = {band: columns[f"eeg_relative_{band}_O1"][0][0] for band in BANDS_HZ}
    density = 25.0 / (FS / 2)  # of the noise [µV²/Hz]

    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-9)
    assert shares["alpha"] == pytest.approx((200 + 5 * density) / (200 + 44 * density), abs=0.01)
    short = relative_power_columns(clean, occasions(10.0), by="region")
    assert short["eeg_relative_gamma_frontal"][1][0] == "window 2 s, a share of 1-45 Hz needs 3 s"
    assert tuple(short) == relative_power_names()


def test_differential_entropy_is_that_of_the_filtered_signal(cleaned, occasions):
    """Noise band-passed to alpha: within 0.03 nat of SciPy's estimate from its samples, and of 0.5 ln(2 pi e variance)."""
    rng = np.random.default_rng(1)
    n = int(120 * FS)
    f = np.fft.rfftfreq(n, 1 / FS)
    alpha = np.fft.irfft(np.fft.rfft(rng.normal(0, 20, n)) * ((f >= 8) & (f < 13)), n)
    clean = cleaned(np.stack([alpha, alpha]), ("O1", "O2"))
    ours = differential_entropy_columns(clean, occasions(0.0, duration=120.0, baseline=None), by="channel")

    value = ours["eeg_de_alpha_O1"][0][0]
    assert value == pytest.approx(0.5 * np.log(2 * np.pi * np.e * alpha.var()), abs=0.03)
    assert value == pytest.approx(differential_entropy(alpha), abs=0.03)
    assert tuple(ours) == differential_entropy_names(("O1", "O2"), by="channel")


def test_bad_channels_are_left_out_unless_interpolated(cleaned, occasions):
    """A bad channel of huge alpha does not move its region; interpolated it counts; alone it says why it has no value."""
    x = sine(noise(), "F4", 10.0, 200.0)
    good = band_power_columns(cleaned(noise(), NAMES, bad={"F4": "noisy"}), occasions(10.0), by="both")
    bad = band_power_columns(cleaned(x, NAMES, bad={"F4": "noisy"}), occasions(10.0), by="both")
    mended = band_power_columns(cleaned(x, NAMES, bad={"F4": "noisy"}, interpolated=("F4",)), occasions(10.0), by="both")
    name = "eeg_alpha_frontal"

    assert bad[name][0][0] == good[name][0][0]
    assert mended[name][0][0] > bad[name][0][0] + 0.5
    assert bad["eeg_alpha_F4"][1][0] == "bad channel F4: noisy"
    everything = dict.fromkeys(("O1", "O2"), "noisy")
    none = band_power_columns(cleaned(x, NAMES, bad=everything), occasions(10.0))["eeg_alpha_occipital"][1][0]
    assert none == "no channel of region occipital that is neither bad nor flat"


def test_a_channel_without_a_signal_costs_the_windows_that_touch_it(cleaned, occasions):
    """Silent from 24 to 26 s: windows [23, 25) and [25.5, 27.5) refuse it, [22, 24) and [26, 28) do not."""
    clean = cleaned(noise(), NAMES, silent={"O1": slice(24, 26)})
    why = band_power_columns(clean, occasions(22.0, 23.0, 25.5, 26.0, baseline=None), by="channel")["eeg_alpha_O1"][1]

    assert why.tolist() == ["", "flat: O1", "flat: O1", ""]


def test_pairs_are_found_by_their_names():
    """Odd and the next even number after the same letters; no midline, none without its partner."""
    assert homologous(("Fz", "F3", "PO7", "F4", "AF8", "PO8", "F11", "CB1", "CB2", "T9")) == (
        ("F3", "F4"), ("PO7", "PO8"), ("CB1", "CB2"),
    )  # fmt: skip
    assert all(a[2:] == b[2:] for a, b in FRONT_BACK)


def test_asymmetries_have_the_signs_of_their_literature(cleaned, occasions):
    """
    Alpha of 40 µV left and 20 µV right: DASM left minus right is ln 2, FAA right minus left is -2 ln 2; the ratio is that of
    the entropies; DCAU is frontal minus posterior.
    """
    x = noise()
    for name, uv in {"F3": 40, "F4": 20, "FC3": 40, "FC4": 40, "CP3": 10, "CP4": 10}.items():
        sine(x, name, 10.5, float(uv))
    clean = cleaned(x, NAMES)
    where = occasions(10.0, duration=4.0)
    columns = asymmetry_columns(clean, where, by="both")
    entropy = differential_entropy_columns(clean, where, by="channel")
    left, right = (entropy[f"eeg_de_alpha_{c}"][0][0] for c in ("F3", "F4"))

    assert columns["eeg_dasm_alpha_F3F4"][0][0] == pytest.approx(np.log(2), abs=0.01)
    assert columns["eeg_dasm_alpha_F3F4"][0][0] == pytest.approx(left - right, abs=1e-9)
    assert columns["eeg_rasm_alpha_F3F4"][0][0] == pytest.approx(left / right, abs=1e-9)
    assert columns["eeg_faa_F4F3"][0][0] == pytest.approx(-2 * np.log(2), abs=0.02)
    assert columns["eeg_dcau_alpha"][0][0] == pytest.approx(np.log(4), abs=0.02)
    frontal = [columns[f"eeg_dasm_alpha_{p}"][0][0] for p in ("Fp1Fp2", "F7F8", "F3F4")]
    assert columns["eeg_dasm_alpha_frontal"][0][0] == pytest.approx(np.mean(frontal), abs=1e-9)
    assert abs(columns["eeg_dasm_alpha_F3F4_change"][0][0]) < 0.05
    assert tuple(columns) == asymmetry_names(NAMES, by="both")


def test_frontal_asymmetry_is_the_difference_of_band_powers(cleaned, occasions):
    """FAA is the right minus the left column of alpha, to the last bit that a float32 table keeps."""
    clean = cleaned(noise(), NAMES)
    power = band_power_columns(clean, occasions(10.0, 12.0), by="channel")
    for pair in (("F4", "F3"), ("F8", "F7")):
        for change in ("", "_change"):
            ours = frontal_asymmetry_columns(clean, occasions(10.0, 12.0))[f"eeg_faa_{''.join(pair)}{change}"][0]
            right, left = (power[f"eeg_alpha_{c}{change}"][0] for c in pair)
            np.testing.assert_allclose(ours, right - left, atol=1e-5)


def test_asymmetries_without_their_channels_say_why(cleaned, occasions):
    """No pair, a bad side, a flat side, entropy of a side below 0."""
    names = ("F3", "F4", "O1", "C3", "C4")
    clean = cleaned(noise(names=names) * 0.01, names, bad={"F4": "noisy"}, flat=("C3",))
    why = {name: w[0] for name, (_, w) in asymmetry_columns(clean, occasions(10.0), by="both").items()}

    assert why["eeg_dasm_alpha_occipital"] == "no pair of occipital"
    assert why["eeg_dasm_alpha_F3F4"] == why["eeg_rasm_alpha_F3F4"] == why["eeg_faa_F4F3"] == "bad: F4"
    assert why["eeg_dasm_alpha_C3C4"] == "flat: C3 or C4"
    assert why["eeg_faa_F8F7"] == "no channel F8 and F7"
    assert why["eeg_dcau_alpha"] == "no pair of FRONT_BACK"
    quiet = asymmetry_columns(cleaned(noise() * 0.01, NAMES), occasions(10.0), by="both")
    assert quiet["eeg_rasm_alpha_O1O2"][1][0] == "differential entropy of a side not above 0: O1O2"
    assert quiet["eeg_dasm_alpha_O1O2"][1][0] == ""


def test_planted_rhythms_are_found_where_and_when_they_are(cleaned, occasions):
    """
    Theta at Fz from 10 to 12 s and alpha at O1 from 20 to 22 s: each is the largest change over all channels, bands and
    seconds, and no other channel changes by more than 1.5 ln units in those bands.
    """
    x = noise()
    t = np.arange(x.shape[1]) / FS
    for name, hz, start in (("Fz", 6.0, 10.0), ("O1", 10.0, 20.0)):
        x[NAMES.index(name)] += 20 * np.sin(2 * np.pi * hz * t) * ((t >= start) & (t < start + 2))
    starts = [4.0, 7.0, 10.0, 14.0, 17.0, 20.0, 24.0, 27.0]
    columns = band_power_columns(cleaned(x, NAMES), occasions(*starts), by="channel")
    change = {name: v for name, (v, w) in columns.items() if name.endswith("_change") and w[0] == ""}

    for band, name, row in (("theta", "Fz", 2), ("alpha", "O1", 5)):
        largest = max(((v[i], key, i) for key, v in change.items() for i in range(8) if key.startswith(f"eeg_{band}")))
        assert largest[1:] == (f"eeg_{band}_{name}_change", row)
        assert largest[0] > 2.0
        others = [v[row] for key, v in change.items() if key.startswith(f"eeg_{band}") and f"_{name}_" not in key]
        assert max(others) < 1.5


def test_unknown_groupings_are_refused(cleaned, occasions):
    """A mistyped ``by`` names the three that exist, in every family."""
    clean = cleaned(noise(8.0), NAMES)
    for family in WINDOWED.values():
        with pytest.raises(ConfigError, match="no grouping of channels 'regions'; did you mean 'region'"):
            family.columns(clean, occasions(4.0), by="regions")

"""Components of eyes, heart and muscles: planted artefacts go, planted alpha stays."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.features.brain.ica import excerpt, without_artefacts
from mmme.features.brain.interpolation import electrode_places
from mmme.types import Stream

NAMES = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8", "O1", "Oz", "O2",
)  # fmt: skip
FS, SECONDS = 250.0, 100.0
PLACE = electrode_places(NAMES)


def field(centre: np.ndarray, width_m: float) -> np.ndarray:
    """Topography that falls with the distance from a place."""
    return np.array([np.exp(-(((PLACE[n] - centre) / width_m) ** 2).sum()) for n in NAMES])


def courses() -> dict[str, np.ndarray]:
    """What is planted: blinks, occipital alpha that waxes and wanes, heart beats, muscle of the left temple [µV]."""
    rng = np.random.default_rng(1)
    n = round(SECONDS * FS)
    t = np.arange(n) / FS
    blink, beat = np.zeros(n), np.zeros(n)
    for at in np.cumsum(rng.uniform(2.5, 6.0, 30)):
        k = round(at * FS)
        if k < n - 100:
            blink[k : k + 75] += 150 * np.hanning(75)
    for at in np.arange(0.5, SECONDS - 1, 0.83):
        k = round(at * FS)
        beat[k : k + 20] += 60 * np.hanning(20)
    alpha = 15 * np.sin(2 * np.pi * 10 * t + np.cumsum(rng.normal(size=n)) * 0.03) * (1 + 0.6 * np.sin(2 * np.pi * 0.1 * t))
    muscle = sosfiltfilt(butter(4, (20, 110), "bandpass", fs=FS, output="sos"), rng.laplace(size=n))
    return {"blink": blink, "alpha": alpha, "beat": beat, "muscle": 12 * muscle / muscle.std() * (t % 20 < 4)}


def planted() -> Stream:
    """Twenty channels with VEO and EKG: 12 sources of falling noise all over the head, and the planted ones."""
    rng = np.random.default_rng(2)
    n = round(SECONDS * FS)
    places = np.stack([PLACE[name] for name in NAMES])
    x = 0.3 * rng.normal(size=(n, len(NAMES)))
    for _ in range(12):
        source = rng.laplace(size=n)
        source = sosfiltfilt(butter(1, 3.0, fs=FS, output="sos"), source)
        x += 6 * source[:, None] / source.std() * field(places[rng.integers(len(NAMES))] + rng.normal(0, 0.02, 3), 0.05)
    c = courses()
    front = (PLACE["Fp1"] + PLACE["Fp2"]) / 2
    x += c["blink"][:, None] * field(front, 0.06)
    x += c["alpha"][:, None] * field(PLACE["Oz"], 0.06)
    x += c["beat"][:, None] * field(PLACE["T7"] + np.array([-0.02, 0, -0.04]), 0.09)
    x += c["muscle"][:, None] * field(PLACE["T7"], 0.015)
    veo = 1.3 * c["blink"] + 5 * rng.normal(size=n)
    ekg = 10 * c["beat"] + 20 * rng.normal(size=n)
    x = np.column_stack([x, veo, ekg])
    return Stream("eeg", "eeg", np.arange(n) / FS, 1e-6 * x, "V", FS, (*(m.upper() for m in NAMES), "VEO", "EKG"))


def size(clean: CleanEeg, course: np.ndarray, name: str) -> float:
    """Size of a course in a channel: regression of what is there on what was planted, both band-passed."""
    band = sosfiltfilt(butter(2, (1, 40), "bandpass", fs=FS, output="sos"), course)
    y = clean.x[clean.channels.index(name)].astype(np.float64)
    return float(np.dot(y - y.mean(), band - band.mean()) / np.dot(band - band.mean(), band - band.mean()))


@pytest.fixture(scope="module")
def before() -> CleanEeg:
    """Without ICA."""
    return read_eeg(planted())


@pytest.fixture(scope="module")
def after() -> CleanEeg:
    """With it."""
    return read_eeg(planted(), EegSettings(ica="picard"))


def test_blinks_go(before: CleanEeg, after: CleanEeg):
    """More than 90 % of the blinks leave Fp1 and Fp2."""
    for name in ("Fp1", "Fp2"):
        left = size(after, courses()["blink"], name) / size(before, courses()["blink"], name)
        assert abs(left) < 0.1


def test_heart_beats_go(before: CleanEeg, after: CleanEeg):
    """More than 80 % of the beats leave the temple they are largest at."""
    assert abs(size(after, courses()["beat"], "T7") / size(before, courses()["beat"], "T7")) < 0.2


def test_alpha_stays(before: CleanEeg, after: CleanEeg):
    """More than 95 % of the power of the occipital alpha is still there, and no more than there was."""
    kept = (size(after, courses()["alpha"], "Oz") / size(before, courses()["alpha"], "Oz")) ** 2
    assert 0.95 < kept < 1.05


def test_every_component_that_went_is_told(after: CleanEeg):
    """Which, why, and the figure; how it was decomposed."""
    text = after.steps["eeg_ica"]

    assert text.startswith("picard, 19 components of 20 channels, fitted on every 2. sample")
    assert "out: eyes, correlation with VEO (0." in text
    assert "out: heart, correlation with EKG (0." in text
    assert "not converged" not in text


def test_the_same_seed_is_the_same_result(after: CleanEeg):
    """To the last bit; with another seed, components at the edge of a rule may differ, blinks do not."""
    again = read_eeg(planted(), EegSettings(ica="picard"))

    np.testing.assert_array_equal(again.x, after.x)
    assert again.steps == after.steps
    other = read_eeg(planted(), EegSettings(ica="picard", seed=7))
    assert abs(size(other, courses()["blink"], "Fp1")) < 0.05
    assert size(other, courses()["alpha"], "Oz") == pytest.approx(size(after, courses()["alpha"], "Oz"), rel=0.03)


def test_without_a_channel_of_the_eyes_it_is_said():
    """No VEO, no HEO: the text says so; ICLabel is asked where it is installed."""
    stream = planted()
    blind = Stream("eeg", "eeg", stream.t[:10_000], stream.x[:10_000, :20], "V", FS, stream.channels[:20])
    text = read_eeg(blind, EegSettings(ica="picard")).steps["eeg_ica"]

    assert "no channel of the eyes" in text
    assert "ICLabel " in text


def test_other_references_are_not_given_to_iclabel():
    """It was trained on the average reference."""
    stream = planted()
    part = Stream("eeg", "eeg", stream.t[:10_000], stream.x[:10_000], "V", FS, stream.channels)
    clean = read_eeg(part, EegSettings(ica="picard", reference="Cz"))

    assert "ICLabel needs the average reference" in clean.steps["eeg_ica"]
    assert "of 19 channels" in clean.steps["eeg_ica"]
    np.testing.assert_array_equal(clean.x[NAMES.index("Cz")], 0.0)


def test_channels_that_are_not_usable_stay_as_they_are():
    """A bad channel is neither decomposed nor changed, and bad samples are left out of the fit."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(8, 3)) @ (10 * rng.laplace(size=(3, 8000))) + rng.normal(size=(8, 8000))).astype(np.float32)
    x[5] = np.sin(np.arange(8000) / 9)
    kept, bad = x[5].copy(), np.arange(8000) < 800
    got, _, text = without_artefacts(
        x,
        FS,
        NAMES[:8],
        np.arange(8) != 5,
        eyes={"VEO": x[0].copy()},
        heart={},
        wide=excerpt(x, FS),
        average=False,
        bad=bad,
    )

    assert "of 7 channels" in text
    np.testing.assert_array_equal(got[5], kept)
    few = without_artefacts(x, FS, NAMES[:8], np.arange(8) < 3, eyes={}, heart={}, wide=(), average=False)
    assert few[1:] == ((), "not decomposed: fewer than 4 usable channels")
    np.testing.assert_array_equal(few[0], x)


def test_channels_without_a_place_cost_the_others_no_labels():
    """CB1 is on no template head: it is left as it is and named, and muscles are looked for in all others."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(8, 4)) @ (10 * rng.laplace(size=(4, 8000))) + rng.normal(size=(8, 8000))).astype(np.float32)
    names, kept = (*NAMES[:7], "CB1"), x[7].copy()
    eyes = {"VEO": x[0].copy()}
    got, _, text = without_artefacts(
        x, FS, names, np.ones(8, dtype=bool), eyes=eyes, heart={}, wide=excerpt(x, FS), average=True
    )

    assert "of 7 channels" in text
    assert "without a known place, and left as they are: CB1" in text
    assert "no labels and muscle scores" not in text
    np.testing.assert_array_equal(got[7], kept)

    mostly = ("E1", "E2", "E3", "E4", *NAMES[:4])
    _, _, text = without_artefacts(
        x, FS, mostly, np.ones(8, dtype=bool), eyes=eyes, heart={}, wide=excerpt(x, FS), average=True
    )
    assert "of 8 channels" in text
    assert "no labels and muscle scores: no place known for E1, E2, E3, E4" in text

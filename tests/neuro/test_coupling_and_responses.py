"""Laws of lags, information, mixed models and event-locked means, against other libraries or by hand."""

import mne
import numpy as np
import pytest
from scipy import stats
from sklearn.cross_decomposition import CCA

from mmme.errors import ConfigError, DataError
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.neuro.coupling import canonical_correlation, gaussian_information, group_lag, lagged_relation
from mmme.neuro.evoked import BANDS_HZ, MEASURES, EvokedSettings, locked_means
from mmme.neuro.networks import condition_networks, graph_measures
from mmme.neuro.responses import mixed_effect, paired_response
from mmme.simulate import mechanism_session
from mmme.types import Stream


@pytest.fixture(scope="module")
def clean():
    made = mechanism_session(0, trials=1, trial_s=48.0, channels=8)
    return read_eeg(made.timeline.streams["eeg"])


def test_potentials_are_those_of_mne(clean):
    """The mean over events is that of `mne.Epochs`, with the baseline before the onset."""
    onsets = np.array([8.0, 14.2, 22.6, 30.0])
    settings = EvokedSettings(step_s=0.004)
    own = locked_means(clean, {"micro": (onsets, onsets)}, settings=settings)
    info = mne.create_info(list(clean.channels), clean.fs_hz, "eeg")
    raw = mne.io.RawArray(clean.x * 1e-6, info, verbose="error")
    events = np.column_stack([np.round(onsets * clean.fs_hz).astype(int), np.zeros(4, int), np.ones(4, int)])
    epochs = mne.Epochs(raw, events, tmin=-0.7, tmax=1.496, baseline=(-0.7, -0.204), preload=True, verbose="error")

    assert own.counts["micro"] == 4
    assert own.values["micro"][0] == pytest.approx(epochs.average().data * 1e6, abs=2e-3)
    hz = np.array(BANDS_HZ["theta"])
    tfr = mne.time_frequency.tfr_array_morlet(
        clean.x[None].astype(np.float64), clean.fs_hz, hz, n_cycles=np.maximum(3.0, hz / 2), output="power"
    )[0]
    decibels = []
    for at in events[:, 0]:
        power = tfr[..., at - 175 : at + 375] / tfr[..., at - 175 : at - 50].mean(axis=-1, keepdims=True)
        decibels.append(10 * np.log10(power.mean(axis=1)))
    theta = own.values["micro"][MEASURES.index("theta")]
    assert theta == pytest.approx(np.mean(decibels, axis=0), abs=0.02)


def test_power_is_against_its_baseline():
    """A rhythm that doubles its amplitude at the event rises by 6 dB, in its band only."""
    rng = np.random.default_rng(0)
    t = np.arange(0, 60, 0.004)
    amplitude = np.ones(t.size)
    onsets = np.arange(5.0, 55.0, 5.0)
    for onset in onsets:
        amplitude[(t >= onset) & (t < onset + 1.5)] = 2.0
    phase = rng.uniform(0, 6, t.size).cumsum() * 0.002
    x = np.tile(10.0 * amplitude * np.sin(2 * np.pi * 10 * t + phase), (5, 1)) + rng.normal(size=(5, t.size))
    x += rng.normal(size=(5, 1)) * 0.1 * rng.normal(size=(5, t.size)).cumsum(axis=1) * 0.01
    stream = Stream("eeg", "eeg", t, x.T * 1e-6, "V", 250.0, ("Fz", "Cz", "Pz", "Oz", "C3"))
    means = locked_means(read_eeg(stream, EegSettings(reference="none")), {"micro": (onsets, onsets)})
    late = (means.t_s > 0.4) & (means.t_s < 1.0)

    assert means.values["micro"][MEASURES.index("alpha")][:, late].mean() == pytest.approx(6.02, abs=0.3)
    assert abs(means.values["micro"][MEASURES.index("gamma")][:, late].mean()) < 2.0


def test_events_outside_are_counted(clean):
    """An epoch that leaves the recording is in no mean, and its reason is counted."""
    found = locked_means(clean, {"micro": ([0.2, 10.0], [0.2, 10.0]), "macro": ([0.1], [0.1])})

    assert found.counts == {"micro": 1, "macro": 0}
    assert found.left_out == {"leaves the recording": 2}
    assert np.isnan(found.values["macro"]).all()
    with pytest.raises(ConfigError, match="a baseline before the onset"):
        EvokedSettings(baseline_s=(0.1, 0.3))


def test_networks_have_equal_numbers_on_both_sides(clean):
    """A pair counts only where both of its epochs are whole; too few make no network."""
    shown = [float(s) for s in np.arange(6.0, 40.0, 5.0)]
    networks, counts, channels = condition_networks(clean, {"micro": (shown, [*shown[1:], 1e6]), "macro": ([3.0], [4.0])})

    assert counts == {"micro": len(shown) - 1, "macro": 1}
    assert set(networks["theta"]) == {"micro", "neutral-micro"}
    assert networks["alpha"]["micro"].shape == (len(channels),) * 2


def test_graphs_of_networks():
    """A ring with short cuts clusters more than a random network of its degrees; strength is the mean of weights."""
    n = 16
    ring = np.zeros((n, n))
    for step in (1, 2):
        ring[np.arange(n), (np.arange(n) + step) % n] = 1.0
    ring += ring.T
    rng = np.random.default_rng(0)
    noise = np.triu(rng.uniform(0, 0.01, (n, n)), 1)
    measures, nodal = graph_measures((ring + noise + noise.T)[None], density=0.27)

    assert measures["small-world sigma"][0] > 1.2
    assert nodal.shape == (1, n)
    assert measures["strength"][0] == pytest.approx((ring + noise + noise.T).sum() / (n * (n - 1)))


def test_lags_have_a_direction_and_chance_has_none():
    """Positive where the second follows; the largest of turned copies is exceeded in 5 % where nothing is there."""
    rng = np.random.default_rng(0)
    false = 0
    for seed in range(60):
        own = [
            lagged_relation(
                [tuple(rng.normal(size=(2, 200)).cumsum(axis=1) * 0.1) for _ in range(4)],
                0.2,
                max_lag_s=3.0,
                n_draws=99,
                seed=seed,
            )
            for _ in range(6)
        ]
        found = group_lag(own, n_bootstrap=50)
        false += int(np.count_nonzero(found.null >= found.observed) + 1 <= 5)
    assert false <= 8  # 3 expected; more than 8 has a chance below 1 %

    x = rng.normal(size=(5, 400))
    late = lagged_relation([(a, np.roll(a, 5)) for a in x], 0.1)
    early = lagged_relation([(a, np.roll(a, -5)) for a in x], 0.1)
    assert late.lag_s[late.r.argmax()] == pytest.approx(0.5)
    assert early.lag_s[early.r.argmax()] == pytest.approx(-0.5)
    assert late.r.max() == pytest.approx(1.0, abs=0.02)
    with pytest.raises(DataError, match="got 0 of 2"):
        lagged_relation([(np.ones(400), x[0]), (x[0][:100], x[1][:100])], 0.1)


def test_information_and_canonical_correlation():
    """Bits of two Gaussians as their formula has them; the first canonical correlation as scikit-learn's."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=4000)
    b = 0.6 * a + 0.8 * rng.normal(size=4000)
    assert gaussian_information(a, np.exp(b)) == pytest.approx(-0.5 * np.log2(1 - 0.36), abs=0.03)

    common = rng.normal(size=(500, 2))
    x = common @ rng.normal(size=(2, 4)) + rng.normal(size=(500, 4))
    y = common @ rng.normal(size=(2, 3)) + rng.normal(size=(500, 3))
    first, second = CCA(1, max_iter=2000).fit_transform(x, y)
    assert canonical_correlation(x, y, share=1.0) == pytest.approx(np.corrcoef(first[:, 0], second[:, 0])[0, 1], abs=1e-3)
    with pytest.raises(DataError, match="more rows than components"):
        canonical_correlation(x[:5], y[:5])


def test_a_response_is_a_test_of_subjects():
    """Mean and interval of subjects' means as Student has them, however many events each has."""
    rng = np.random.default_rng(0)
    who = np.repeat([f"S{k}" for k in range(8)], [2, 3, 5, 8, 2, 9, 4, 6])
    x = rng.normal(0.5, 1.0, who.size)
    x[0] = np.nan
    found = paired_response(x, who.tolist(), n_draws=2000)
    means = [np.nanmean(x[who == f"S{k}"]) for k in range(8)]
    low, high = stats.ttest_1samp(means, 0.0).confidence_interval()

    assert (found.n_subjects, found.n_events) == (8, who.size - 1)
    assert (found.difference, found.low, found.high) == pytest.approx((np.mean(means), low, high))
    assert found.t == pytest.approx(stats.ttest_1samp(means, 0.0).statistic)
    with pytest.raises(DataError, match="at least 6 subjects, got 3"):
        paired_response(x[:10], who[:10].tolist())


def test_a_mixed_model_covers_its_effect():
    """Planted effect and spreads are recovered; many subjects with few stimuli have the error of few stimuli."""
    rng = np.random.default_rng(1)
    n, k = 40, 30
    who, film = np.repeat([f"S{i}" for i in range(n)], k), np.tile([f"f{i}" for i in range(k)], n)
    people, films = rng.normal(0, 0.6, n), rng.normal(0, 0.3, k)
    x = 1.0 + np.repeat(people, k) + np.tile(films, n) + rng.normal(size=n * k)
    found = mixed_effect(x, who.tolist(), film.tolist())

    assert found.low < 1.0 < found.high
    assert found.sd_subject == pytest.approx(people.std(ddof=1), abs=0.06)
    assert found.sd_stimulus == pytest.approx(films.std(ddof=1), abs=0.06)
    assert found.sd_rest == pytest.approx(1.0, abs=0.1)
    assert found.high - found.low > 2 * 1.96 * x.std(ddof=1) / np.sqrt(x.size)
    with pytest.raises(DataError, match="got one value only"):
        mixed_effect(np.ones(n * k), who.tolist(), film.tolist())

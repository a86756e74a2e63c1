"""Planted effects are where they are said to be, and nothing else changes."""

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.simulate import PlantedEffects, mechanism_session


def pair(**effects):
    """Simulate the same subject with nothing planted, and with an effect."""
    options = {"trials": 2, "trial_s": 48.0, "channels": 16, "seed": 4}
    return mechanism_session(3, **options), mechanism_session(3, effects=PlantedEffects(**effects), **options)


def test_theta_follows_micro_expressions_alone():
    plain, planted = pair(theta_uv=10.0)
    stream = plain.timeline.streams["eeg"]
    added = 1e6 * (planted.timeline.streams["eeg"].x - stream.x)
    row = list(stream.channels).index("FZ")

    for e in (e for trial in plain.trials for e in trial.expressions):
        after = (stream.t > e.onset + 0.05) & (stream.t < e.onset + 0.5)
        size = np.abs(added[after][:, row]).max()
        assert (size > 4.0) == (e.kind == "micro")
    before = stream.t < plain.trials[0].expressions[0].onset - 0.5
    assert np.abs(added[before]).max() == 0


def test_the_body_answers_both_kinds():
    """The heart slows after two to three seconds; conductance rises after its latency."""
    plain, planted = pair(scr_us=0.5, scr_latency_s=2.0)
    eda = plain.timeline.streams["eda"]
    risen = np.squeeze(planted.timeline.streams["eda"].x - eda.x)
    first = min((e for e in plain.trials[0].expressions), key=lambda e: e.onset)

    begins = eda.t[np.argmax(risen > 0.05)]
    assert begins == pytest.approx(first.onset + 2.0, abs=0.8)
    assert 0.3 < risen[(eda.t > first.onset) & (eda.t < first.onset + 8)].max() < 0.8


def test_conductance_follows_the_face():
    plain, planted = pair(face_eda_us=0.5, face_eda_lag_s=1.2)
    eda = plain.timeline.streams["eda"]
    added = np.squeeze(planted.timeline.streams["eda"].x - eda.x)
    moved = planted.face.mean(axis=1)
    at = {lag: np.corrcoef(added, np.interp(eda.t - lag, planted.face_t_s, moved))[0, 1] for lag in (0.0, 1.2, 2.4)}

    assert at[1.2] > 0.99
    assert max(at[0.0], at[2.4]) < 0.6


def test_expressions_leave_room_for_neutral_moments():
    plain, _ = pair()
    for trial in plain.trials:
        onsets = sorted(e.onset for e in trial.expressions)
        assert len(onsets) == 3
        assert min(np.diff(onsets)) >= 12.0
        assert trial.span.start < onsets[0] < onsets[-1] < trial.span.stop
    with pytest.raises(ConfigError, match="at least 48 s"):
        mechanism_session(0, trial_s=20.0)

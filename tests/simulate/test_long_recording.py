"""Long simulated recordings hold what they say, the same at every call."""

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.simulate import long_recording


def test_the_same_seed_is_the_same_recording():
    """
    Truth and frames are equal; another seed is another face.
    """
    one, two, other = long_recording(4, minutes=1), long_recording(4, minutes=1), long_recording(5, minutes=1)
    assert one.events == two.events
    first, second = next(one.frames()), next(two.frames())
    assert np.array_equal(first, second)
    assert not np.array_equal(first, next(other.frames()))


def test_expressions_come_in_speech_and_turns_and_some_are_faint():
    """
    Over twenty recordings: one in speech and one in turns for about every second minute, and sizes over a factor of three.
    """
    recordings = [long_recording(seed) for seed in range(20)]
    bursts = [(r, b) for r in recordings for b in r.spoken]
    during = sum(any(b.start <= e.onset_s and e.offset_s <= b.stop for e in r.events) for r, b in bursts)
    assert len(bursts) == 120
    assert 0.35 < during / len(bursts) < 0.65
    sizes = [e.amplitude_px for r in recordings for e in r.events if e.kind == "micro"]
    assert min(sizes) < 0.3
    assert max(sizes) > 1.2
    assert all(e.offset_s - e.onset_s <= 0.5 for r in recordings for e in r.events if e.kind == "micro")


def test_what_is_switched_off_is_not_there_and_the_rest_stays():
    """
    Without expressions and speech, blinks and turns are what they were.
    """
    full, bare = long_recording(3, minutes=2), long_recording(3, minutes=2, expressions=False, speech=False)
    assert bare.events == ()
    assert bare.spoken == ()
    assert (bare.blinks, bare.sway.turns) == (full.blinks, full.sway.turns)
    assert long_recording(3, minutes=2, turns=False).sway.turns == ()


def test_frames_come_in_order_and_all():
    """
    As many as there are times, at the size asked for.
    """
    made = long_recording(0, minutes=1, fps=10, frame_px=32)
    frames = np.concatenate(list(made.frames()))
    assert frames.shape == (600, 32, 32)
    assert frames.dtype == np.uint8


@pytest.mark.parametrize(("minutes", "fps"), [(0.5, 30.0), (2.0, 0.0)])
def test_what_cannot_be_is_said(minutes, fps):
    """
    Less than a minute, or no rate.
    """
    with pytest.raises(ConfigError, match="expected at least 1 minute and a positive rate"):
        long_recording(0, minutes=minutes, fps=fps)

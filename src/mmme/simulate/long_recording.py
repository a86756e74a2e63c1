"""One long recording of a moving face: expressions among blinks, moving heads and speech, with known truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.simulate.expressions import AU_SETS, TrueExpression, draw_expressions
from mmme.simulate.faces import Face, make_face
from mmme.simulate.render import Sway, Turn, draw_sway, render_frames
from mmme.simulate.session import draw_blinks

__all__ = ["LongRecording", "long_recording"]

#: A minute: expressions may come in these stretches, speech and turns of the head in the last one [s].
STRETCHES_S = ((0.0, 20.0), (20.0, 40.0))
DISTURBED_S = (40.0, 60.0)
#: Speech: seconds a burst lasts, syllables per second, size of a syllable [px].
SPEECH_S, SYLLABLES_HZ, SYLLABLE_PX = (2.0, 7.0), (3.0, 5.5), (0.6, 1.8)
SPOKEN = (("AU25", "AU26"), ("AU25", "AU26"), ("AU25",), ("AU18",), ("AU20", "AU25"), ("AU24",))
#: Turns: seconds there and back, size [px of a frame of 128 px], rotation [rad].
TURN_S, TURN_PX, TURN_RAD = (0.8, 2.5), 8.0, 0.08
#: Share of bursts of speech, and of turns, during which a micro-expression comes; its seconds.
DURING, DURING_S = 0.5, (0.25, 0.48)
#: Expressions are as strong as `draw_expressions` makes them, times a factor between this and 1, drawn on a log scale.
FAINTEST = 0.4
CHUNK = 512


@dataclass(frozen=True, slots=True, eq=False)
class LongRecording:
    """
    A simulated recording; frames are rendered when they are asked for, so that length costs no memory.

    Parameters
    ----------
    t : (n,) float64
        Times of the frames [s].
    face
        The identity.
    events
        Expressions: what a coder would code.
    speech
        Syllables: movements of the mouth that are no expression.
    spoken
        Bursts of speech.
    blinks
        Start and length [s].
    sway
        Movement of the head, its turns included.
    noise
        Standard deviation of the camera noise [grey levels].
    seed
        Of the noise.
    """

    t: NDArray[np.float64]
    face: Face
    events: tuple[TrueExpression, ...]
    speech: tuple[TrueExpression, ...]
    spoken: tuple[Interval, ...]
    blinks: tuple[tuple[float, float], ...]
    sway: Sway
    noise: float
    seed: int

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Grey frames ``(k, frame_px, frame_px)``, a few hundred at a time, in order."""
        for number, first in enumerate(range(0, len(self.t), CHUNK)):
            t = self.t[first : first + CHUNK]
            near = [e for e in (*self.events, *self.speech) if e.offset_s > t[0] and e.onset_s < t[-1]]
            shown = [b for b in self.blinks if b[0] + b[1] > t[0] - 1 and b[0] < t[-1] + 1]
            rng = np.random.default_rng([self.seed, 31, number])
            yield render_frames(self.face, t, near, blinks=shown, sway=self.sway, noise=self.noise, rng=rng)


def _speech(rng: np.random.Generator, start_s: float, stop_s: float) -> tuple[TrueExpression, ...]:
    """Syllables one after the other, overlapping a little, as a mouth moves when somebody speaks."""
    said = []
    now = start_s
    while now < stop_s:
        length = 1.0 / rng.uniform(*SYLLABLES_HZ)
        aus = SPOKEN[int(rng.integers(len(SPOKEN)))]
        size = float(rng.uniform(*SYLLABLE_PX))
        said.append(TrueExpression("micro", "speech", aus, now, now + 0.45 * length, now + 1.15 * length, size))
        now += length * (1.0 if rng.random() < 0.85 else 2.0)
    return tuple(said)


def _fainter(rng: np.random.Generator, event: TrueExpression) -> TrueExpression:
    """Make it weaker by chance: some expressions hardly show."""
    return replace(event, amplitude_px=event.amplitude_px * float(np.exp(rng.uniform(np.log(FAINTEST), 0.0))))


def _during(rng: np.random.Generator, span: Interval, scale: float) -> tuple[TrueExpression, ...]:
    """In some cases a micro-expression of any emotion while something else goes on."""
    present = rng.random() < DURING
    emotion = str(rng.choice(list(AU_SETS)))
    aus = AU_SETS[emotion][int(rng.integers(len(AU_SETS[emotion])))]
    length = min(float(rng.uniform(*DURING_S)), span.duration_s)
    onset = span.start + float(rng.random()) * (span.duration_s - length)
    apex, size = onset + length * float(rng.uniform(0.38, 0.58)), float(rng.uniform(0.5, 1.3)) * scale
    made = _fainter(rng, TrueExpression("micro", emotion, aus, onset, apex, onset + length, size))
    return (made,) if present else ()


def long_recording(
    seed: int,
    *,
    minutes: float = 6.0,
    fps: float = 30.0,
    frame_px: int = 128,
    head_motion_px: float = 3.0,
    expressions: bool = True,
    speech: bool = True,
    turns: bool = True,
    noise: float = 1.8,
) -> LongRecording:
    """
    Draw a recording of one subject.

    In every minute there are two stretches of 20 s in which expressions come (each with a micro-expression in 85 % and a
    macro-expression in 45 %, as in `draw_expressions`), and one with a burst of speech and a turn of the head, each with a
    micro-expression during it in half of the cases. Many expressions are faint: down to 0.4 of the usual size. Blinks and
    sway go on throughout. The head moves in the plane of the picture only.

    Parameters
    ----------
    seed
        Of everything.
    minutes
        Length [min], at least 1.
    fps
        Frame rate [Hz].
    frame_px
        Side of the frames [px].
    head_motion_px
        Typical largest sway of the head [px].
    expressions, speech, turns
        Whether there are any. The rest stays what it would be.
    noise
        Standard deviation of the camera noise [grey levels].

    Raises
    ------
    ConfigError
        If it is shorter than a minute, or the rate is not positive.

    Examples
    --------
    >>> made = long_recording(1, minutes=2)
    >>> len(made.t), sorted({e.kind for e in made.events}), len(made.spoken)
    (3600, ['macro', 'micro'], 2)
    >>> next(made.frames()).shape
    (512, 128, 128)
    """
    if not (minutes >= 1 and fps > 0):
        raise ConfigError(f"long recording: expected at least 1 minute and a positive rate, got {minutes} min at {fps} Hz")
    rng = np.random.default_rng([seed, 29])
    face, sway = make_face(rng, frame_px), draw_sway(rng, head_motion_px)
    scale = frame_px / 128
    events: list[TrueExpression] = []
    said: list[TrueExpression] = []
    spoken: list[Interval] = []
    turned: list[Turn] = []
    expressiveness = float(rng.uniform(0.8, 1.2))
    for minute in range(int(minutes)):
        at = 60.0 * minute
        for first, last in STRETCHES_S:
            emotion = str(rng.choice(list(AU_SETS)))
            drawn = draw_expressions(rng, emotion, Interval(at + first, at + last), scale=expressiveness)
            events += [_fainter(rng, event) for event in drawn]
        start = at + DISTURBED_S[0] + float(rng.uniform(1, 8))
        burst = Interval(start, start + float(rng.uniform(*SPEECH_S)))
        said += _speech(rng, burst.start, burst.stop)
        spoken.append(burst)
        turn = Turn(
            burst.stop + float(rng.uniform(0.6, 3)),
            float(rng.uniform(*TURN_S)),
            float(rng.uniform(-1, 1)) * TURN_PX * scale,
            float(rng.uniform(-0.6, 0.6)) * TURN_PX * scale,
            float(rng.uniform(-1, 1)) * TURN_RAD,
        )
        turned.append(turn)
        events += _during(rng, burst, expressiveness)
        events += _during(rng, Interval(turn.start_s, turn.start_s + turn.length_s), expressiveness)
    return LongRecording(
        t=np.arange(round(60 * minutes * fps)) / fps,
        face=face,
        events=tuple(events) if expressions else (),
        speech=tuple(said) if speech else (),
        spoken=tuple(spoken) if speech else (),
        blinks=draw_blinks(rng, 0.0, 60 * minutes),
        sway=replace(sway, turns=tuple(turned)) if turns else sway,
        noise=noise,
        seed=seed,
    )

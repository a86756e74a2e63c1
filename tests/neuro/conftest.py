"""A small simulated study with planted effects, measured once."""

import numpy as np
import pytest

from mmme.neuro.evoked import EvokedSettings
from mmme.neuro.subject import FaceMotion, SubjectSettings, analyse_subject
from mmme.simulate import PlantedEffects, mechanism_session

EFFECTS = PlantedEffects(theta_uv=14.0, coupled_uv=8.0, hr_bpm=-4.0, scr_us=0.5, face_eda_us=0.02)


def measured(number: int, effects: PlantedEffects | None, *, face: bool = True, components: bool = False):
    """Simulate one subject of eight channels and four trials, and measure it."""
    made = mechanism_session(number, effects=effects, trials=4, trial_s=48.0, channels=10, seed=11)
    motion = FaceMotion(made.face_t_s, made.face.mean(axis=1), made.face) if face else None
    settings = SubjectSettings(components=components, n_draws=200, evoked=EvokedSettings(step_s=0.04))
    return analyse_subject(made.timeline, made.trials, face=motion, settings=settings)


@pytest.fixture(scope="session")
def planted():
    return tuple(measured(k, EFFECTS) for k in range(9))


@pytest.fixture(scope="session")
def rng():
    return np.random.default_rng(0)

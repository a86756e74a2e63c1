"""
Raw sessions in the file formats of the MMME release, with planted truth.

`simulate_study` writes a whole study; `simulate_clip` renders one short clip. The layout and meaning of ``truth.json``
are described in `mmme.simulate.study`.
"""

from mmme.simulate.body import Body, draw_body, ecg_mv, eda_us, emg_mv, ppg_v, rsp_v, skt_c
from mmme.simulate.brain import BIPOLAR, EEG_NAMES, eeg_uv
from mmme.simulate.camera import FrameLog, draw_frame_log, frame_names
from mmme.simulate.clip import ClipTruth, simulate_clip
from mmme.simulate.clocks import DeviceClock, draw_clocks, draw_schedule
from mmme.simulate.devices import BIOPAC_LABELS, BIOPAC_UNITS, write_acqknowledge_mat, write_eeglab
from mmme.simulate.expressions import TrueExpression, draw_expressions, expression_amplitude
from mmme.simulate.faces import ACTION_UNITS, Face, au_field, make_face
from mmme.simulate.long_recording import LongRecording, long_recording
from mmme.simulate.mechanism import MechanismSession, PlantedEffects, mechanism_session
from mmme.simulate.plan import StudyPlan
from mmme.simulate.pulse import SKIN_TONES, PulseTruth, simulate_pulse_clip
from mmme.simulate.render import Sway, Turn, draw_sway, render_frames, write_frames
from mmme.simulate.responses import Response, draw_responses
from mmme.simulate.session import SessionJob, draw_blinks, simulate_session, true_frame_times
from mmme.simulate.stimuli import STIMULI, Stimulus, choose_stimuli
from mmme.simulate.study import simulate_study

__all__ = [
    "ACTION_UNITS",
    "BIOPAC_LABELS",
    "BIOPAC_UNITS",
    "BIPOLAR",
    "EEG_NAMES",
    "SKIN_TONES",
    "STIMULI",
    "Body",
    "ClipTruth",
    "DeviceClock",
    "Face",
    "FrameLog",
    "LongRecording",
    "MechanismSession",
    "PlantedEffects",
    "PulseTruth",
    "Response",
    "SessionJob",
    "Stimulus",
    "StudyPlan",
    "Sway",
    "TrueExpression",
    "Turn",
    "au_field",
    "choose_stimuli",
    "draw_blinks",
    "draw_body",
    "draw_clocks",
    "draw_expressions",
    "draw_frame_log",
    "draw_responses",
    "draw_schedule",
    "draw_sway",
    "ecg_mv",
    "eda_us",
    "eeg_uv",
    "emg_mv",
    "expression_amplitude",
    "frame_names",
    "long_recording",
    "make_face",
    "mechanism_session",
    "ppg_v",
    "render_frames",
    "rsp_v",
    "simulate_clip",
    "simulate_pulse_clip",
    "simulate_session",
    "simulate_study",
    "skt_c",
    "true_frame_times",
    "write_acqknowledge_mat",
    "write_eeglab",
    "write_frames",
]

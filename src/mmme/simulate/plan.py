"""What a simulated study is to contain."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmme.errors import ConfigError, raise_faults
from mmme.simulate.stimuli import STIMULI

__all__ = ["StudyPlan"]


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """
    Everything that decides what a simulated study contains; two equal plans give equal files.

    Parameters
    ----------
    subjects
        Number of sessions, 1..676.
    trials
        Stimuli per session, 1..48; chosen by `choose_stimuli`.
    seed
        Of everything random, 0 or more.
    video_fps
        Nominal camera rate [Hz], 20..500.
    frame_px
        Height and width of a frame [px], 48..512.
    trial_s
        Mean length of a stimulus [s], at least 3; single stimuli differ by up to 10 %.
    rest_s
        Mean pause after a stimulus [s], at least 1; differs by up to 10 %.
    eeg_hz, biopac_hz
        Sampling rates [Hz], 250..5000.
    face_effect
        Probability scale with which an expression shows the action units of its emotion, 0..1; 0 means that action
        units carry no emotion information.
    physiology_effect
        Scale of the differences between emotions in EEG and peripheral responses, 0..3; 0 means that responses are
        the same for all emotions.
    combined_sheet
        Write ``coding_file_combined.xlsx`` (with the column ``Macro/Micro``) in place of ``coding_file.xlsx``.
    lost_marker
        One session lacks the EEG markers of one trial.
    doubled_marker
        One session has one EEG marker twice.
    skipped_trial
        One session stops before its last trial.
    frame_drops
        The camera loses about 1 % of its frames.
    camera_stalls
        The camera's host stalls now and then, so that frames arrive late and in bursts.

    Raises
    ------
    ConfigError
        Once, with all values that are out of range.

    Examples
    --------
    >>> StudyPlan(subjects=2, trials=3).frame_px
    128
    >>> StudyPlan(subjects=0)
    Traceback (most recent call last):
        ...
    mmme.errors.ConfigError: simulation plan: subjects: expected 1 to 676, got 0
    """

    subjects: int = 8
    trials: int = 9
    seed: int = 0
    video_fps: float = 150.0
    frame_px: int = 128
    trial_s: float = 6.0
    rest_s: float = 4.0
    eeg_hz: int = 1000
    biopac_hz: int = 1000
    face_effect: float = 1.0
    physiology_effect: float = 1.0
    combined_sheet: bool = False
    lost_marker: bool = True
    doubled_marker: bool = True
    skipped_trial: bool = True
    frame_drops: bool = True
    camera_stalls: bool = True

    def __post_init__(self) -> None:
        """Check all ranges, raise once."""
        ranges: tuple[tuple[str, float, float, float, str], ...] = (
            ("subjects", self.subjects, 1, 676, ""),
            ("trials", self.trials, 1, len(STIMULI), ""),
            ("seed", self.seed, 0, 2**63 - 1, ""),
            ("video_fps", self.video_fps, 20, 500, " Hz"),
            ("frame_px", self.frame_px, 48, 512, " px"),
            ("trial_s", self.trial_s, 3, 600, " s"),
            ("rest_s", self.rest_s, 1, 600, " s"),
            ("eeg_hz", self.eeg_hz, 250, 5000, " Hz"),
            ("biopac_hz", self.biopac_hz, 250, 5000, " Hz"),
            ("face_effect", self.face_effect, 0, 1, ""),
            ("physiology_effect", self.physiology_effect, 0, 3, ""),
        )
        faults = [
            f"{name}: expected {low} to {high}{unit}, got {value}{unit}"
            for name, value, low, high, unit in ranges
            if not (math.isfinite(value) and low <= value <= high)
        ]
        whole = ("subjects", "trials", "seed", "frame_px", "eeg_hz", "biopac_hz")
        faults += [
            f"{name}: expected a whole number, got {getattr(self, name)!r}"
            for name in whole
            if not isinstance(getattr(self, name), int)
        ]
        raise_faults("simulation plan", faults, error=ConfigError)

"""One recording of a study: on one clock, cut into trials, checked."""

from __future__ import annotations

from mmme.align import align
from mmme.checks import check_timeline
from mmme.config import RunConfig
from mmme.datasets.study import Study
from mmme.trials import Trials, build_trials
from mmme.types import Finding, Recording, Timeline

__all__ = ["aligned", "cut_into_trials", "design", "findings_of", "reference_of"]


def aligned(recording: Recording, config: RunConfig) -> Timeline:
    """Bring the devices of a recording onto one clock, as the run file says."""
    reference = reference_of(recording) if config.alignment.reference == "auto" else config.alignment.reference
    return align(recording, reference=reference, limit_ms=config.alignment.limit_ms)


def reference_of(recording: Recording) -> str:
    """Choose the device whose clock becomes session time: the EEG's where there is one, else the one with most markers."""
    devices = sorted({stream.device for stream in recording.streams.values()} | set(recording.markers))
    if "eeg" in recording.streams:
        return recording.streams["eeg"].device
    return max(devices, key=lambda name: len(recording.markers[name]) if name in recording.markers else 0)


def cut_into_trials(study: Study, name: str, timeline: Timeline) -> Trials:
    """Cut one recording into its trials, with the coded expressions in session time."""
    info = study.info
    return build_trials(
        timeline,
        study.coded(name),
        frame_uncertainty_s=study.frame_uncertainty_s(name),
        idle=info.markers.idle,
        stimuli=info.stimulus_of or None,
        kind_rule=(info.kind.micro_total_s, info.kind.micro_apex_s),
    )


def findings_of(study: Study, name: str, recording: Recording, timeline: Timeline, cut: Trials) -> tuple[Finding, ...]:
    """Check one recording against what its data set records; what the import met comes first."""
    info = study.info
    met = [f for f in study.findings() if f.where.split()[:1] == [name]]
    rule = (info.kind.micro_total_s, info.kind.micro_apex_s)
    return (*met, *check_timeline(recording, timeline, cut, expected=info.streams, kind_rule=rule))


def design(study: Study) -> tuple[str, ...]:
    """Stimuli that every subject should have seen; a simulated study shows fewer on purpose."""
    return () if study.simulated else tuple(stimulus for stimulus, _ in study.info.stimulus_of.values())

"""
Every descriptor of a face, by name, and the one pass over the expressions of a recording that computes those asked for.

A descriptor is a function of one `FaceClip`. It returns named values (`Described`), which become the columns of a table, or
a tensor, the input of a network; docs/descriptors.md says what each is, with its paper.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, unknown_name
from mmme.features.face import network_inputs
from mmme.features.face.action_units import action_unit_evidence, au_regions
from mmme.features.face.clips import FACE_PX, ClipSettings, FaceClip, NoClipError, grid, open_clip
from mmme.features.face.facial_dynamics import displacements, facial_dynamics_map, time_course
from mmme.features.face.flow import flow
from mmme.features.face.gradients_3d import hog_on_icosahedron, hog_on_planes
from mmme.features.face.hoof import bi_woof, hoof, rhoof
from mmme.features.face.landmarks import FaceFinder, FaceMesh
from mmme.features.face.lbp import ME_BASELINE, lbp_fip, lbp_sip, lbp_top
from mmme.features.face.mdmd import mdmd
from mmme.features.face.mdmo import mdmo, mdmo_regions
from mmme.features.face.regions import skin_mask
from mmme.features.face.registration import head_motion, registration_of
from mmme.features.face.strain_maps import strain_pooled
from mmme.features.tables import Described, undescribed
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["FACE_DESCRIPTORS", "describe_faces"]

Value = Described | NDArray[np.float32]


def _mdmd(clip: FaceClip) -> Described:
    """Onset to apex against onset to offset, in 6 x 6 blocks as published."""
    return mdmd(clip.motion, clip.motion_in_time[-1], grid(6))


#: Evidence of action units is read from a larger face by a slower flow: docs/action-units.md says what that gains.
EVIDENCE_PX, EVIDENCE_FLOW = 256, "dis-twice"


def _au_evidence(clip: FaceClip) -> Described:
    """Evidence in pixels of a 128-px face, whatever the clip's own flow."""
    way = registration_of(clip.points, method=clip.settings.registration, size=EVIDENCE_PX)
    skin = skin_mask(clip.points, way.matrix, EVIDENCE_PX)
    field = flow(way.apply(clip.onset_frame), way.apply(clip.apex_frame), method=EVIDENCE_FLOW)
    field = (field - head_motion(field, skin)) * np.float32(FACE_PX / EVIDENCE_PX)
    return action_unit_evidence(field, au_regions(way.points(clip.points), EVIDENCE_PX), skin)


def _time_course(clip: FaceClip) -> Described:
    moved = displacements(clip.motion_in_time[1:], clip.face_regions)  # from zero at the onset
    return time_course(moved, clip.t, clip.face_regions.names)


FACE_DESCRIPTORS: Mapping[str, Callable[[FaceClip], Value]] = MappingProxyType(
    {
        "flow-images": network_inputs.flow_image,
        "onset-apex-frames": network_inputs.onset_and_apex,
        "clips": network_inputs.clip_of_fixed_length,
        "region-motion": network_inputs.region_motion,
        "lbp-top": lambda clip: lbp_top(clip.frames_of_one_length, clip.regions),
        "lbp-sip": lambda clip: lbp_sip(clip.frames_of_one_length, clip.regions),
        "lbp-fip": lambda clip: lbp_fip(
            clip.frames_of_one_length, clip.regions, ME_BASELINE
        ),  # 16 frames are few for Rt = 7
        "3dhog": lambda clip: hog_on_planes(clip.frames_of_one_length, clip.regions),
        "hog3d": lambda clip: hog_on_icosahedron(clip.frames_of_one_length, clip.regions),
        "hoof": lambda clip: hoof(clip.motion, clip.regions),
        "bi-woof": lambda clip: bi_woof(clip.motion, clip.regions),
        "rhoof": lambda clip: rhoof(clip.motion, clip.face_regions),
        "mdmo": lambda clip: mdmo(clip.motion_in_time[1:], mdmo_regions(clip.landmarks, len(clip.skin))),
        "mdmd": _mdmd,
        "strain": lambda clip: strain_pooled(clip.motion, clip.regions),
        "facial-dynamics": lambda clip: facial_dynamics_map(clip.motion_in_time[1:], clip.regions),
        "time-course": _time_course,
        "au-evidence": _au_evidence,
    }
)


def describe_faces(
    video: Stream,
    samples: Sequence[Sample],
    names: Sequence[str],
    *,
    settings: ClipSettings | None = None,
    finder: FaceFinder | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, FeatureTable]:
    """
    Describe the face of each sample; every frame is read and registered once, whatever the number of descriptors.

    Parameters
    ----------
    video
        Grey frames on the clock of the samples.
    samples
        Onset, apex and offset are used.
    names
        Of `FACE_DESCRIPTORS`.
    settings
        How clips are registered and described.
    finder
        Detector; the face mesh by default.
    progress
        Called with samples done, and all.

    Returns
    -------
    dict
        A table by name, all with the same rows in the order of the samples. A row without a face, whose apex is its onset,
        outside the video, or too short for a descriptor is NaN and says so; where that holds for all, the table has no
        columns (`mmme.features.tables.undescribed`). Stratum ``apex`` tells whether it was coded or estimated.

    Raises
    ------
    ConfigError
        If a descriptor is not known.
    DataError
        If there are no samples.
    """
    for name in names:
        if name not in FACE_DESCRIPTORS:
            raise unknown_name("descriptor of the face", name, FACE_DESCRIPTORS)
    if not samples:
        raise DataError("faces: expected at least one sample, got none; are there expressions of this kind?")
    settings = settings or ClipSettings()
    found: dict[str, list[Value | str]] = {name: [] for name in names}
    with nullcontext(finder) if finder is not None else FaceMesh() as looking:
        for k, sample in enumerate(samples):
            for name, value in _described(video, sample, names, looking, settings).items():
                found[name].append(value)
            if progress:
                progress(k + 1, len(samples))
    return {name: _table(name, samples, values, settings) for name, values in found.items()}


def _described(
    video: Stream, sample: Sample, names: Sequence[str], finder: FaceFinder, settings: ClipSettings
) -> dict[str, Value | str]:
    """Return the value of each descriptor, or the reason why there is none."""
    try:
        clip = open_clip(video, sample, finder, settings)
    except NoClipError as why:
        return dict.fromkeys(names, str(why))
    values: dict[str, Value | str] = {}
    for name in names:
        try:
            values[name] = FACE_DESCRIPTORS[name](clip)
        except DataError as why:
            values[name] = str(why)
    return values


def _table(name: str, samples: Sequence[Sample], values: Sequence[Value | str], settings: ClipSettings) -> FeatureTable:
    """Put described samples under each other."""
    why = [value if isinstance(value, str) else "" for value in values]
    made = [value for value in values if not isinstance(value, str)]
    origin = {name: json.dumps(asdict(settings), sort_keys=True)}
    strata = {"apex": ["coded" if sample.apex_coded else "estimated" for sample in samples]}
    if not made:
        return undescribed(samples, why, strata=strata, origin=origin)
    first = made[0]
    columns, shape = (first.columns, first.values.shape) if isinstance(first, Described) else ((), first.shape)
    X = np.full((len(samples), *shape), np.nan, dtype=np.float32)
    for row, value in zip(X, values, strict=True):
        if not isinstance(value, str):
            row[...] = value.values if isinstance(value, Described) else value
    reasons = ["", *dict.fromkeys(text for text in why if text)]
    code = np.array([reasons.index(text) for text in why], dtype=np.uint16)
    return FeatureTable.build(
        X,
        columns,
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        reason=np.repeat(code[:, None], len(columns), axis=1) if columns else code,
        reasons=reasons,
        strata=strata,
        origin=origin,
    )

"""Data sets of short videos: every coded video is a recording of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmme.datasets.catalogue import DatasetInfo, Device
from mmme.datasets.raw import RawSession
from mmme.errors import DataError
from mmme.types import CodingRow

__all__ = ["find_clips"]

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")


def find_clips(raw: Path, info: DatasetInfo, rows: Sequence[CodingRow]) -> tuple[RawSession, ...]:
    """
    List the videos that an annotation table names, as sessions with one device.

    Parameters
    ----------
    raw
        Folder of the data set.
    info
        The data set, with ``[clips]``.
    rows
        Rows of its table.

    Returns
    -------
    tuple of RawSession
        In the order of the table; a video that is not there carries its fault.

    Raises
    ------
    DataError
        If not one of the videos is there.
    """
    assert info.clips is not None
    wanted = list(dict.fromkeys((row.subject, row.clip) for row in rows))
    device = Device(
        files=info.clips.files,
        rate_hz=info.clips.rate_hz,
        frame_name=info.clips.frame_name,
        first_frame=info.clips.first_frame,
    )
    rates = {(row.subject, row.clip): row.fps for row in rows}
    sessions, seen = [], dict[str, int]()
    patterns = list(info.clips.files)
    for number, (subject, clip) in enumerate(wanted, start=1):
        seen[subject] = seen.get(subject, 0) + 1
        path = _video(raw, patterns, subject, clip)
        faults = () if path else (f"expected a video of clip {clip}, got none at {' or '.join(info.clips.files)}",)
        own = device.model_copy(update={"rate_hz": rates[subject, clip] or device.rate_hz})
        sessions.append(
            RawSession(
                number=number,
                name=subject,
                date="",
                label=f"run-{seen[subject]:03d}",
                folder=raw,
                files={"camera": path} if path else {},
                info=info.model_copy(update={"devices": {"camera": own}}),
                faults=faults,
                written=(clip,),
            )
        )
    if sessions and all(session.faults for session in sessions):
        raise DataError(
            f"{raw.name}: expected videos at {' or '.join(info.clips.files)}, got none; is it the folder above?"
        )
    return tuple(sessions)


def _video(raw: Path, patterns: list[str], subject: str, clip: str) -> Path | None:
    """File or folder of frames of a clip; the pattern that fits is tried first from then on, as walking takes long."""
    for pattern in patterns:
        place, _, last = pattern.rpartition("/")
        wanted = (place if Path(last).suffix in IMAGES and place else pattern).format(subject=subject, clip=clip)
        for path in sorted(raw.glob(wanted)):
            if path.is_file() or any(path.glob(last)):
                patterns.insert(0, patterns.pop(patterns.index(pattern)))
                return path
    return None

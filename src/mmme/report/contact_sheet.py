"""What was spotted, to be looked at: the face at onset, apex and offset, and what moved between them, magnified."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmme.report.figures import FAINT, INK, KIND_COLOUR

__all__ = ["SpottedFaces", "contact_sheet_png"]

#: More expressions than these, the strongest first, are in the table only.
MOST_SHOWN = 24
#: A difference of so many grey levels is fully dark or light.
FULL_DIFFERENCE = 24.0


@dataclass(frozen=True, slots=True, eq=False)
class SpottedFaces:
    """
    Registered faces of one expression.

    Parameters
    ----------
    onset, apex, offset : (h, w) float32
        Grey levels.
    moved : (h, w) float32
        Apex less the mean of onset and offset [grey levels].
    """

    onset: NDArray[np.float32]
    apex: NDArray[np.float32]
    offset: NDArray[np.float32]
    moved: NDArray[np.float32]


def contact_sheet_png(
    rows: Sequence[Mapping[str, Any]], faces: Sequence[SpottedFaces | None], path: Path
) -> tuple[int, ...]:
    """
    Draw one line per expression: onset, apex, offset, and what moved.

    Parameters
    ----------
    rows
        As `mmme.study.video.spot_video` writes them.
    faces
        Per row; None where a face was not seen at all three moments.
    path
        The ``.png`` file; replaced only once the new one is complete.

    Returns
    -------
    tuple of int
        Positions of the rows that are shown, in order of time; the strongest where there are too many.
    """
    strongest = sorted(range(len(rows)), key=lambda k: -float(rows[k]["score"]))
    shown = tuple(sorted([k for k in strongest if faces[k] is not None][:MOST_SHOWN]))
    n = max(1, len(shown))
    figure = Figure(figsize=(8.4, 1.95 * n + 0.5), layout="constrained", facecolor="white")
    grid = figure.subplots(n, 4, squeeze=False)
    for line, axes in enumerate(grid):
        for ax in axes:
            ax.set_axis_off()
        face = faces[shown[line]] if line < len(shown) else None
        if face is None:
            axes[0].text(0, 0.5, "nothing to show", color=FAINT, size=9, transform=axes[0].transAxes)
            continue
        row = rows[shown[line]]
        pictures = (face.onset, face.apex, face.offset)
        low, high = np.percentile(face.apex, [1, 99])
        moments = (("onset", row["onset_s"]), ("apex", row["apex_s"]), ("offset", row["offset_s"]))
        for ax, picture, (name, at) in zip(axes, pictures, moments, strict=False):
            ax.imshow(picture, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="bilinear")
            ax.set_title(f"{name}  {at:.2f} s", size=8.5, color=INK, pad=3)
        axes[3].imshow(face.moved, cmap="RdBu_r", vmin=-FULL_DIFFERENCE, vmax=FULL_DIFFERENCE, interpolation="bilinear")
        axes[3].set_title("apex less both ends", size=8.5, color=INK, pad=3)
        colour = KIND_COLOUR[row["kind"]]
        axes[0].text(-0.06, 0.5, f"{shown[line] + 1}  {row['kind']}", rotation=90, va="center", ha="right", size=9,
                     color=colour, weight="bold", transform=axes[0].transAxes)  # fmt: skip
    if len(shown) < sum(face is not None for face in faces):
        figure.suptitle(f"the strongest {len(shown)} of {len(rows)}", size=9, color=INK, x=0.01, ha="left")
    temporary = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(temporary, dpi=110)
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform
    return shown

"""What was recognised in one video: probabilities, and what carried each decision, as a picture."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmme.features.face.zones import ZONES
from mmme.report.figures import FAINT, INK, PALETTE

__all__ = ["prediction_png"]

#: More expressions than these are in the table only.
MOST_SHOWN = 10
#: Without the darkest ends, on which the lines of a face would not be seen.
_MAP = ListedColormap(mpl.colormaps["RdBu_r"](np.linspace(0.12, 0.88, 256)))
_PALE = "#f4f6f8"

Face = tuple[NDArray[np.intp], Mapping[str, NDArray[np.float64]]]


def prediction_png(
    title: str, classes: Sequence[str], rows: Sequence[Mapping[str, Any]], faces: Sequence[Face | None], path: Path
) -> Path:
    """
    Draw each expression as a row: its times, bars of class probabilities, a schematic face and bars of signals.

    The colour of a zone, and the length of a signal's bar, are the log-odds that the winning class loses without it: red
    spoke for the class, blue against it. Face and body have scales of their own. What was refused has no bars; its
    reason stands in their place.

    Parameters
    ----------
    title
        Of the figure.
    classes
        In the order of the bars.
    rows
        One per expression, as `mmme.study.prediction` makes them.
    faces
        Per row: position in `mmme.features.face.zones.ZONES` of each pixel, and lines of the face; None without a face.
    path
        The ``.png`` file; replaced only once the new one is complete.
    """
    shown = list(zip(rows, faces, strict=True))[:MOST_SHOWN]
    with_face = any("face" in row["threshold"] for row, _ in shown)
    with_body = any(drop is not None for row, _ in shown for drop in row["drops"].get("body", {}).values())
    ratios = [1.15, 2.2, *([1.6] if with_face else []), *([1.8] if with_body else [])]
    height = 1.75 * len(shown) + 1.2
    figure = Figure(figsize=(1.85 * sum(ratios) + 0.6, height), layout="constrained", facecolor="white")
    grid = figure.subplots(len(shown), len(ratios), squeeze=False, width_ratios=ratios)
    most = {part: _most(rows, part) for part in ("face", "body")}
    for k, (row, face) in enumerate(shown):
        first = k == 0
        cells = iter(grid[k])
        _times(next(cells), row, k + 1)
        _bars(next(cells), classes, row, first=first)
        if with_face:
            _face(next(cells), row, face, most["face"], first=first)
        if with_body:
            _signals(next(cells), row, most["body"], first=first, last=k == len(shown) - 1)
    if with_face:
        of_face = ScalarMappable(Normalize(-most["face"], most["face"]), _MAP)
        bar = figure.colorbar(of_face, ax=grid[:, 2].tolist(), location="bottom", shrink=0.8, pad=0.2 / height, aspect=20)
        bar.set_label("log-odds lost without it [nat]", size=7.5, color=INK)
        bar.ax.tick_params(labelsize=7, colors=INK)
        bar.outline.set_visible(False)
    more = f"; the first {MOST_SHOWN} are shown" if len(rows) > MOST_SHOWN else ""
    figure.suptitle(title + more, size=11, color=INK, x=0.012, ha="left")
    temporary = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(temporary, dpi=130)
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform
    return path


def _most(rows: Sequence[Mapping[str, Any]], part: str) -> float:
    """Find the largest loss of a modality, no less than 0.05: what hardly matters is not painted red."""
    losses = [abs(drop) for row in rows for drop in row["drops"].get(part, {}).values() if drop is not None]
    return max(0.05, max(losses, default=0.0))


def _empty(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(False)


def _times(ax: Axes, row: Mapping[str, Any], number: int) -> None:
    """Tell number, class and times of an expression."""
    _empty(ax)
    head = "refused" if row["refused"] else row["class"]
    ax.text(0, 0.92, f"{number}  {head}", size=10.5, weight="bold", color=FAINT if row["refused"] else INK, va="top")
    times = "\n".join(f"{name} {row[f'{name}_s']:.2f} s" for name in ("onset", "apex", "offset"))
    text = f"{row['kind']}, {row['how']}\n{times}"
    ax.text(0, 0.70, text, size=8, color=INK, va="top", linespacing=1.45)
    ax.set(xlim=(0, 1), ylim=(0, 1))


def _bars(ax: Axes, classes: Sequence[str], row: Mapping[str, Any], *, first: bool) -> None:
    """Probabilities of the decision, and as dots what each modality said by itself; or why there are none."""
    if first:
        ax.set_title("probability", size=9, color=INK, loc="left")
    if row["refused"]:
        _empty(ax)
        ax.set(xlim=(0, 1), ylim=(0, 1), facecolor=_PALE)
        ax.text(0.04, 0.5, textwrap.fill(row["reason"], 46), size=8, color=INK, va="center", linespacing=1.4)
        return
    place = np.arange(len(classes))[::-1]
    values = [row["probabilities"][c] for c in classes]
    won = int(np.argmax(values))
    ax.barh(place, values, height=0.62, color=[PALETTE[0] if k == won else "#c3d3e6" for k in range(len(classes))])
    for y, value in zip(place, values, strict=True):
        inside = value > 0.85
        at, side, colour = (value - 0.015, "right", "white") if inside else (value + 0.015, "left", INK)
        ax.text(at, y, f"{value:.2f}", size=8, va="center", ha=side, color=colour)
    said = {name: own for name, own in row["alone"].items() if own}
    if len(said) > 1:
        for marker, (name, own) in zip(("o", "D", "s"), said.items(), strict=False):
            ax.plot(
                [own[c] for c in classes], place - 0.36, marker, ms=4, mfc="white", mec=INK, mew=0.9, label=f"{name} alone"
            )
        if first:
            ax.legend(frameon=False, fontsize=7, loc="lower right", ncols=2, bbox_to_anchor=(1.02, 0.96), handletextpad=0.2)
    ax.set(xlim=(0, 1.02), yticks=place, ylim=(-0.75, len(classes) - 0.5))
    ax.set_yticklabels(classes, size=8.5, color=INK)
    ax.tick_params(axis="x", labelsize=7, colors=INK, color=FAINT)
    ax.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)


def _face(ax: Axes, row: Mapping[str, Any], face: Face | None, most: float, *, first: bool) -> None:
    """Zones of a schematic face, coloured by what the winner loses without each."""
    _empty(ax)
    if first:
        ax.set_title("regions of the face", size=9, color=INK, loc="left")
    if face is None:
        ax.text(0.5, 0.5, "no face", size=8, color=FAINT, ha="center", va="center", transform=ax.transAxes)
        return
    zones, lines = face
    drops = row["drops"].get("face", {})
    values = np.array([drops.get(name) or 0.0 for name in ZONES])
    colours = np.asarray(_MAP(0.5 + 0.5 * values / most))[:, :3]
    image = colours[zones] if drops else np.full((*zones.shape, 3), 0.95)
    image[zones == len(ZONES) - 1] = 1.0  # what lies outside of the face is told in words
    ax.imshow(image, interpolation="nearest")
    for points in lines.values():
        ax.plot(points[:, 0], points[:, 1], color=INK, lw=0.9, alpha=0.85, solid_capstyle="round")
    inside = {name: drop for name, drop in drops.items() if drop is not None}
    for name in [*sorted(inside, key=lambda n: -abs(inside[n]))[:2]]:
        if name in ZONES[:-1]:
            where = np.argwhere(zones == ZONES.index(name)).mean(axis=0)
            ax.annotate(
                f"{name} {inside[name]:+.2f}", (128, where[0]), size=7, va="center", color=INK, annotation_clip=False
            )
    rest = drops.get(ZONES[-1])
    if rest is not None:
        ax.text(64, 134, f"outside {rest:+.2f}", size=6.5, color=FAINT, ha="center", va="top")
    edge = np.concatenate(list(lines.values()))
    ax.set(
        xlim=(min(0.0, edge[:, 0].min()) - 2, 160), ylim=(max(128.0, edge[:, 1].max()) + 10, min(0.0, edge[:, 1].min()) - 2)
    )


def _signals(ax: Axes, row: Mapping[str, Any], most: float, *, first: bool, last: bool) -> None:
    """Bars of what the winner loses without each signal of the body."""
    if first:
        ax.set_title("signals of the body", size=9, color=INK, loc="left")
    drops: Mapping[str, float | None] = row["drops"].get("body", {})
    if not drops:
        _empty(ax)
        return
    place = np.arange(len(drops))[::-1]
    values = np.array([drop if drop is not None else 0.0 for drop in drops.values()])
    ax.barh(place, values, height=0.6, color=_MAP(0.5 + 0.5 * values / most), edgecolor=FAINT, lw=0.4)
    ax.axvline(0, color=FAINT, lw=0.8)
    for y, drop in zip(place, drops.values(), strict=True):
        if drop is None:
            ax.text(0.02 * most, y, "no value", size=7, color=FAINT, va="center")
    ax.set(xlim=(-1.05 * most, 1.05 * most), yticks=place)
    ax.set_yticklabels(list(drops), size=8.5, color=INK)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=7, colors=INK, color=FAINT, labelbottom=last)
    if last:
        ax.set_xlabel("log-odds lost without it [nat]", size=7.5, color=INK)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(FAINT)

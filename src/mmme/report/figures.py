"""Every figure of the report: plain data in, SVG text out."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmme.interval import Interval
from mmme.metrics.calibration import Calibration
from mmme.types import ClockMap, Result

__all__ = [
    "clock_residuals",
    "confusions",
    "forest",
    "group_scores",
    "motion_png",
    "panel",
    "quality",
    "reliability",
    "signals",
    "spotting_curves",
    "svg",
]

INK, FAINT, GRID = "#1d2733", "#8a94a0", "#e3e7ec"
PALETTE = ("#2f6db3", "#d9822b", "#2f8f6b", "#7a4fa3", "#b3413b", "#5c6b7a")
KIND_COLOUR = {"micro": "#b3413b", "macro": "#2f6db3"}


def svg(figure: Figure) -> str:
    """Return the figure as an ``<svg>`` element to be put inside a page; the same figure gives the same text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def panel(
    width_in: float,
    height_in: float,
    columns: int = 1,
    rows: int = 1,
    height_ratios: Sequence[float] | None = None,
    width_ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of the house's look with its axes, row by row."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=height_ratios, width_ratios=width_ratios)
    flat = [ax for row in axes for ax in row]
    for ax in flat:
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            ax.spines[side].set_color(FAINT)
        ax.tick_params(colors=INK, labelsize=8, color=FAINT)
    return figure, flat


def _label(ax: Axes, value: float, row: float) -> None:
    ax.annotate(f"{value:.3f}", (value, row), (0, 7), textcoords="offset points", ha="center", size=7)


def forest(results: Sequence[Result], names: Sequence[str]) -> str:
    """
    Draw scores with their 95 % intervals against chance, one panel per score, one row per result.

    Parameters
    ----------
    results
        All of one task.
    names
        Scores to show; a result that lacks one leaves its row empty.
    """
    figure, axes = panel(2.9 * len(names) + 1.2, 0.36 * len(results) + 1.0, columns=len(names))
    rows = np.arange(len(results))[::-1]
    for ax, name in zip(axes, names, strict=True):
        for row, result in zip(rows, results, strict=True):
            found = [s for s in result.scores if s.name == name and s.group == "all"]
            chance = result.chance.get(name)
            if chance:
                ax.plot([chance["mean"], chance["p95"]], [row, row], color=GRID, lw=9, solid_capstyle="butt", zorder=1)
                ax.plot([chance["mean"]] * 2, [row - 0.28, row + 0.28], color=FAINT, lw=1.2, zorder=2)
            for score in found:
                colour = PALETTE[(len(results) - 1 - row) % len(PALETTE)]
                ax.plot([score.low, score.high], [row, row], color=colour, lw=2.4, solid_capstyle="round", zorder=3)
                ax.plot(score.value, row, "o", color=colour, ms=6.5, mec="white", mew=1, zorder=4)
                ax.annotate(
                    f"{score.value:.3f}", (score.value, row), (0, 7), textcoords="offset points", ha="center", size=7
                )
        ax.set(xlim=(0, 1), ylim=(-0.7, len(results) - 0.3), yticks=rows, title=name)
        ax.set_yticklabels([r.title for r in results] if ax is axes[0] else [""] * len(results))
        ax.title.set_fontsize(9)
        ax.xaxis.grid(visible=True, color=GRID, lw=0.6)
        ax.set_axisbelow(True)
    return svg(figure)


def group_scores(result: Result, name: str) -> str:
    """Draw one score of one result in every group, with its interval."""
    scores = [s for s in result.scores if s.name == name]
    figure, (ax,) = panel(5.2, 0.34 * len(scores) + 0.8)
    rows = np.arange(len(scores))[::-1]
    for row, score in zip(rows, scores, strict=True):
        colour = INK if score.group == "all" else PALETTE[0]
        ax.plot([score.low, score.high], [row, row], color=colour, lw=2.4, solid_capstyle="round")
        ax.plot(score.value, row, "o", color=colour, ms=6.5, mec="white")
        _label(ax, score.value, row)
    ax.set(xlim=(0, 1), yticks=rows, ylim=(-0.7, len(scores) - 0.3), xlabel=name)
    ax.set_yticklabels([f"{s.group} (n = {s.n})" for s in scores])
    ax.xaxis.grid(visible=True, color=GRID, lw=0.6)
    return svg(figure)


def confusions(matrices: Mapping[str, NDArray[np.int64]], classes: Sequence[str]) -> str:
    """
    Draw confusion matrices side by side, rows true, columns predicted, shaded by the share of the true class.

    Parameters
    ----------
    matrices : (n_classes, n_classes) each
        By title.
    classes
        Names in the order of the rows.
    """
    figure, axes = panel(2.55 * len(matrices) + 0.5, 2.5, columns=len(matrices))
    for ax, (title, counts) in zip(axes, matrices.items(), strict=True):
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.ndindex(*counts.shape):
            ax.text(j, i, f"{counts[i, j]}", ha="center", va="center", size=9, color="white" if share[i, j] > 0.55 else INK)
        ax.set(xticks=range(len(classes)), yticks=range(len(classes)), title=title, xlabel="predicted")
        ax.set_xticklabels(classes, fontsize=7)
        ax.set_yticklabels(classes if ax is axes[0] else [""] * len(classes))
        ax.title.set_fontsize(9)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
    axes[0].set_ylabel("true")
    return svg(figure)


def reliability(found: Mapping[str, Calibration]) -> str:
    """
    Draw how often predictions of rising confidence were right, one panel per result; the diagonal can be taken at its word.

    Parameters
    ----------
    found
        Calibration by title.
    """
    figure, axes = panel(2.55 * len(found) + 0.5, 2.5, columns=len(found))
    for ax, (title, one) in zip(axes, found.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=":")
        ax.plot(one.said, one.right, "o-", color=PALETTE[0], ms=4.5, lw=1.4, mec="white")
        ax.set(xlim=(0, 1), ylim=(0, 1), title=title, aspect="equal")
        ax.title.set_fontsize(9)
        ax.set_xlabel("probability of the predicted class", fontsize=8)
    axes[0].set_ylabel("share that was right", fontsize=8)
    return svg(figure)


def evidence(groups: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> str:
    """
    Draw how far each action unit's skin moved its own way, a column per group of expressions.

    Parameters
    ----------
    groups : (n_units,) each
        Mean evidence [px] by group.
    names
        Of the action units, in the order of the rows.
    """
    values = np.column_stack(list(groups.values()))
    figure, (ax,) = panel(1.15 * len(groups) + 1.4, 0.24 * len(names) + 1.0)
    reach = max(float(np.nanmax(np.abs(values))), 0.1)
    ax.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    for i, j in np.ndindex(*values.shape):
        ax.text(
            j,
            i,
            f"{values[i, j]:+.2f}",
            ha="center",
            va="center",
            size=8,
            color="white" if abs(values[i, j]) > 0.6 * reach else INK,
        )
    ax.set(xticks=range(len(groups)), yticks=range(len(names)))
    ax.set_xticklabels(list(groups), fontsize=8)
    ax.set_yticklabels(names, fontsize=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return svg(figure)


def quality(shares: Mapping[str, NDArray[np.float64]], subjects: Sequence[str]) -> str:
    """
    Draw how much of each trial can be trusted, one panel per signal, one row per subject, one cell per trial.

    Parameters
    ----------
    shares : (n_subjects, n_trials) each
        Quality index, 0 to 1, by signal; NaN where there is nothing.
    subjects
        In the order of the rows.
    """
    columns = min(len(shares), 3)
    rows = -(-len(shares) // columns)
    n_trials = max(x.shape[1] for x in shares.values())
    figure, axes = panel(3.4 * columns, (0.16 * len(subjects) + 0.75) * rows + 0.5, columns=columns, rows=rows)
    colours = mpl.colormaps["OrRd_r"].with_extremes(bad="#b9c2cc")
    shown = None
    for ax, (name, values) in zip(axes, shares.items(), strict=False):
        shown = ax.imshow(values, cmap=colours, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        ax.set_title(f"{name}: {100 * np.nanmean(values):.0f} %" if np.isfinite(values).any() else f"{name}: none", size=9)
        few = np.unique(np.linspace(0, len(subjects) - 1, min(len(subjects), 12)).astype(int))
        ax.set(yticks=few, xticks=[0, n_trials - 1] if n_trials > 1 else [0])
        ax.set_yticklabels([subjects[k] for k in few], fontsize=7)
        ax.set_xticklabels(["1", str(n_trials)] if n_trials > 1 else ["1"], fontsize=7)
        ax.set_xticks(np.arange(0.5, n_trials - 1), minor=True)
        ax.set_yticks(np.arange(0.5, len(subjects) - 1), minor=True)
        ax.grid(which="minor", color=GRID, lw=0.5)
        ax.tick_params(which="both", length=0)
        for side in ("left", "bottom"):
            ax.spines[side].set_color(GRID)
    for ax in axes[len(shares) :]:
        ax.set_visible(False)
    if shown is not None:
        bar = figure.colorbar(shown, ax=axes, shrink=0.6, aspect=30, pad=0.01)
        bar.set_label("share of the trial", size=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    return svg(figure)


def clock_residuals(clocks: Mapping[str, Mapping[str, ClockMap]], limit_ms: float) -> str:
    """
    Draw, for each subject and device, the worst kept marker misfit and the drift against the session clock.

    Parameters
    ----------
    clocks
        By subject, then device.
    limit_ms
        Limit above which alignment refuses [ms].
    """
    devices = sorted({d for by_device in clocks.values() for d in by_device})
    subjects = sorted(clocks)
    figure, axes = panel(7.6, 0.22 * len(subjects) + 1.2, columns=2)
    for ax, label in zip(axes, ("worst marker misfit [ms]", "drift [ppm]"), strict=True):
        for k, device in enumerate(devices):
            rows = [i for i, s in enumerate(subjects) if device in clocks[s]]
            maps = [clocks[subjects[i]][device] for i in rows]
            values = [m.residual_ms if ax is axes[0] else m.drift_ppm for m in maps]
            ax.plot(values, [-r for r in rows], "o", color=PALETTE[k % len(PALETTE)], ms=5.5, label=device, mec="white")
        ax.set(xlabel=label, yticks=[-i for i in range(len(subjects))])
        ax.set_yticklabels(subjects if ax is axes[0] else [""] * len(subjects))
        ax.xaxis.grid(visible=True, color=GRID, lw=0.6)
    axes[0].axvline(limit_ms, color=PALETTE[4], lw=1, ls="--")
    axes[0].annotate("limit", (limit_ms, 0), (-3, 4), textcoords="offset points", size=7, color=PALETTE[4], ha="right")
    axes[0].set_xlim(left=0)
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return svg(figure)


def spotting_curves(
    title: str,
    curves: Mapping[str, tuple[NDArray[np.float64], Mapping[str, NDArray[np.float64]]]],
    truth: Sequence[tuple[str, Interval]],
    spotted: Mapping[str, Sequence[tuple[str, Interval]]],
    start_s: float,
) -> str:
    """
    Draw likelihood curves of one trial, one panel per modality, with coded expressions behind and spotted ones below.

    Parameters
    ----------
    title
        Trial.
    curves
        By modality: times (k,) [s] and likelihoods (k,) by kind.
    truth, spotted
        Kind and interval; spotted by modality.
    start_s
        Trial start, drawn as 0 s.
    """
    figure, axes = panel(8.2, 1.15 * len(curves) + 0.6, rows=len(curves))
    for ax, (modality, (t, by_kind)) in zip(axes, curves.items(), strict=True):
        for kind, interval in truth:
            ax.axvspan(interval.start - start_s, interval.stop - start_s, color=KIND_COLOUR[kind], alpha=0.14, lw=0)
        for kind, likelihood in by_kind.items():
            ax.plot(t - start_s, likelihood, color=KIND_COLOUR[kind], lw=1.4, label=kind)
        for kind, interval in spotted.get(modality, ()):
            ax.plot(
                [interval.start - start_s, interval.stop - start_s],
                [-0.09] * 2,
                color=KIND_COLOUR[kind],
                lw=4,
                solid_capstyle="butt",
            )
        ax.set(ylim=(-0.18, 1.05), yticks=[0, 0.5, 1], ylabel=modality, xlim=(t[0] - start_s, t[-1] - start_s))
        if ax is not axes[-1]:
            ax.set_xticklabels([])
    axes[0].set_title(f"{title}: likelihood; shaded: coded; bars: spotted", size=9, loc="left")
    axes[0].legend(frameon=False, fontsize=8, ncols=2, loc="upper right")
    axes[-1].set_xlabel("time in trial [s]")
    return svg(figure)


def signals(
    title: str,
    traces: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], str]],
    truth: Sequence[tuple[str, Interval]],
    start_s: float,
) -> str:
    """
    Draw what was recorded in one trial, on the session clock, with the coded expressions behind.

    Parameters
    ----------
    title
        Trial.
    traces
        By name: times (k,) [s], values (k,), unit.
    truth
        Kind and interval.
    start_s
        Trial start, drawn as 0 s.
    """
    figure, axes = panel(8.2, 0.72 * len(traces) + 0.7, rows=len(traces))
    for ax, (name, (t, x, unit)) in zip(axes, traces.items(), strict=True):
        for kind, interval in truth:
            ax.axvspan(interval.start - start_s, interval.stop - start_s, color=KIND_COLOUR[kind], alpha=0.14, lw=0)
        ax.plot(t - start_s, x, color=INK, lw=0.8)
        ax.set_ylabel(f"{name}\n[{unit}]", size=7.5, rotation=0, ha="right", va="center")
        ax.set_xlim(t[0] - start_s, t[-1] - start_s)
        ax.tick_params(labelsize=7)
        ax.locator_params(axis="y", nbins=3)
        if ax is not axes[-1]:
            ax.set_xticklabels([])
            ax.spines["bottom"].set_visible(False)
            ax.tick_params(bottom=False)
    axes[0].set_title(title, size=9, loc="left")
    axes[-1].set_xlabel("time in trial [s]")
    figure.align_ylabels(axes)
    return svg(figure)


def motion_png(
    title: str,
    t: NDArray[np.float64],
    total: NDArray[np.float64],
    regions: Mapping[str, NDArray[np.float64]],
    spotted: Sequence[tuple[str, Interval, float]],
    path: Path,
    *,
    speech: Sequence[Interval] = (),
    body: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None,
) -> Path:
    """
    Draw the motion curve of a video, the regions below it, what was spotted, and what the body did meanwhile.

    Parameters
    ----------
    title
        Of the video.
    t : (k,)
        Times [s].
    total : (k,)
        Motion of the face [px of the canonical face]; NaN where there was none.
    regions : (k,) each
        By region.
    spotted
        Kind, interval, and apex [s].
    path
        The ``.png`` file; replaced only once the new one is complete.
    speech
        Stretches in which the mouth speaks.
    body
        By name with its unit, times [s] and values of each signal.
    """
    below = dict(body or {})
    figure, panels = panel(10, 4.6 + 1.1 * len(below), rows=2 + len(below), height_ratios=[1.3, 1, *([0.55] * len(below))])
    curve, image, *lower = panels
    for ax, (name, (times, values)) in zip(lower, below.items(), strict=True):
        for kind, interval, _ in spotted:
            ax.axvspan(interval.start, interval.stop, color=KIND_COLOUR[kind], alpha=0.2, lw=0)
        ax.plot(times, values, color=PALETTE[2], lw=1)
        ax.set(xlim=(t[0], t[-1]))
        ax.set_ylabel(name, size=8)
    for k, stretch in enumerate(speech):
        curve.axvspan(stretch.start, stretch.stop, ymax=0.04, color=FAINT, lw=0, label="speech" if not k else None)
    for kind, interval, apex in spotted:
        curve.axvspan(interval.start, interval.stop, color=KIND_COLOUR[kind], alpha=0.2, lw=0)
        curve.plot(apex, np.interp(apex, t, np.nan_to_num(total)), "v", color=KIND_COLOUR[kind], ms=6)
    curve.plot(t, total, color=INK, lw=1)
    for kind, colour in KIND_COLOUR.items():
        n = sum(k == kind for k, _, _ in spotted)
        curve.fill_between([], [], color=colour, alpha=0.2, label=f"{kind} ({n})")
    curve.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.1)
    curve.set(ylabel="motion [px]", xlim=(t[0], t[-1]))
    curve.set_ylim(bottom=0)
    curve.set_title(title, size=10, loc="left")
    stack = np.array(list(regions.values()))
    image.imshow(
        stack, aspect="auto", cmap="magma_r", extent=(t[0], t[-1], len(regions), 0), interpolation="nearest", vmin=0
    )
    image.set(yticks=np.arange(len(regions)) + 0.5)
    panels[-1].set(xlabel="time [s]")
    image.set_yticklabels(list(regions))
    temporary = path.with_name(f".{path.stem}.partial.png")
    figure.savefig(temporary, dpi=130)
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform
    return path

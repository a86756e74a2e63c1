"""Figures of an analysis of brain and body: scalp maps, links, courses, forests, lags, tables of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mmme.features.brain.interpolation import electrode_places
from mmme.neuro.coupling import GroupLag
from mmme.neuro.group import CourseMeans, MapOfScalp
from mmme.neuro.network_statistic import NetworkTest
from mmme.neuro.sources import SourceMap
from mmme.report.figures import FAINT, GRID, INK, KIND_COLOUR, PALETTE, panel

__all__ = [
    "bars_by_group",
    "connectogram",
    "counts_table",
    "course",
    "dz_forest",
    "lag_curves",
    "scalp_map",
    "source_views",
]

UNITS = {"erp": "µV", "theta": "dB", "alpha": "dB", "beta": "dB", "gamma": "dB"}
CLAIMED = 0.05


def _head_places(channels: Sequence[str]) -> NDArray[np.float64]:
    """Places on a flat head, nose up, the circle of the head at radius 1."""
    known = electrode_places(channels)
    places = np.array([known[name] for name in channels])
    centre = np.array([0.0, 0.0, 0.04])
    along = places - centre
    angle = np.arctan2(np.hypot(along[:, 0], along[:, 1]), along[:, 2])
    turn = np.arctan2(along[:, 1], along[:, 0])
    flat = np.column_stack([angle * np.cos(turn), angle * np.sin(turn)]) / (np.pi / 2)
    return np.asarray(flat * min(1.0, 0.95 / np.hypot(*flat.T).max()))


def scalp_map(found: MapOfScalp) -> Figure:
    """
    Draw one measure: the head at its strongest moment, all channels over time, and the strongest channel's course.

    Parameters
    ----------
    found
        Channels by times, tested.

    Returns
    -------
    Figure
    """
    import mne

    figure, (head, image, line) = panel(11.5, 3.4, columns=3, width_ratios=(1.0, 2.0, 1.6))
    best = found.test.clusters[0] if found.test.clusters else None
    if best:
        when = (found.t_s >= best.start_s - 1e-9) & (found.t_s <= best.stop_s + 1e-9)
        title = f"{best.start_s:.2f} to {best.stop_s:.2f} s"
        channel = found.channels.index(best.peak_channel)
    else:
        channel, time = divmod(int(np.abs(found.test.t).argmax()), found.t_s.size)
        when = np.arange(found.t_s.size) == time
        title = f"{found.t_s[time]:.2f} s"
    values = found.mean[:, when].mean(axis=1)
    limit = float(np.abs(values).max()) or 1.0
    inside = np.array([best is not None and name in best.channels for name in found.channels])
    mne.viz.plot_topomap(
        values, _head_places(found.channels), axes=head, show=False, cmap="RdBu_r", vlim=(-limit, limit), sphere=1.0,
        mask=inside, mask_params={"marker": "o", "markersize": 4, "markerfacecolor": INK}, contours=4, sensors=True,
    )  # fmt: skip
    head.set_title(title, fontsize=9, color=INK)
    span = (found.t_s[0], found.t_s[-1], len(found.channels) - 0.5, -0.5)
    top = float(np.abs(found.test.t).max()) or 1.0
    shown = image.imshow(
        found.test.t, aspect="auto", extent=span, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest"
    )
    for cluster, mask in zip(found.test.clusters, found.test.masks, strict=True):
        if cluster.p < CLAIMED:
            image.contour(
                found.t_s, np.arange(len(found.channels)), mask.astype(float), levels=[0.5], colors=INK, linewidths=0.9
            )
    image.axvline(0, color=INK, lw=0.6)
    every = max(1, len(found.channels) // 16)
    image.set_yticks(range(0, len(found.channels), every), list(found.channels)[::every], fontsize=6)
    image.set_xlabel(f"from the {found.lock} [s]", fontsize=8)
    image.set_title(_p_title(best.p if best else None), fontsize=9, color=INK)
    bar = figure.colorbar(shown, ax=image, shrink=0.8, pad=0.01)
    bar.set_label("t", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    line.fill_between(found.t_s, found.low[channel], found.high[channel], color=PALETTE[0], alpha=0.2, lw=0)
    line.plot(found.t_s, found.mean[channel], color=PALETTE[0], lw=1.4)
    line.axhline(0, color=FAINT, lw=0.6)
    line.axvline(0, color=INK, lw=0.6)
    line.set_title(f"{found.channels[channel]} [{UNITS.get(found.measure, '')}], mean and 95 %", fontsize=9, color=INK)
    line.set_xlabel(f"from the {found.lock} [s]", fontsize=8)
    figure.suptitle(f"{found.measure}, {contrast_name(found.contrast)}", fontsize=11, color=INK, x=0.01, ha="left")
    return figure


def contrast_name(contrast: str) -> str:
    """Say what is compared, in words."""
    if contrast == "micro-macro":
        return "micro less macro, each less its neutral moments"
    return f"{contrast}-expressions less their neutral moments"


def _p_title(p: float | None) -> str:
    return "no cluster" if p is None else f"largest cluster: p = {p:.3f}" + ("" if p < CLAIMED else " (not outlined)")


def connectogram(test: NetworkTest, nodes: Sequence[str], title: str) -> Figure:
    """
    Draw the links of the largest set on a circle, left and right hemisphere on their sides, front at the top.

    Parameters
    ----------
    test
        Network-based statistic.
    nodes
        Names.
    title
        Above.

    Returns
    -------
    Figure
    """
    figure, (ax,) = panel(4.6, 4.8)
    known = electrode_places(nodes)
    placed = [name for name in nodes if name in known]
    left = sorted((n for n in placed if known[n][0] < -0.005), key=lambda n: -known[n][1])
    middle = sorted((n for n in placed if abs(known[n][0]) <= 0.005), key=lambda n: -known[n][1])
    right = sorted((n for n in placed if known[n][0] > 0.005), key=lambda n: -known[n][1])
    front, back = ([n for n in middle if (known[n][1] > 0) == ahead] for ahead in (True, False))
    around = [*front[::-1][len(front) // 2 :], *right, *back, *left[::-1], *front[::-1][: len(front) // 2]]
    angle = {name: np.pi / 2 - 2 * np.pi * k / max(1, len(around)) for k, name in enumerate(around)}
    spot = {name: np.array([np.cos(a), np.sin(a)]) for name, a in angle.items()}
    for name, (across, up) in spot.items():
        turn = np.degrees(angle[name])
        flipped = np.cos(angle[name]) < 0
        ax.text(
            1.07 * across, 1.07 * up, name, fontsize=6, color=INK, ha="right" if flipped else "left", va="center",
            rotation=turn + 180 if flipped else turn, rotation_mode="anchor",
        )  # fmt: skip
    x, y = np.array(list(spot.values())).T
    ax.scatter(x, y, s=8, color=FAINT, zorder=3)
    largest = test.components[0] if test.components else None
    if largest:
        strongest = max(abs(test.t[i, j]) for i, j in largest.links)
        for i, j in largest.links:
            if nodes[i] not in spot or nodes[j] not in spot:
                continue
            a, b = spot[nodes[i]], spot[nodes[j]]
            u = np.linspace(0, 1, 30)[:, None]
            curve = (1 - u) ** 2 * a + 2 * u * (1 - u) * 0.15 * (a + b) + u**2 * b
            colour = PALETTE[4] if largest.sign > 0 else PALETTE[0]
            ax.plot(*curve.T, color=colour, lw=0.5 + 1.5 * abs(test.t[i, j]) / strongest, alpha=0.7)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(-1.35, 1.35)
    ax.set_ylim(-1.35, 1.35)
    told = f"{len(largest.links)} links, p = {largest.p:.3f}" if largest else "no link beyond the threshold"
    ax.set_title(f"{title}\n{told}", fontsize=9, color=INK)
    return figure


def course(found: CourseMeans, unit: str) -> Figure:
    """
    Draw a course of the body: each subject as a row, and the means of expressions and neutral moments.

    Parameters
    ----------
    found
        Over subjects.
    unit
        Of the course.

    Returns
    -------
    Figure
    """
    figure, (raster, line) = panel(7.6, 4.2, rows=2, height_ratios=(1.0, 1.5))
    rows = found.by_subject
    limit = float(np.nanpercentile(np.abs(rows), 98)) or 1.0
    raster.imshow(
        rows, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest",
        extent=(found.t_s[0], found.t_s[-1], len(rows), 0),
    )  # fmt: skip
    raster.set_ylabel("subject", fontsize=8)
    raster.axvline(0, color=INK, lw=0.6)
    raster.set_title(
        f"{found.name} after {found.kind}-expressions: less neutral moments, by subject", fontsize=9, color=INK
    )
    for values, colour, label in (
        (found.neutral, FAINT, "neutral moments"),
        (found.shown, KIND_COLOUR[found.kind], f"{found.kind}-expressions"),
    ):
        line.fill_between(found.t_s, values[1], values[2], color=colour, alpha=0.2, lw=0)
        line.plot(found.t_s, values[0], color=colour, lw=1.5, label=label)
    line.axvline(0, color=INK, lw=0.6)
    line.axhline(0, color=GRID, lw=0.8)
    line.set_xlim(found.t_s[0], found.t_s[-1])
    line.set_xlabel("from the onset [s]", fontsize=8)
    line.set_ylabel(f"change [{unit}]", fontsize=8)
    line.legend(fontsize=8, frameon=False)
    return figure


def dz_forest(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """
    Draw effect sizes of the body with their intervals, one row per measure and contrast.

    Parameters
    ----------
    rows
        With ``what, contrast, dz, dz_low, dz_high``.

    Returns
    -------
    Figure
    """
    figure, (ax,) = panel(7.6, 0.9 + 0.23 * max(1, len(rows)))
    colours = {"micro": KIND_COLOUR["micro"], "macro": KIND_COLOUR["macro"], "micro-macro": PALETTE[3]}
    for k, row in enumerate(rows):
        ax.plot([row["dz_low"], row["dz_high"]], [k, k], color=colours[row["contrast"]], lw=1.6)
        ax.plot(row["dz"], k, "o", ms=4, color=colours[row["contrast"]])
    ax.axvline(0, color=INK, lw=0.6)
    ax.set_yticks(range(len(rows)), [f"{row['what']}, {row['contrast']}" for row in rows], fontsize=7)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("Cohen's dz (paired), with 95 % interval", fontsize=8)
    return figure


def lag_curves(lags: Mapping[str, GroupLag], title: str) -> Figure:
    """
    Draw correlation of face and signals by lag, with what surrogates reach.

    Parameters
    ----------
    lags
        By signal.
    title
        Above.

    Returns
    -------
    Figure
    """
    columns = 3
    figure, axes = panel(9.6, 2.3 * -(-len(lags) // columns) + 0.4, columns=columns, rows=-(-len(lags) // columns))
    for ax, (signal, found) in zip(axes, lags.items(), strict=False):
        ax.fill_between(found.lag_s, found.low, found.high, color=PALETTE[2], alpha=0.25, lw=0)
        ax.plot(found.lag_s, found.r, color=PALETTE[2], lw=1.3)
        level = float(np.percentile(found.null, 95)) * abs(found.peak_r) / found.observed if found.observed else 0.0
        for sign in (1, -1):
            ax.axhline(sign * level, color=FAINT, lw=0.8, ls="--")
        ax.axvline(0, color=INK, lw=0.5)
        ax.set_title(f"{signal}: largest at {found.peak_lag_s:+.1f} s", fontsize=8, color=INK)
        ax.set_xlabel("lag [s]; right: the body follows", fontsize=7)
    for ax in axes[len(lags) :]:
        ax.set_axis_off()
    figure.suptitle(f"{title}; dashed: 95 % of surrogates stay within", fontsize=9, color=INK, x=0.01, ha="left")
    return figure


def counts_table(counts: NDArray[Any], rows: Sequence[str], columns: Sequence[str], title: str) -> Figure:
    """
    Draw a table of counts as shades, the numbers in it.

    Parameters
    ----------
    counts : (n_rows, n_columns)
        At least 0.
    rows, columns
        Names.
    title
        Above.

    Returns
    -------
    Figure
    """
    figure, (ax,) = panel(2.0 + 0.5 * len(columns), 1.0 + 0.3 * len(rows))
    ax.imshow(counts, cmap="Blues", aspect="auto", vmin=0)
    middle = counts.max() / 2 if counts.size else 0
    for i in range(len(rows)):
        for j in range(len(columns)):
            ax.text(j, i, f"{counts[i, j]:g}", ha="center", va="center", fontsize=7,
                    color="white" if counts[i, j] > middle else INK)  # fmt: skip
    ax.set_xticks(range(len(columns)), list(columns), rotation=45, ha="right", fontsize=7)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=7)
    ax.set_title(title, fontsize=9, color=INK)
    return figure


def bars_by_group(groups: Mapping[str, Sequence[float]], label: str, title: str) -> Figure:
    """
    Draw values of groups as dots with their median and quartiles.

    Parameters
    ----------
    groups
        Values by name.
    label
        Of the values.
    title
        Above.

    Returns
    -------
    Figure
    """
    figure, (ax,) = panel(1.6 + 0.8 * max(1, len(groups)), 3.0)
    rng = np.random.default_rng(0)
    for k, (name, values) in enumerate(groups.items()):
        x = np.asarray(values, dtype=np.float64)
        colour = KIND_COLOUR.get(name.split()[0], PALETTE[k % len(PALETTE)])
        ax.scatter(k + rng.uniform(-0.18, 0.18, x.size), x, s=5, alpha=0.4, color=colour, lw=0)
        low, middle, high = np.percentile(x, [25, 50, 75])
        ax.plot([k - 0.25, k + 0.25], [middle, middle], color=INK, lw=1.4)
        ax.plot([k, k], [low, high], color=INK, lw=1.0)
    ax.set_xticks(range(len(groups)), [f"{n}\nn = {len(v)}" for n, v in groups.items()], fontsize=7)
    ax.set_ylabel(label, fontsize=8)
    ax.set_title(title, fontsize=9, color=INK)
    return figure


def source_views(found: SourceMap, title: str) -> Figure:
    """
    Draw the strongest current along three lines of sight, its peak, and how far peaks of resampled subjects reach.

    Parameters
    ----------
    found
        Places and strengths.
    title
        Above.

    Returns
    -------
    Figure
    """
    figure, panels = panel(9.0, 3.1, columns=3)
    views = (
        ("from above", 0, 1, "right", "front"),
        ("from behind", 0, 2, "right", "up"),
        ("from the right", 1, 2, "front", "up"),
    )
    for axes, (name, a, b, across, up) in zip(panels, views, strict=True):
        x, y = (np.unique(found.places_mm[:, k]) for k in (a, b))
        seen = np.full((y.size, x.size), np.nan)
        i, j = (np.searchsorted(line, found.places_mm[:, k]) for line, k in ((y, b), (x, a)))
        np.fmax.at(seen, (i, j), found.strength)
        shown = axes.pcolormesh(x, y, seen, cmap="magma_r", vmin=0.0, vmax=1.0, shading="nearest", rasterized=True)
        turn = np.linspace(0, 2 * np.pi, 90)
        at = (found.peak_mm[a], found.peak_mm[b])
        axes.plot(*at, "x", color=PALETTE[0], ms=7, mew=2)
        axes.plot(at[0] + found.reach_mm * np.cos(turn), at[1] + found.reach_mm * np.sin(turn), color=PALETTE[0], lw=1.0)
        axes.set_aspect("equal")
        axes.set(xlim=(x[0] - 12, x[-1] + 12), ylim=(y[0] - 12, y[-1] + 12))
        axes.set_title(name, fontsize=9, color=INK)
        axes.set_xlabel(f"{across} [mm]", fontsize=8)
        axes.set_ylabel(f"{up} [mm]", fontsize=8)
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.8, pad=0.01)
    bar.set_label("of the largest", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(title, fontsize=11, color=INK, x=0.01, ha="left")
    return figure

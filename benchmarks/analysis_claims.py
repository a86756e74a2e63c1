"""
What an analysis of brain and body claims: with nothing planted, and with effects of known place, time, sign and size.

Usage: ``python benchmarks/analysis_claims.py FOLDER [--runs 200] [--jobs 2]``. Every run is kept in FOLDER, so it goes on
where it was. Everything is simulated (`mmme.simulate.mechanism_session`). A run with nothing planted draws ten new subjects
of 12 EEG channels, four trials and 24 expressions in all kinds and asks every question of `mmme.neuro.group`; the planted
study has 16 subjects, 24 channels and eight trials.

Ends with 1 when more than 5 % of the runs with nothing planted claim anything (by more than chance: the lower end of the
exact 95 % interval is above .05, or the share itself is with 200 runs or more), or a planted effect is not found at its
place, time, sign and size.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

from scipy.stats import binomtest

from mmme.neuro.evoked import EvokedSettings
from mmme.neuro.group import GroupAnalysis, GroupSettings, analyse_group
from mmme.neuro.subject import FaceMotion, SubjectAnalysis, SubjectSettings, analyse_subject
from mmme.simulate import PlantedEffects, mechanism_session
from mmme.workers import Workers

PLANTED = PlantedEffects(
    theta_uv=9.0,
    alpha=-0.8,
    coupled_uv=6.0,
    hr_bpm=-4.0,
    scr_us=0.5,
    scr_latency_s=2.0,
    face_eda_us=0.05,
    face_eda_lag_s=1.2,
)


def subject(
    number: int,
    seed: int,
    effects: PlantedEffects | None,
    *,
    trials: int,
    trial_s: float,
    channels: int,
    step_s: float,
    n_draws: int,
) -> SubjectAnalysis:
    """Simulate one subject and measure it."""
    made = mechanism_session(number, effects=effects, trials=trials, trial_s=trial_s, channels=channels, seed=seed)
    face = FaceMotion(made.face_t_s, made.face.mean(axis=1), made.face)
    settings = SubjectSettings(components=False, n_draws=n_draws, evoked=EvokedSettings(step_s=step_s), seed=seed)
    return analyse_subject(made.timeline, made.trials, face=face, settings=settings)


def nothing(job: tuple[Path, int]) -> None:
    """Do one run with nothing planted."""
    folder, seed = job
    target = folder / f"nothing-{seed}.json"
    if target.exists():
        return
    own = [subject(k, 1000 + seed, None, trials=4, trial_s=48.0, channels=12, step_s=0.04, n_draws=400) for k in range(10)]
    found = analyse_group(own, settings=GroupSettings(n_permutations=400, seed=seed))
    text = json.dumps({"questions": len(found.questions), "claims": found.claims})
    partial = target.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(target)


def planted_found(found: GroupAnalysis) -> list[tuple[str, str, str, bool]]:
    """Compare what was planted with what was found: effect, planted, found, whether it fits."""
    claimed = {(q["family"], q["question"]) for q in found.claims}
    rows = []

    def cluster(measure: str, contrast: str, lock: str) -> dict[str, object]:
        own = [c for c in found.clusters if (c["measure"], c["contrast"], c["lock"]) == (measure, contrast, lock)]
        return own[0] if own else {}

    def shown(c: dict[str, object]) -> str:
        if not c:
            return "no cluster"
        return (
            f"{c['peak_channel']}, {c['start_s']:.2f} to {c['stop_s']:.2f} s, {c['difference']:+.1f} dB, "
            f"dz {c['dz']:+.1f}, p {c['p']:.3f}"
        )

    theta = cluster("theta", "micro", "onset")
    fits = bool(theta) and theta["peak_channel"] in ("Fz", "FC1", "F2", "F1", "FCz") and theta["sign"] == 1
    fits = fits and 0.0 <= float(str(theta["peak_s"])) <= 0.5 and ("brain at onset", "theta, micro") in claimed
    rows.append(("theta burst, micro only", "Fz, 0 to 0.5 s after onset, up", shown(theta), fits))
    none = ("brain at onset", "theta, macro") not in claimed
    rows.append(("no theta after macro", "nothing", "claimed" if not none else "not claimed", none))
    alpha = cluster("alpha", "macro", "apex")
    fits = (
        bool(alpha) and alpha["sign"] == -1 and alpha["peak_channel"] in ("F3", "F4", "F2", "AF3", "FC6", "FC1", "F5", "F6")
    )
    fits = fits and -0.8 <= float(str(alpha["peak_s"])) <= 0.8 and ("brain at apex", "alpha, macro") in claimed
    rows.append(("alpha drop, both kinds", "F3/F4, around the apex, down", shown(alpha), fits))
    test = found.networks["beta", "micro"]
    best = test.components[0] if test.components else None
    links = [f"{found.network_channels[i]}-{found.network_channels[j]}" for i, j in best.links] if best else []
    fits = best is not None and best.sign == 1 and best.p < 0.05 and "C5-P6" in links
    rows.append(
        ("coupled pair, micro", "C5-P6, beta, up", f"{', '.join(links[:6])}; p {best.p:.3f}" if best else "none", fits)
    )
    responses = {(r["measure"], r["contrast"]): r for r in found.responses}
    for kind in ("micro", "macro"):
        r = responses["hr_change_bpm", kind]
        fits = r["high"] < 0 and -4.0 < r["difference"] < -1.5 and ("body", f"hr_change_bpm, {kind}") in claimed
        told = f"{r['difference']:+.2f} [{r['low']:+.2f}, {r['high']:+.2f}] beats/min, mean of 0 to 5 s"
        rows.append((f"heart slows, {kind}", "-4 beats/min at 2.5 s", told, fits))
        course = next(c for c in found.courses if (c.name, c.kind) == ("heart rate", kind))
        at = float(course.t_s[course.difference[0].argmin()])
        rows.append((f"heart slows, {kind}: when", "2.5 s", f"{at:.1f} s", abs(at - 2.5) <= 0.6))
        r = responses["scr_magnitude_us", kind]
        fits = r["low"] > 0 and 0.3 < r["difference"] < 0.6 and ("body", f"scr_magnitude_us, {kind}") in claimed
        told = f"{r['difference']:+.2f} [{r['low']:+.2f}, {r['high']:+.2f}] µS"
        rows.append((f"skin conductance response, {kind}", "0.5 µS", told, fits))
        course = next(c for c in found.courses if (c.name, c.kind) == ("phasic conductance", kind))
        rise = course.difference[0]
        begins = float(course.t_s[(rise > 0.2 * rise.max()).argmax()])
        rows.append((f"its start, {kind}", "2.0 s", f"{begins:.1f} s (a fifth of its height)", abs(begins - 2.2) <= 0.5))
    lag = found.lags["continuous", "phasic conductance"]
    fits = (
        abs(lag.peak_lag_s - 1.2) <= 0.15 and lag.peak_r > 0 and ("coupling", "phasic conductance, continuous") in claimed
    )
    told = f"{lag.peak_lag_s:.1f} s [{lag.peak_low_s:.1f}, {lag.peak_high_s:.1f}], r = {lag.peak_r:+.2f}"
    rows.append(("conductance follows the face", "1.2 s", told, fits))
    return rows


def main() -> int:
    """Run and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with Workers(asked.jobs) as workers:
        for outcome in workers.as_completed(nothing, [(asked.folder, seed) for seed in range(asked.runs)]):
            if outcome.error:
                raise SystemExit(outcome.error)
    runs = [json.loads((asked.folder / f"nothing-{seed}.json").read_text(encoding="utf-8")) for seed in range(asked.runs)]
    n_claiming = sum(bool(run["claims"]) for run in runs)
    test = binomtest(n_claiming, len(runs))
    low, high = test.proportion_ci()
    families = Counter(family for run in runs for family in {claim["family"] for claim in run["claims"]})
    print(f"With nothing planted, {n_claiming} of {len(runs)} runs claim anything: {100 * n_claiming / len(runs):.1f} % "
          f"[{100 * low:.1f}, {100 * high:.1f}], {runs[0]['questions']} questions each.\n")  # fmt: skip
    print("| family | runs with a claim |\n|---|---|")
    for family in ("brain at onset", "brain at apex", "networks", "body", "coupling"):
        print(f"| {family} | {families[family]} of {len(runs)} |")
    own = [subject(k, 5, PLANTED, trials=8, trial_s=60.0, channels=24, step_s=0.02, n_draws=1000) for k in range(16)]
    rows = planted_found(analyse_group(own))
    print("\n| planted effect | planted | found | fits |\n|---|---|---|---|")
    for effect, planted, told, fits in rows:
        print(f"| {effect} | {planted} | {told} | {'yes' if fits else 'NO'} |")
    too_many = low > 0.05 or (len(runs) >= 200 and n_claiming > 0.05 * len(runs))
    return int(too_many or not all(row[-1] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

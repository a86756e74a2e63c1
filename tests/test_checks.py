"""Every finding: planted once and found, and absent from clean material."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmme.align import align
from mmme.checks import (
    CODES,
    Finding,
    check_frames,
    check_order,
    check_quality,
    check_result,
    check_signals,
    check_study,
    check_table,
    check_timeline,
    check_trust,
)
from mmme.errors import ConfigError, DataError
from mmme.interval import Interval
from mmme.trials import Misplaced, Trials, build_trials
from mmme.types import CodedEvent, Expression, FeatureTable, Markers, Recording, Result, Score, Stream, Timeline, Trial

ROOT = Path(__file__).parents[1]
CODE_T = np.array([10, 40, 60, 90, 110, 140, 160, 190.0])
MARKER_CODES = np.array([101, 100, 102, 100, 103, 100, 104, 100])
STIMULI = {101: ("sad-1", "sad"), 102: ("disgust-2", "disgust"), 103: ("happy-2", "happy"), 104: ("fear-2", "fear")}


def recording(*, frames=None, ecg=None, biopac=None, drift_ppm=0.0):
    """EEG, a body signal at 10 Hz and a camera at 50 Hz, 200 s, all good unless told otherwise."""
    rng = np.random.default_rng(0)
    frames = np.arange(5.0, 200.0, 0.02) if frames is None else frames
    t = np.arange(0.0, 200.0, 0.1)
    eeg = Stream("eeg", "eeg", t, rng.normal(size=(len(t), 2)), "V", 10.0, ("F3", "F4"))
    x = rng.normal(size=len(t)) if ecg is None else ecg
    heart = Stream("ecg", "biopac", t * (1 + drift_ppm * 1e-6), x, "V", 10.0)
    video = Stream("video", "camera", frames, np.zeros((len(frames), 1, 1), np.uint8), "grey level")
    markers = {
        "eeg": Markers("eeg", CODE_T, MARKER_CODES),
        "biopac": biopac or Markers("biopac", CODE_T * (1 + drift_ppm * 1e-6), MARKER_CODES),
        "camera": Markers("camera", CODE_T + 0.01, MARKER_CODES),
    }
    return Recording("S01", "01", {"eeg": eeg, "ecg": heart, "video": video}, markers)


def expression(onset, apex, offset, *, coder="A", kind="micro", source="coding.xlsx:2"):
    return Expression("S01", coder, kind, onset, apex, offset, ("AU4",), "sad", source)


def coded(trials, **expressions):
    """Put expressions into trials by id, the others get one good one each."""
    good = {t.id: (expression(t.span.start + 5, t.span.start + 5.2, t.span.start + 5.4),) for t in trials.trials}
    given = {f"S01-{k[1:]}": v for k, v in expressions.items()}
    return replace(trials, trials=tuple(replace(t, expressions=(good | given)[t.id]) for t in trials.trials))


def findings(source=None, change=lambda trials: trials, **options):
    source = source or recording()
    timeline = align(source)
    return check_timeline(source, timeline, change(coded(build_trials(timeline, [], stimuli=STIMULI))), **options)


def only(found, code):
    assert {f.code for f in found} == {code}, [str(f) for f in found]
    (finding,) = found
    return finding


def test_every_code_has_its_line_in_the_docs_and_no_other():
    """
    docs/checks.md lists the codes of the program, word for word.
    """
    rows = re.findall(r"^\| `([DAPR]\d{3})` \| (.+) \|$", (ROOT / "docs" / "checks.md").read_text(encoding="utf-8"), re.M)

    assert rows == list(CODES.items())


def test_every_code_is_used_by_a_check_and_by_a_test():
    """
    No code without a finding behind it.
    """
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "src" / "mmme").rglob("*.py"))
    tests = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("*.py"))

    for code in CODES:
        assert f'"{code}"' in sources.replace(f'"{code}":', "")
        assert f'"{code}"' in tests


def test_finding_refuses_unknown_codes_and_levels():
    """
    A code that is nowhere explained, or a level that is none.
    """
    with pytest.raises(ConfigError, match=r"no finding code 'D01'; did you mean 'D0"):
        Finding("D01", "note", "x", "y")
    with pytest.raises(DataError, match="finding D001: expected level error, warning, note, got 'bad'"):
        Finding("D001", "bad", "x", "y")


def test_clean_recording_has_no_findings():
    """
    Nothing planted, nothing found.
    """
    assert findings() == ()


def test_clock_that_fits_badly_is_a_warning():
    """
    Markers of biopac scattered by 6 ms: A001; the camera may miss by half a frame of 20 ms.
    """
    scatter = np.array([6, -6, 6, -6, -6, 6, -6, 6]) / 1e3
    finding = only(findings(recording(biopac=Markers("biopac", CODE_T + scatter, MARKER_CODES))), "A001")

    assert (finding.level, finding.where) == ("warning", "S01/01 biopac")
    assert re.match(r"worst of 8 markers is 6\.\d ms off, expected up to 2\.0 ms", finding.text)


def test_lost_and_doubled_markers_are_told_by_device():
    """
    103 lost, 102 doubled on biopac: one A002 that names both.
    """
    t, codes = np.insert(np.delete(CODE_T, 4), 3, 60.3), np.insert(np.delete(MARKER_CODES, 4), 3, 102)
    finding = only(findings(recording(biopac=Markers("biopac", t, codes))), "A002")

    assert finding.text == "lost 1 markers, taken from the others (103 at 110.0 s); doubled 1 (102 at 60.0 s)"
    assert finding.level == "warning"


def test_marker_set_aside_by_the_fit_is_told():
    """
    One marker 200 ms late on biopac.
    """
    t = CODE_T + np.array([0, 0, 0, 0.2, 0, 0, 0, 0])

    assert only(findings(recording(biopac=Markers("biopac", t, MARKER_CODES))), "A002").text == (
        "has 1 at times that the clock map set aside"
    )


def test_trial_without_an_end_of_its_own_is_a_warning():
    """
    No idle code after 102: its end is the next trial's start.
    """
    finding = only(findings(change=lambda t: replace(t, open_ended=("S01-102",))), "A002")

    assert finding.text == "1 trials were not ended by the idle code: S01-102"


def test_drift_above_200_ppm_is_a_warning():
    """
    A device clock 240 ppm fast maps with -240 ppm.
    """
    finding = only(findings(recording(drift_ppm=240.0)), "A003")

    assert finding.text == "drifts -240 ppm against eeg, expected within 200 ppm"
    assert findings(recording(drift_ppm=190.0)) == ()


def test_subject_that_lacks_trials_of_the_others_is_named():
    """
    Three subjects saw a and b, one of four did not see b.
    """
    trials = [Trial(f"{s}-{v}", s, v, Interval(k, k + 1), "x") for s in ("S1", "S2", "S3") for k, v in enumerate("ab")]
    trials.append(Trial("S4-a", "S4", "a", Interval(0, 1), "x"))
    trials[2:4] = [replace(trials[2], span=Interval(5, 6)), trials[3]]

    finding = only(check_study(trials), "A004")

    assert (finding.where, finding.text) == ("study S4", "1 trials are missing that most others have: b")


def test_fixed_order_of_stimuli_is_found_even_with_missing_trials():
    """
    a, b, c for one and a, c for the other is one order; a, b and b, a is not; one subject tells nothing.
    """

    def seen(subject, stimuli):
        return [Trial(f"{subject}-{v}", subject, v, Interval(k, k + 1), "x") for k, v in enumerate(stimuli)]

    codes = [f.code for f in check_study(seen("S1", "abc") + seen("S2", "ac") + seen("S3", "abc"))]

    assert codes == ["A004", "D008"]
    assert only(check_study(seen("S1", "abc") + seen("S2", "abc")), "D008").level == "warning"
    assert check_study(seen("S1", "ab") + seen("S2", "ba")) == ()
    assert check_study(seen("S1", "ab")) == ()


def test_order_of_columns_is_checked_as_in_the_file():
    """
    D001 names rows whose times are exchanged or undefined, D002 counts apex == offset.
    """
    found = check_order([1, 3, np.nan, 1], [2, 2, 2, 2], [3, 4, 4, 2], sources="abcd", where="coding.xlsx")

    assert [f.code for f in found] == ["D001", "D002"]
    assert found[0] == Finding("D001", "error", "coding.xlsx", "2 of 4 rows violate onset <= apex <= offset: b, c")
    assert found[1].text == "1 of 4 rows have their apex at their offset"
    assert check_order([1], [2], [3], sources=["a"], where="x") == ()


def test_ends_that_were_not_visible_are_counted():
    """
    Apex equal to offset in one of four expressions.
    """
    finding = only(findings(change=lambda t: coded(t, s101=(expression(15, 15.2, 15.2),))), "D002")

    assert finding.text.startswith("1 of 4 expressions have their apex at their offset")


def test_kinds_against_the_rule_are_listed():
    """
    A macro of 400 ms and a micro of 900 ms.
    """
    wrong = (expression(15, 15.1, 15.4, kind="macro"), expression(20, 20.1, 20.9, source="coding.xlsx:3"))
    finding = only(findings(change=lambda t: coded(t, s101=wrong)), "D003")

    assert finding.text == (
        "2 of 5 kinds disagree with the rule on durations: coding.xlsx:2 (macro, 400 ms), coding.xlsx:3 (micro, 900 ms)"
    )


def test_copies_of_two_coders_are_counted():
    """
    One event twice.
    """
    both = (expression(15, 15.2, 15.4), expression(15, 15.2, 15.5, coder="B"))

    assert only(findings(change=lambda t: coded(t, s101=both)), "D004").text == (
        "1 of 5 expressions are another coder's copies of one event"
    )


def test_trials_without_a_coded_expression_are_listed():
    """
    Two of four.
    """
    finding = only(findings(change=lambda t: coded(t, s102=(), s104=())), "D005")

    text = "2 of 4 trials have no coded expression: S01-102, S01-104"
    assert finding == Finding("D005", "note", "S01/01", text, ("S01-102", "S01-104"))


def test_lost_frames_are_counted_within_trials_only():
    """
    Two frames gone in trial 101 are a note, 120 ms in trial 102 are a warning, a gap between trials is nothing.
    """
    frames = np.arange(5.0, 200.0, 0.02)
    two = np.delete(frames, [500, 600])
    finding = only(findings(recording(frames=two)), "D006")
    stalled = only(findings(recording(frames=np.delete(two, np.arange(3000, 3005)))), "D006")

    assert finding.level == "note"
    assert finding.text == (
        "2 of 6000 frames (0.0 %) are missing in 1 of 4 trials; the longest gap is 40 ms in S01-101, the period 20.00 ms"
    )
    assert (stalled.level, stalled.text[:9]) == ("warning", "7 of 6000")
    assert findings(recording(frames=np.delete(frames, np.arange(1850, 2600)))) == ()


def test_frames_are_not_checked_where_there_are_none():
    """
    No video, no trials, or no frames in any trial.
    """
    timeline = align(recording())
    elsewhere = Trial("S01-101", "S01", "x", Interval(500, 510), "x")

    assert check_frames(timeline, []) == ()
    assert check_frames(replace(timeline, streams={}), [elsewhere]) == ()
    assert check_frames(timeline, [elsewhere]) == ()


def test_flat_signal_is_found():
    """
    Constant for one trial: a warning; for all: an error.
    """
    t = np.arange(0.0, 200.0, 0.1)
    x = np.random.default_rng(1).normal(size=len(t))
    one = only(findings(recording(ecg=np.where((t > 100) & (t < 150), 0.5, x))), "D007")
    all_of_it = only(findings(recording(ecg=np.zeros(len(t)))), "D007")

    assert (one.level, one.where) == ("warning", "S01/01 ecg")
    assert one.text == "ecg constant for whole pieces of trials; ecg in 3 of 12 pieces"
    assert all_of_it.level == "error"


def test_clipped_signal_is_found_and_a_slow_extreme_is_not():
    """
    A sine cut at 0.8 of its height touches the limit in every piece; a slow hump reaches its top once.
    """
    t = np.arange(0.0, 200.0, 0.1)
    finding = only(findings(recording(ecg=np.minimum(np.sin(t), 0.8))), "D007")

    assert finding.text == "ecg clipped at the highest or lowest value; ecg in 12 of 12 pieces of trials"
    assert findings(recording(ecg=np.round(np.exp(-(((t - 75) / 60) ** 2)), 3))) == ()


def test_rows_without_a_trial_are_told_one_by_one():
    """
    Misplaced rows with their reason, and rows an importer could not give frames.
    """
    event = CodedEvent("S01", "A", None, 140, "sad-1", "sad", 1, 2, 3, (), "sad", "coding.xlsx:9")
    found = findings(change=lambda t: replace(t, misplaced=(Misplaced(event, "no such trial"),)))

    assert [(f.code, f.where, f.text) for f in found] == [("D009", "S01/01 coding.xlsx:9", "no such trial")]


def test_missing_undefined_and_short_signals_are_found():
    """
    A stream that is not there, 5 NaN samples in a trial, and a stream that begins after the first trial's start.
    """
    t = np.arange(0.0, 200.0, 0.1)
    x = np.random.default_rng(1).normal(size=len(t))
    holes = np.where((t > 20.05) & (t < 20.55), np.nan, x)

    missing = only(findings(expected=["eeg", "eda"]), "D010")
    undefined = only(findings(recording(ecg=holes)), "D010")
    late = recording()
    late = replace(late, streams={**late.streams, "ecg": Stream("ecg", "biopac", t[200:], x[200:], "V")})
    uncovered = only(check_signals(align(late), build_trials(align(late), []).trials), "D010")

    assert (missing.level, missing.text) == ("error", "expected this signal, got no such stream")
    assert undefined.text == "5 samples within trials are not finite in ecg"
    assert (uncovered.level, uncovered.text) == ("warning", "1 of 4 trials are not covered: S01-101")


def test_trial_between_two_stretches_of_frames_is_not_covered():
    """
    The camera saved nothing during trial 102, though before and after.
    """
    frames = np.arange(5.0, 200.0, 0.02)
    source = recording(frames=frames[(frames < 55) | (frames > 95)])
    timeline = align(source)

    found = check_signals(timeline, build_trials(timeline, [], stimuli=STIMULI).trials)

    assert only(found, "D010").text == "1 of 4 trials are not covered: S01-102"


def test_signals_without_trials_are_not_judged():
    """
    Nothing is read where there is nothing to look at.
    """
    source = recording(ecg=np.zeros(2000))

    assert check_timeline(source, align(source), Trials(())) == ()


def table(n=40, n_columns=6, seed=0, X=None, subjects=None, stimuli=None, labels=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(3, 2, size=(n, n_columns)) if X is None else X
    reason = (~np.isfinite(X)).astype(np.uint8)
    return FeatureTable.build(
        X,
        [f"f{k}" for k in range(X.shape[1])],
        [f"r{k}" for k in range(n)],
        [f"S{k % 4}" for k in range(n)] if subjects is None else subjects,
        [f"v{k // 4}" for k in range(n)] if stimuli is None else stimuli,
        ["pos" if k % 3 else "neg" for k in range(n)] if labels is None else labels,
        reason=reason,
        reasons=["", "not computable"],
    )


def folds_by(values):
    return [(np.flatnonzero(values != v), np.flatnonzero(values == v)) for v in np.unique(values)]


def test_clean_table_in_loso_has_no_findings():
    """
    Nothing planted, nothing found.
    """
    clean = table()

    assert check_table(clean) == ()
    assert check_table(clean, folds_by(clean.subjects)) == ()


def test_random_folds_are_an_error_and_leave_one_video_out_a_warning():
    """
    P001 by how much is kept apart; P005 only where nothing is.
    """
    clean = table()
    random = check_table(clean, folds_by(np.arange(40) % 5))
    by_video = only(check_table(clean, folds_by(clean.stimuli)), "P001")

    assert [(f.code, f.level) for f in random] == [("P001", "error"), ("P005", "error")]
    assert random[0].text == "4 subjects are on both sides in 5 of 5 folds: S0, S1, S2, S3"
    assert by_video.level == "warning"


def standardised(X):
    return (X - np.nanmean(X, axis=0)) / np.nanstd(X, axis=0)


@pytest.mark.parametrize("ddof", [0, 1])
def test_table_standardised_over_all_subjects_is_an_error(ddof):
    """
    Means 0 and deviations 1 (with n or n - 1), also with missing values and a constant column.
    """
    X = np.random.default_rng(2).normal(3, 2, size=(40, 6))
    X[3, 2] = np.nan
    X = (X - np.nanmean(X, axis=0)) / np.nanstd(X, axis=0, ddof=ddof)
    X[:, 5] = 7.0

    finding = only(check_table(table(X=X)), "P002")

    assert (finding.level, finding.text[:46]) == ("error", "means are 0 and deviations 1 over all rows, te")


def test_standardising_within_subjects_or_a_few_columns_is_no_finding():
    """
    Only the subject's own rows were used, or less than 90 % of columns look like it.
    """
    X = np.random.default_rng(2).normal(3, 2, size=(40, 6))
    within = X.copy()
    for k in range(4):
        within[k::4] = standardised(within[k::4])
    some = np.column_stack([standardised(X)[:, :5], X[:, 5]])

    assert check_table(table(X=within)) == ()
    assert check_table(table(X=some)) == ()
    assert check_table(table(n=8, X=standardised(X[:8]), labels=["pos"] * 8)) == ()
    assert check_table(table(X=np.ones((40, 6)))) == ()


def test_identical_rows_across_subjects_and_across_folds_are_found():
    """
    Row 5 (S1) is a copy of row 0 (S0), a missing value included: a warning; across folds an error.
    """
    X = np.random.default_rng(3).normal(3, 2, size=(40, 6))
    X[0, 1] = np.nan
    X[5] = X[0]
    copied = table(X=X)

    across = only(check_table(copied), "P003")
    both = check_table(copied, folds_by(copied.subjects))

    assert (across.level, across.text) == ("warning", "1 pairs of identical rows belong to different subjects: r0 and r5")
    assert [(f.code, f.level) for f in both] == [("P003", "warning"), ("P003", "error")]
    assert both[1].text == "identical rows are on both sides in 2 of 4 folds: 1, 2"


def test_rows_of_few_or_constant_values_are_not_called_copies():
    """
    Two columns of small integers, or rows without any information, are equal by chance.
    """
    assert check_table(table(X=np.tile([[1.0, 2.0]], (40, 1)))) == ()
    assert check_table(table(X=np.full((40, 6), np.nan))) == ()


def test_rare_absent_and_untrained_classes_are_found():
    """
    Four samples of a class, none of another, and one that only a single subject has.
    """
    labels = ["rare" if k in (0, 4, 8, 12) else "pos" for k in range(40)]
    found = check_table(table(labels=labels), folds_by(table().subjects), classes=["pos", "rare", "gone"])

    assert [(f.code, f.text) for f in found] == [
        ("P004", "expected at least 5 samples in each class, got rare 4, gone 0"),
        ("P004", "1 times a class is tested that has no training rows: rare in fold 1"),
    ]


def test_tensor_table_is_checked_without_columns():
    """
    Network inputs: copies are found, standardisation is not looked for.
    """
    X = np.random.default_rng(4).normal(size=(10, 2, 3, 3)).astype(np.float32)
    X[9] = X[0]
    tensor = FeatureTable.build(X, [], [f"r{k}" for k in range(10)], ["a"] * 5 + ["b"] * 5, ["v"] * 10, ["pos"] * 10)

    assert only(check_table(tensor), "P003").text.endswith("r0 and r9")


def result(**change):
    """A convincing LOSO result."""
    good = Result(
        task="recognition",
        title="face",
        dataset={},
        protocol={"name": "loso", "apart": "subject"},
        model={},
        config={},
        seed=0,
        predictions={
            "truth": ["a", "b"] * 2,
            "pred": ["a", "b", "b", "b"],
            "subject": ["S1", "S1", "S2", "S2"],
            "fold": [0, 0, 1, 1],
        },
        truth={},
        scores=(Score("UF1", 0.7, 0.6, 0.8),),
        chance={"UF1": {"mean": 0.5, "p95": 0.59, "p": 0.01}},
        versions={},
    )
    return replace(good, **change)


def test_convincing_result_has_no_findings():
    """
    Nothing planted, nothing found.
    """
    assert check_result(result()) == ()


def test_score_not_above_chance_is_a_warning_by_group():
    """
    The low end must lie above the 95th percentile; touching it is not enough; groups have their own level.
    """
    touching = only(check_result(result(scores=(Score("UF1", 0.7, 0.59, 0.8),))), "R001")
    group = result(
        scores=(Score("UF1", 0.7, 0.6, 0.8), Score("UF1", 0.6, 0.5, 0.7, group="samm")),
        chance={"UF1": {"p95": 0.5}, "UF1 (samm)": {"p95": 0.55}},
    )

    assert touching.text == "0.700 [0.590, 0.800] is not above the chance level, whose 95th percentile is 0.590"
    assert only(check_result(group), "R001").where == "face UF1 (samm)"


def test_interval_wider_than_0_3_is_a_warning():
    """
    Exactly 0.3 is not wider.
    """
    finding = only(check_result(result(scores=(Score("UF1", 0.8, 0.6, 0.95),))), "R002")

    assert finding.text == "the interval [0.600, 0.950] is 0.350 wide; more subjects would narrow it"
    assert check_result(result(scores=(Score("UF1", 0.8, 0.6, 0.9),))) == ()


def test_predictions_of_one_class_only_are_a_warning():
    """
    Recognition and spotting; a truth of one class needs no other; no predictions at all are told too.
    """
    one = {**result().predictions, "pred": ["b"] * 4}
    spotting = {"task": "spotting", "truth": {"kind": ["micro", "macro"]}}

    assert only(check_result(result(predictions=one)), "R003").text == "all 4 predictions are 'b'"
    assert check_result(result(predictions={**one, "truth": ["b"] * 4})) == ()
    assert (
        only(check_result(result(**spotting, predictions={"kind": ["macro"]})), "R003").text
        == "all 1 predictions are 'macro'"
    )
    assert only(check_result(result(**spotting, predictions={"kind": []})), "R003").text == (
        "expected predictions, got none for 2 events"
    )
    assert check_result(result(**spotting, predictions={"kind": ["macro", "micro"]})) == ()


def test_result_of_folds_that_share_subjects_is_found_from_its_predictions():
    """
    A subject tested in two folds was trained on: an error at random, a warning where stimuli are kept apart.
    """
    shared = {**result().predictions, "fold": [0, 1, 0, 1]}
    random = check_result(result(predictions=shared, protocol={"name": "random-kfold", "apart": "nothing"}))
    by_video = only(check_result(result(predictions=shared, protocol={"name": "lovo", "apart": "stimulus"})), "P001")

    assert [(f.code, f.level) for f in random] == [("P001", "error"), ("P005", "error")]
    assert (by_video.level, by_video.text) == (
        "warning",
        "2 subjects were tested in several folds and so were trained on too: S1, S2",
    )


def session_of_signals(**streams):
    """Timeline of 60 s with one trial over all of it; streams given as (samples, unit, channels, types)."""
    made = {}
    for name, (x, unit, channels) in streams.items():
        t = np.arange(len(x)) / 250.0
        made[name] = Stream(name, "box", t, x, unit, 250.0, channels, ("EEG",) * len(channels))
    return Timeline("S01", "01", made, Markers("session", np.empty(0), np.empty(0, int)), {}, {}), [
        Trial("t", "S01", "v", Interval(0.0, 60.0), "sad")
    ]


def volume_conduction(rng, n_channels):
    """EEG-like noise with a common part (n, channels) of about 20 µV."""
    common = rng.normal(0, 1.5e-5, (15_000, 1))
    return common + rng.normal(0, 1e-5, (15_000, n_channels))


def test_an_electrode_that_is_off_and_one_that_stands_out_are_named():
    """
    A dead channel is D015, a noisy one and one that goes with no other are D016; the good ones are not named.
    """
    rng = np.random.default_rng(1)
    x = volume_conduction(rng, 8)
    x[:, 2] = rng.normal(0, 1e-7, len(x))
    x[:, 4] = rng.normal(0, 4e-4, len(x))
    x[:, 6] = rng.normal(0, 2e-5, len(x))
    names = tuple(f"C{k}" for k in range(8))

    found = check_quality(*session_of_signals(eeg=(x, "V", names)))

    assert [(f.code, f.rows) for f in found] == [("D015", ("C2",)), ("D016", ("C4",)), ("D016", ("C6",))]
    assert check_quality(*session_of_signals(eeg=(volume_conduction(rng, 8), "V", names))) == ()


def test_channels_without_anything_in_common_are_not_all_called_bad():
    """
    Where no channel goes with any other, none stands out.
    """
    x = np.random.default_rng(2).normal(0, 2e-5, (15_000, 6))

    assert check_quality(*session_of_signals(eeg=(x, "V", tuple("ABCDEF")))) == ()


@pytest.mark.parametrize("line_hz", [50.0, 60.0])
def test_the_power_line_is_told_where_it_dominates(line_hz):
    """
    A line of twice the signal's spread is D014 with its frequency; a quarter of it is nothing.
    """
    rng = np.random.default_rng(3)
    t = np.arange(15_000) / 250.0
    x = volume_conduction(rng, 4)
    line = np.sin(2 * np.pi * line_hz * t)
    loud, quiet = x.copy(), x.copy()
    loud[:, 1] += 1e-4 * line
    quiet[:, 1] += 5e-6 * line

    finding = next(f for f in check_quality(*session_of_signals(eeg=(loud, "V", tuple("ABCD")))) if f.code == "D014")

    assert finding.rows == ("B",)
    assert finding.text.startswith(f"{line_hz:g} Hz holds most of the power in B")
    assert check_quality(*session_of_signals(eeg=(quiet, "V", tuple("ABCD")))) == ()


def test_dry_electrodes_and_cold_sensors_are_told():
    """
    Skin conductance near zero and a temperature at the receiver's zero are D015; plausible values are nothing.
    """
    n = 15_000
    rng = np.random.default_rng(4)
    eda, skt = 0.01 + rng.normal(0, 1e-3, n), 0.0 + rng.normal(0, 1e-3, n)

    found = check_quality(*session_of_signals(eda=(eda, "µS", ()), skt=(skt, "°C", ())))

    assert [f.code for f in found] == ["D015", "D015"]
    assert "median below 0.05 µS in 6 of 6 pieces" in found[0].text
    assert "expected 15 to 45 °C on skin" in found[1].text
    assert check_quality(*session_of_signals(eda=(eda + 5, "µS", ()), skt=(skt + 33, "°C", ()))) == ()


def test_one_coder_who_codes_twice_at_a_time_is_told():
    """
    Overlapping events of one coder are D013; events that touch, or overlap another coder's, are not.
    """
    start = 10.0
    first, second = expression(start + 1, start + 1.2, start + 1.5), expression(start + 1.4, start + 1.6, start + 1.8)
    touching = expression(start + 1.5, start + 1.6, start + 1.8)
    other = expression(start + 4.4, start + 4.6, start + 4.8, coder="B")
    alone = expression(start + 4, start + 4.2, start + 4.5)

    finding = only(findings(change=lambda t: coded(t, s101=(first, second))), "D013")

    assert finding.text == "1 pairs of events of one coder overlap: coding.xlsx:2 and coding.xlsx:2"
    assert "D013" not in {f.code for f in findings(change=lambda t: coded(t, s101=(first, touching)))}
    assert "D013" not in {f.code for f in findings(change=lambda t: coded(t, s101=(alone, other)))}


def test_trials_of_the_design_that_nobody_saw_are_told():
    """
    With a design, a stimulus that no subject saw is missing from each.
    """
    seen = [Trial(f"{s}-{k}", s, f"v{k}", Interval(k, k + 1), "sad") for s in ("S1", "S2") for k in (1, 2)]

    found = [f for f in check_study(seen, design=("v1", "v2", "v3")) if f.code == "A004"]

    assert [(f.where, f.rows) for f in found] == [("study S1", ("v3",)), ("study S2", ("v3",))]
    assert found[0].text == "1 trials are missing of the 3 of the design: v3"


def test_an_event_that_the_edge_of_its_trial_places_elsewhere_is_told():
    """
    The camera sees both edges of one trial 60 ms late: the session's line sets them aside, and the event there is A006.
    """
    late = recording()
    t = late.markers["camera"].t + np.where(np.isin(CODE_T, [110, 140]), 0.06, 0.0)
    late = replace(late, markers={**late.markers, "camera": Markers("camera", t, MARKER_CODES)})
    events = {
        f"s{code}": (replace(expression(at + 5, at + 5.2, at + 5.4), max_error_s=0.02),)
        for code, at in ((101, 10.0), (102, 60.0), (103, 110.0), (104, 160.0))
    }

    found = [f for f in findings(late, change=lambda trials: coded(trials, **events)) if f.code == "A006"]

    assert len(found) == 1
    assert found[0].text.startswith("1 events lie elsewhere by the edge of their own trial than by the clock map")
    assert "by 60.0 ms" in found[0].text or "by -60.0 ms" in found[0].text
    assert not [f for f in findings(change=lambda trials: coded(trials, **events)) if f.code == "A006"]


def test_a_clock_that_was_accepted_on_demand_is_told():
    """
    A map beyond the limit, forced, is A005 with the reason.
    """
    scattered = recording(biopac=Markers("biopac", CODE_T + np.array([0, 0, 9, -9, 9, -9, 0, 0]) / 1e3, MARKER_CODES))
    timeline = align(scattered, limit_ms=1.0, force=True)

    found = check_timeline(scattered, timeline, coded(build_trials(timeline, [], stimuli=STIMULI)))

    assert [f.where for f in found if f.code == "A005"] == ["S01/01 biopac"]
    assert "accepted on demand" in next(f.text for f in found if f.code == "A005")


def test_trials_that_cannot_be_trusted_are_told_with_their_cause():
    """
    Less than half of a trial is good: a warning from a tenth of the trials on, a note below; half is enough.
    """
    n = 20
    X = np.ones((n, 3))
    X[:2, 0], X[5, 1], X[6, 1], X[:, 2] = 0.3, 0.49, 0.5, 0.1
    causes = {"ecg cause": ["signal is flat"] * 2 + [""] * 18, "eda cause": [""] * 5 + ["clipped"] * 2 + [""] * 13}
    names = [f"S01-{k:03d}" for k in range(n)]
    columns = ["ecg_quality", "eda_quality", "eeg_muscle_share"]
    table = FeatureTable.build(X, columns, names, ["S01"] * n, ["v"] * n, ["sad"] * n, strata=causes)

    ecg, eda = check_trust(table)
    assert (ecg.code, ecg.level, ecg.where, ecg.rows) == ("D025", "warning", "S01 ecg", ("S01-000", "S01-001"))
    assert ecg.text.startswith("less than half of 2 of 20 trials can be trusted, mostly because: signal is flat (2)")
    assert (eda.level, eda.rows) == ("note", ("S01-005",))

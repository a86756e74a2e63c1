"""What is planted is found: place, time, sign and size; what cannot be measured is said and costs nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.neuro.group import GroupSettings, analyse_group
from mmme.neuro.subject import FaceMotion, SubjectSettings, analyse_subject, load_subject, save_subject
from mmme.report.analysis_page import AnalysisMaterial, write_analysis_page
from mmme.simulate import mechanism_session

SETTINGS = GroupSettings(n_permutations=300)


@pytest.fixture(scope="module")
def group(planted):
    return analyse_group(planted, settings=SETTINGS)


def claimed(group) -> set[tuple[str, str]]:
    return {(row["family"], row["question"]) for row in group.claims}


def test_a_theta_burst_at_fz(group):
    """After micro-expressions only, in the half second after the onset, upwards."""
    best = next(c for c in group.clusters if (c["lock"], c["contrast"], c["measure"]) == ("onset", "micro", "theta"))

    corrected = {(q["family"], q["question"]): q["p_family"] for q in group.questions}
    assert corrected["brain at onset", "theta, micro"] < 0.05
    assert corrected["brain at onset", "theta, macro"] > 0.05
    assert best["peak_channel"] == "Fz"
    assert best["sign"] == 1
    assert 0.0 <= best["peak_s"] <= 0.5
    assert best["difference"] > 3.0


def test_the_heart_slows_and_the_skin_answers(group):
    """Sign and size of both, by permutation and by the mixed model; breath and temperature are left alone."""
    rows = {(r["measure"], r["contrast"]): r for r in group.responses}
    for kind in ("micro", "macro"):
        heart, skin = rows["hr_change_bpm", kind], rows["scr_magnitude_us", kind]
        assert -4.0 < heart["difference"] < -1.5
        assert heart["mixed_estimate"] == pytest.approx(heart["difference"], abs=0.5)
        assert heart["mixed_high"] < 0
        assert 0.3 < skin["difference"] < 0.6
        assert ("body", f"hr_change_bpm, {kind}") in claimed(group)
    assert not any("skt" in q or "rsp_rate" in q for _, q in claimed(group))
    course = next(c for c in group.courses if (c.name, c.kind) == ("heart rate", "micro"))
    assert course.t_s[course.difference[0].argmin()] == pytest.approx(2.5, abs=0.7)


def test_conductance_follows_the_face(group):
    """At the planted lag; who leads is told from an interval."""
    found = group.lags["continuous", "phasic conductance"]
    row = next(r for r in group.coupling if (r["signal"], r["scope"]) == ("phasic conductance", "continuous"))

    assert found.peak_lag_s == pytest.approx(1.2, abs=0.15)
    assert found.peak_r > 0
    assert row["leads"] == "face"
    assert ("coupling", "phasic conductance, continuous") in claimed(group)


def test_coupling_by_emotion_is_told_with_its_correction(planted, group):
    """Subjects with a stretch around such an expression take part; q is never below p."""
    rows = group.coupling_by_group

    assert {row["by"] for row in rows} == {"emotion", "unit"}
    assert all(row["q"] >= row["p"] >= 1 / (1 + SETTINGS.n_permutations) for row in rows)
    assert all(row["n_subjects"] <= len(planted) for row in rows)
    assert {key[0] for one in planted for key in one.lags_by_group} >= {f"{row['by']} {row['group']}" for row in rows}


def test_quality_is_told_by_signal(group, planted):
    """Every recording and signal has its share; nothing of a simulated recording without faults is spoiled."""
    rows = group.quality

    assert {row["signal"] for row in rows} == {"eeg as recorded", "ecg", "ppg", "eda", "rsp", "skt"}
    assert len(rows) == 6 * len(planted)
    assert all(0.9 <= row["usable_share"] <= 1.0 for row in rows)


def test_one_subject_without_a_signal_costs_no_other(planted):
    """Its responses are missing, those of all others are there."""
    lame = replace(planted[0], responses={k: v for k, v in planted[0].responses.items() if k[0] != "hr_change_bpm"})
    found = analyse_group([lame, *planted[1:]], settings=GroupSettings(n_permutations=100))

    row = next(r for r in found.responses if (r["measure"], r["contrast"]) == ("hr_change_bpm", "micro"))
    assert row["n_subjects"] == len(planted) - 1


def test_the_coupled_pair_is_in_the_set_of_links(group):
    """In beta, after micro-expressions, upwards; the average reference carries it to some others."""
    best = group.networks["beta", "micro"].components[0]
    pairs = [{group.network_channels[i], group.network_channels[j]} for i, j in best.links]

    assert {"C5", "P6"} in pairs
    assert (best.sign, best.p < 0.05) == (1, True)


def test_an_analysis_is_stored_whole(planted, tmp_path):
    """What is read is what was written; another key is another analysis; a damaged file says so."""
    path = tmp_path / "sub-S00.npz"
    save_subject(planted[0], path, key="a")
    read = load_subject(path, key="a")

    assert read is not None
    assert read.pairs == planted[0].pairs
    assert read.notes == planted[0].notes
    for name in ("responses", "courses", "networks", "eyes"):
        own, other = getattr(planted[0], name), getattr(read, name)
        assert own.keys() == other.keys()
        assert all(np.array_equal(own[k], other[k], equal_nan=True) for k in own)
    assert read.lags.keys() == planted[0].lags.keys()
    for key, means in planted[0].evoked.items():
        for condition, values in means.values.items():
            assert read.evoked[key].values[condition] == pytest.approx(values, rel=1e-4, abs=1e-5, nan_ok=True)
    assert load_subject(path, key="b") is None
    assert load_subject(tmp_path / "none.npz") is None
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="delete it and analyse again"):
        load_subject(path)


def test_what_is_missing_costs_nothing_else():
    """Without EEG, without a face, without expressions: a sentence each, and the rest is measured."""
    made = mechanism_session(0, trials=2, trial_s=48.0, channels=8)
    face = FaceMotion(made.face_t_s, made.face.mean(axis=1), made.face)
    settings = SubjectSettings(components=False, n_draws=100)
    body = replace(made.timeline, streams={k: v for k, v in made.timeline.streams.items() if k in ("ecg", "eda")})
    found = analyse_subject(body, made.trials, settings=settings)

    assert not found.evoked
    assert np.isfinite(found.responses["hr_change_bpm", "shown"]).any()
    assert np.isnan(found.responses["skt_change_c", "shown"]).all()
    assert "no stream 'eeg'; nothing of the brain is measured" in found.notes
    assert "not recorded: ppg, rsp, skt" in found.notes
    assert any(note.startswith("no motion of the face") for note in found.notes)

    still = tuple(replace(trial, expressions=()) for trial in made.trials)
    found = analyse_subject(body, still, face=face, settings=settings)
    assert not found.pairs
    assert any(note.startswith("no expression with a neutral moment") for note in found.notes)
    assert ("continuous", "heart rate") in found.lags


def test_bad_channels_do_not_stop_the_others():
    """A recording whose channels are all flat says so; its body is measured."""
    made = mechanism_session(0, trials=2, trial_s=48.0, channels=8)
    eeg = made.timeline.streams["eeg"]
    flat = replace(eeg, x=np.zeros(eeg.x.shape))
    dead = replace(made.timeline, streams={**made.timeline.streams, "eeg": flat})
    found = analyse_subject(dead, made.trials, settings=SubjectSettings(components=False, n_draws=100))

    assert not found.evoked
    assert any("flat" in note for note in found.notes)
    assert np.isfinite(found.responses["scr_magnitude_us", "shown"]).all()


def test_too_few_subjects_get_sentences(planted, tmp_path):
    """Three subjects: no question can be asked, and the page says why."""
    few = analyse_group(planted[:3], settings=SETTINGS)

    assert not few.questions
    assert any("subjects have such events, at least 6 needed" in note for note in few.notes)
    assert any(note.startswith("body, hr_change_bpm, micro: fewer than 6") for note in few.notes)
    page = write_analysis_page(AnalysisMaterial("S", True, few, {}, "methods", few.notes, ["S09: broken"]), tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "Nothing: no question" in text
    assert "S09: broken" in text
    with pytest.raises(DataError, match="expected at least one analysed recording, got none"):
        analyse_group([])


def test_one_kind_only(planted):
    """Subjects who show micro-expressions only: those questions are asked, the others are named."""
    keep = []
    for one in planted[:7]:
        own = [k for k, p in enumerate(one.pairs) if p.kind == "micro"]
        responses = {k: v[own] for k, v in one.responses.items()}
        courses = {k: v[own] for k, v in one.courses.items()}
        keep.append(
            replace(
                one, pairs=tuple(one.pairs[k] for k in own), responses=responses, courses=courses, evoked={}, networks={}
            )
        )
    found = analyse_group(keep, settings=SETTINGS)

    assert ("body", "hr_change_bpm, micro") in {(q["family"], q["question"]) for q in found.questions}
    assert not any(q["question"].endswith("macro") for q in found.questions)
    assert any(note.startswith("body, hr_change_bpm, macro") for note in found.notes)


def test_the_page_and_its_files(group, tmp_path):
    """Every figure has its numbers beside it; claims are sentences; simulated data say so."""
    first = dict(list(group.networks.items())[6:8])
    group = replace(group, maps=group.maps[:2], networks=first, courses=group.courses[:1])
    material = AnalysisMaterial("S", True, group, {"targets": [{"target": "sad", "coded": "sad", "n": 3}]}, "how", [], [])
    page = write_analysis_page(material, tmp_path)
    text = page.read_text(encoding="utf-8")

    assert "simulated data" in text
    assert "theta at Fz" in text  # from the apex
    assert "http" not in text.replace("http://www.w3.org", "")
    stems = {p.stem for p in (tmp_path / "figures").glob("*.csv")}
    assert (
        stems
        == {p.stem for p in (tmp_path / "figures").glob("*.svg")}
        == {p.stem for p in (tmp_path / "figures").glob("*.png")}
    )
    assert {"scalp-onset-micro-theta", "links-beta-micro", "lags-continuous", "effect-sizes", "annotation-targets"} <= stems
    lines = (tmp_path / "figures" / "scalp-onset-micro-theta.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "channel,time_s,mean,low,high,t,cluster"
    assert len(lines) == 1 + len(group.maps[0].channels) * group.maps[0].t_s.size
    assert json.dumps(group.questions)

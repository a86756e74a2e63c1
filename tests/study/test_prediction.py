"""A stored model applied to videos of new simulated faces: planted classes, what carried them, and every refusal."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mmme.config import load_config
from mmme.datasets.study import open_study
from mmme.errors import ConfigError, DataError
from mmme.features.face.clips import ClipSettings
from mmme.features.face.descriptors import describe_faces
from mmme.features.face.landmarks import FaceMesh
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.io.ffv1 import write_ffv1
from mmme.io.physio_tsv import write_physio
from mmme.io.table_npz import write_table
from mmme.io.video import open_video
from mmme.models.recogniser_files import load_recogniser, save_recogniser
from mmme.simulate import TrueExpression, simulate_clip
from mmme.study.describe import gather
from mmme.study.prediction import WhatToPredict, predict_video
from mmme.study.recordings import aligned
from mmme.study.training import train_study, train_table
from mmme.trials import unique_expressions
from mmme.types import Sample, Stream

SHOWN = {"positive": ("AU12",), "negative": ("AU4", "AU9"), "surprise": ("AU1", "AU2")}
CONFIG = {"recognition": {"model": "ridge"}}
SAMPLING = {"frame_rate_hz": [50.0, 60.0], "face_width_px": [65.0, 80.0], "duration_s": [0.3, 0.5]}


def expression(label, apex_s, px=1.6):
    return TrueExpression("micro", label, SHOWN[label], apex_s - 0.2, apex_s, apex_s + 0.2, px)


def video_of(path, events, *, seed=200, fps=50.0, duration_s=2.5, frame_px=128, change=None):
    """Write a clip of a face that no model has seen; simulated."""
    t, frames, _ = simulate_clip(seed, fps=fps, duration_s=duration_s, events=events, frame_px=frame_px)
    frames = frames if change is None else np.ascontiguousarray(change(frames))
    write_ffv1(path, iter(frames), t)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Flow images of 7 simulated faces, three classes that differ in what moves, pooled by the run file; as a file."""
    made = []
    with FaceMesh() as finder:
        for subject in range(7):
            for label in SHOWN:
                t, x, _ = simulate_clip(subject, fps=25.0, duration_s=0.48, events=[expression(label, 0.24)], frame_px=128)
                video = Stream("video", "camera", t, x, "grey level")
                row = Sample(f"S{subject}-{label}", f"S{subject}", "v", label, 0.04, 0.24, 0.44, Interval(0.0, 0.48))
                made.append(describe_faces(video, [row], ["flow-images"], settings=ClipSettings(), finder=finder))
    path = tmp_path_factory.mktemp("table") / "faces.npz"
    whole = stack([one["flow-images"] for one in made])
    write_table(replace(whole, origin={**whole.origin, "simulated": "yes"}), path)
    return path


@pytest.fixture(scope="module")
def fitted(table):
    made = train_table(table, load_config(CONFIG))
    return replace(made, about={**made.about, "sampling": SAMPLING})


@pytest.fixture(scope="module")
def model(fitted, tmp_path_factory):
    return save_recogniser(tmp_path_factory.mktemp("model") / "m", fitted)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A new face that shows the three classes one after another at 1.0, 1.8 and 2.6 s."""
    events = [expression(label, apex) for label, apex in zip(SHOWN, (1.0, 1.8, 2.6), strict=True)]
    return video_of(tmp_path_factory.mktemp("video") / "three.mkv", events, seed=91, duration_s=3.2)


@pytest.fixture(scope="module")
def predicted(model, three, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return predict_video(model, WhatToPredict(three, at=(1.0, 1.8, 2.6)), out), out


def test_planted_classes_of_a_new_face_are_recognised(predicted):
    """
    At each apex the class is the planted one, with more than half of the certainty, and none is refused.
    """
    made, _ = predicted
    assert [row["class"] for row in made.rows] == list(SHOWN)
    for row, apex in zip(made.rows, (1.0, 1.8, 2.6), strict=True):
        assert row["apex_s"] == apex
        assert row["apex_frame"] == pytest.approx(50 * row["apex_s"], abs=1)
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["probabilities"][row["class"]] > 0.5
        assert row["distance"]["face"] < row["threshold"]["face"]
        assert not row["refused"]


def test_expressions_are_spotted_where_no_time_is_given(model, tmp_path):
    """
    A smile of 0.4 s is found within 0.1 s and recognised; what the spotter assumed is told.
    """
    video = video_of(tmp_path / "smile.mkv", [expression("positive", 1.2)], seed=91)
    (row,) = predict_video(model, WhatToPredict(video), tmp_path).rows
    assert (row["class"], row["how"]) == ("positive", "spotted")
    assert row["apex_s"] == pytest.approx(1.2, abs=0.1)
    assert row["assumed"].startswith("onset, apex and offset as spotted")


def test_the_region_that_moved_carried_the_decision(predicted):
    """
    A smile is carried by the mouth, a frown and raised brows by the brows: hiding these costs the winner most.
    """
    made, _ = predicted
    carried = [max(row["drops"]["face"], key=row["drops"]["face"].get) for row in made.rows]
    assert carried == ["mouth", "brows", "brows"]
    assert all(row["drops"]["face"][name] > 0 for row, name in zip(made.rows, carried, strict=True))


def test_files_say_the_same(predicted):
    """
    Table, JSON and what is returned agree, say that the model was trained on simulated data, and nothing else is left.
    """
    made, out = predicted
    rows = list(csv.DictReader(made.table.read_text(encoding="utf-8").splitlines()))
    data = json.loads(made.data.read_text(encoding="utf-8"))
    assert sorted(p.name for p in out.iterdir()) == [f"three.predictions.{end}" for end in ("csv", "json", "png")]
    assert made.figure.read_bytes().startswith(b"\x89PNG")
    assert [r["class"] for r in rows] == [e["class"] for e in data["expressions"]] == [r["class"] for r in made.rows]
    assert {r["simulated"] for r in rows} == {"yes"}
    assert data["model"]["simulated"] is True
    assert "trained on simulated data" in made.notes[0]
    for line, row in zip(rows, made.rows, strict=True):
        assert float(line["probability:positive"]) == row["probabilities"]["positive"]
        assert float(line["drop:face:mouth"]) == row["drops"]["face"]["mouth"]


def test_given_apexes_and_intervals_are_taken(model, three, tmp_path):
    """
    Around an apex the onset is found within 0.1 s of the planted one; in an interval the apex is; what was assumed is told.
    """
    asked = WhatToPredict(three, at=(1.0,), intervals=((1.6, 2.0), (2.4, 2.6, 2.8)))
    around, between, given = predict_video(model, asked, tmp_path).rows
    assert [row["class"] for row in (around, between, given)] == list(SHOWN)
    assert (around["onset_s"], around["offset_s"]) == pytest.approx((0.8, 1.2), abs=0.1)
    assert around["assumed"].startswith("onset and offset where")
    assert between["apex_s"] == pytest.approx(1.8, abs=0.1)
    assert between["assumed"].startswith("apex where the face moves most")
    assert (given["onset_s"], given["apex_s"], given["assumed"]) == (2.4, 2.6, "")


def test_a_still_face_gives_an_empty_table(model, tmp_path):
    """
    Without an expression there is a table with a header alone, a sentence, and no figure, not even that of an earlier run.
    """
    (tmp_path / "still.predictions.png").write_bytes(b"old")
    made = predict_video(model, WhatToPredict(video_of(tmp_path / "still.mkv", [])), tmp_path)
    assert made.rows == ()
    assert made.figure is None
    assert "no micro-expression was found" in made.notes
    assert len(made.table.read_text(encoding="utf-8").splitlines()) == 1
    assert not (tmp_path / "still.predictions.png").exists()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        pytest.param(lambda x: np.zeros_like(x), "black", id="black"),
        pytest.param(lambda x: np.random.default_rng(0).integers(0, 255, x.shape).astype(np.uint8), "noise", id="noise"),
        pytest.param(lambda x: x[:, ::-1], "turned", id="upside-down"),
    ],
)
def test_a_video_without_a_face_is_refused(model, tmp_path, change, name):
    """
    Black, noise and an upside-down face end with one sentence, spotted or with times given, and nothing is written.
    """
    video = video_of(tmp_path / f"{name}.mkv", [expression("positive", 1.0)], change=change, duration_s=1.6)
    for asked in (WhatToPredict(video), WhatToPredict(video, intervals=((0.8, 1.2),))):
        with pytest.raises(DataError, match=rf"{name}\.mkv: expected a face"):
            predict_video(model, asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("seed", "change", "reason"),
    [
        pytest.param(2000, lambda x: np.rot90(x, 1, (1, 2)), "the face is turned by -8", id="on-its-side"),
        pytest.param(2000, lambda x: x[:, ::-1, ::-1], "the face is upside down", id="upside-down-but-seen"),
    ],
)
def test_a_turned_face_that_the_detector_sees_is_refused(model, tmp_path, seed, change, reason):
    """
    The mesh can be laid on a face that lies on its side or stands on its head; such a row has no class.
    """
    t, x, _ = simulate_clip(seed, fps=60.0, duration_s=1.2, frame_px=96)
    write_ffv1(tmp_path / "turned.mkv", iter(np.ascontiguousarray(change(x))), t)
    (row,) = predict_video(model, WhatToPredict(tmp_path / "turned.mkv", intervals=((0.0, 0.2, 0.4),)), tmp_path).rows
    assert (row["class"], row["refused"]) == ("", True)
    assert row["reason"].startswith(reason)


def test_what_is_unlike_the_training_is_refused(model, fitted, three, tmp_path):
    """
    Too small a face, too long an expression, a face that becomes another: no class, no probability, a reason.
    """
    small = video_of(tmp_path / "small.mkv", [expression("positive", 1.0, 0.8)], frame_px=64)
    narrow = {**SAMPLING, "face_width_px": [150.0, 160.0]}
    other = save_recogniser(tmp_path / "narrow", replace(fitted, about={**fitted.about, "sampling": narrow}))
    (row,) = predict_video(other, WhatToPredict(small, intervals=((0.8, 1.2),)), tmp_path).rows
    assert row["reason"].endswith("px wide, trained on 150 to 160 px")
    (row,) = predict_video(model, WhatToPredict(three, intervals=((0.6, 1.0, 1.8),)), tmp_path).rows
    assert row["reason"] == "it lasts 1.20 s, trained on 0.30 to 0.50 s"
    other_face = simulate_clip(7, fps=50.0, duration_s=1.5, frame_px=128)[1]
    swapped = lambda x: np.concatenate([x[:45], other_face[45:]])  # noqa: E731
    video = video_of(tmp_path / "strong.mkv", [], change=swapped, duration_s=1.5)
    (row,) = predict_video(model, WhatToPredict(video, intervals=((0.8, 1.0, 1.2),)), tmp_path).rows
    assert "unlike the training's: distance" in row["reason"]
    assert (row["class"], row["probabilities"], row["drops"], row["refused"]) == ("", {}, {}, True)
    assert set(row["withheld"]) == set(SHOWN)
    (line,) = csv.DictReader((tmp_path / "strong.predictions.csv").read_text(encoding="utf-8").splitlines())
    assert (line["class"], line["probability:positive"], line["refused"]) == ("", "", "yes")
    assert (tmp_path / "strong.predictions.png").exists()


def test_a_frame_rate_unlike_the_training_is_refused_or_told(model, tmp_path):
    """
    20 frames per second are below half of 50: refused, and on demand accepted with a note.
    """
    video = video_of(tmp_path / "slow.mkv", [expression("positive", 1.0)], fps=20.0)
    asked = WhatToPredict(video, intervals=((0.8, 1.0, 1.2),))
    with pytest.raises(
        DataError, match="within a factor of 2 of the training's, got 20 frames per second, trained on 50 to 60"
    ):
        predict_video(model, asked, tmp_path / "out")
    made = predict_video(model, replace(asked, accept_frame_rate=True), tmp_path)
    assert "accepted on demand: 20 frames per second, trained on 50 to 60" in made.notes


def test_times_at_the_edge_are_refused(model, three, tmp_path):
    """
    Times outside of the video are an error; an onset before the first frame, or two frames, refuse the row.
    """
    for asked, sentence in (
        (WhatToPredict(three, at=(9.0,)), r"three\.mkv: expected --at in the video, 0\.000 to 3\.180 s, got 9 s"),
        (WhatToPredict(three, intervals=((3.1, 4.0),)), r"expected an interval in the video, .*, got 3\.1 to 4 s"),
    ):
        with pytest.raises(DataError, match=sentence):
            predict_video(model, asked, tmp_path / "out")
    with pytest.raises(ConfigError, match="expected onset before apex before offset, got 1:0.8:1.2"):
        predict_video(model, WhatToPredict(three, intervals=((1.0, 0.8, 1.2),)), tmp_path / "out")
    cut = video_of(tmp_path / "cut.mkv", [expression("positive", 0.12)])
    (edge,) = predict_video(model, WhatToPredict(cut, at=(0.1,)), tmp_path).rows
    assert edge["reason"] == "the motion reaches the first frame: its onset was not recorded"
    (short,) = predict_video(model, WhatToPredict(three, intervals=((0.96, 0.98, 0.99),)), tmp_path).rows
    assert short["reason"] == "expected 3 frames from onset to offset, got 2"


def test_a_model_of_the_face_takes_no_physiology(model, three, tmp_path):
    """
    Physiology that nothing would look at is not dropped in silence.
    """
    write_physio(tmp_path / "a_physio.tsv.gz", {"ecg": np.zeros(50)}, {"ecg": "mV"}, fs=10.0)
    with pytest.raises(ConfigError, match="model of the face alone: expected no --physio"):
        predict_video(model, WhatToPredict(three, physio=(tmp_path / "a_physio.tsv.gz",)), tmp_path / "out")


def test_a_table_of_another_pipeline_is_told(fitted, three, tmp_path):
    """
    Images that were stretched one by one are matched by standardising, the note says what cannot be known.
    """
    other = replace(fitted, about={**fitted.about, "prepared": "standardised", "sampling": {}, "code": "older"})
    made = predict_video(save_recogniser(tmp_path / "m", other), WhatToPredict(three, at=(1.0,)), tmp_path)
    notes = " ".join(made.notes)
    assert "images of another pipeline" in notes
    assert "frame rates of the training are not known" in notes
    assert "is not that of the training: values may differ" in notes


@pytest.fixture(scope="module")
def recording(study, config, described, tmp_path_factory):
    """One recording of the study as single files: video, physiology with its lags, and the apexes coded, in video time."""
    timeline = aligned(open_study(study).recording("S01"), config)
    files = open_study(study).files("S01")
    own = gather(study, ["S01"], config)
    video_s, session_s = open_video(files.video).t_s, timeline.streams["video"].t
    shift_s = float(np.median(session_s - video_s))
    devices = [timeline.streams[name].device for name in ("eeg", "ecg")]
    lags = tuple(float((shift_s - timeline.clocks[d].intercept_s) / timeline.clocks[d].rate) for d in devices)
    coded = {f"{t.id}#{k}": e for t in own.trials for k, e in enumerate(unique_expressions(t), start=1)}
    times = [coded[name] for name in own.tables["face"].trial_ids]
    spans = tuple(tuple(float(np.interp(x, session_s, video_s)) for x in (e.onset, e.apex, e.offset)) for e in times)
    physio = (files.eeg, next(files.folder.rglob("*biopac_physio.tsv.gz")))
    return files.video, physio, lags, spans, own


@pytest.fixture(scope="module")
def both(described, config, tmp_path_factory):
    return save_recogniser(tmp_path_factory.mktemp("both") / "m", train_study(described, config, source="both"))


def test_a_video_is_described_as_the_study_was(both, recording, tmp_path):
    """
    With the coded times and the right lags, video and physiology files give the study's probabilities within 0.02, which
    covers drift and the rounding of a lag that holds for one moment.
    """
    video, physio, lags, spans, own = recording
    made = predict_video(both, WhatToPredict(video, intervals=spans, physio=physio, lags_s=lags), tmp_path)
    model = load_recogniser(both)
    X = model.rows(own.tables)[np.argsort([span[0] for span in spans])]
    wanted = model.supported(model.fusion.predict_proba(X))
    got = [list((row["probabilities"] or row["withheld"]).values()) for row in made.rows]
    np.testing.assert_allclose(got, wanted, atol=0.02)
    assert all(row["weight"]["body"] > 0 for row in made.rows)
    assert any(drop for row in made.rows for drop in row["drops"].get("body", {}).values())


def test_missing_physiology_is_told(both, recording, tmp_path):
    """
    Without physiology the face decides alone; without EEG its columns are the training's medians; both are told.
    """
    video, physio, lags, spans, _ = recording
    alone = predict_video(both, WhatToPredict(video, intervals=spans[:1]), tmp_path)
    assert alone.rows[0]["weight"] == {"face": 1.0, "body": 0.0}
    assert alone.rows[0]["alone"]["body"] is None
    assert "no physiology was given: decided by the face alone, calibrated as in training" in alone.notes
    without = predict_video(both, WhatToPredict(video, intervals=spans[:1], physio=physio[1:]), tmp_path)
    (row,) = without.rows
    assert row["missing"]["eeg"] == "no stream 'eeg'"
    assert any(note.startswith("the model knows eeg, which no file holds") for note in without.notes)
    assert any(note.startswith("no --lag was given") for note in without.notes)
    assert row["drops"].get("body", {"eeg": None})["eeg"] is None
    del lags


def test_physiology_that_does_not_fit_is_one_sentence(both, described, config, recording, tmp_path):
    """
    A body model without physiology, a unit of another dimension, a missing file, the same signal twice, lags too many.
    """
    video, physio, _, spans, _ = recording
    body = save_recogniser(tmp_path / "body", train_study(described, config, source="body"))
    write_physio(tmp_path / "b_physio.tsv.gz", {"eda": np.zeros(50)}, {"eda": "mV"}, fs=10.0)
    cases = [
        (body, WhatToPredict(video, intervals=spans[:1]), ConfigError, "model of the body alone: expected --physio FILE"),
        (both, (tmp_path / "b_physio.tsv.gz",), DataError, "'eda': expected a unit that means µS, got 'mV'"),
        (both, (tmp_path / "none.acq",), DataError, "none.acq: expected a file of physiology, got none"),
        (both, (physio[1], physio[1]), DataError, "expected signals that no other file holds"),
    ]
    for model, asked, error, sentence in cases:
        what = asked if isinstance(asked, WhatToPredict) else WhatToPredict(video, intervals=spans[:1], physio=asked)
        with pytest.raises(error, match=sentence):
            predict_video(model, what, tmp_path / "out")
    with pytest.raises(ConfigError, match="--lag: expected one, or one for each of 2 files, got 3"):
        predict_video(
            both, WhatToPredict(video, intervals=spans[:1], physio=physio, lags_s=(1.0, 2.0, 3.0)), tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()

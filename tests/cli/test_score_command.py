"""`mmme score spotting`: files of any method against files of labels."""

import csv
import json

import pytest
from click.testing import CliRunner

from mmme.cli import cli

TRUTH = """video,subject,kind,onset_frame,apex_frame,offset_frame,emotion
a,S1,micro,10,14,20,happy
a,S1,macro,100,120,150,sad
b,S2,ME,40,44,50,happy
c,S3,MaE,5,20,40,sad
"""
PRED = """video,kind,onset_frame,apex_frame,offset_frame,score,emotion
a,micro,11,13,21,0.9,happy
a,macro,100,126,160,0.8,happy
b,micro,90,92,99,0.7,happy
c,macro,5,20,40,0.3,sad
"""
VIDEOS = "video,subject,n_frames\na,S1,900\nb,S2,900\nc,S3,900\nd,S4,900\n"


@pytest.fixture
def folder(tmp_path):
    """Labels, predictions and the list of videos."""
    for name, text in (("truth.csv", TRUTH), ("pred.csv", PRED), ("videos.csv", VIDEOS)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def score(folder, *more, code=0):
    """Run the verb on them."""
    done = CliRunner().invoke(cli, ["score", "spotting", str(folder / "truth.csv"), str(folder / "pred.csv"), *more])
    assert done.exit_code == code, done.output + done.stderr
    return done


def test_scores_counts_and_chance_by_hand(folder):
    """
    Three of four found, one false alarm in two minutes of four videos; apexes 33 ms, 200 ms and 0 off; every rule counts.
    """
    found = json.loads(score(folder, "--videos", str(folder / "videos.csv"), "--fps", "30", "--json").stdout)
    value = {s["name"]: s["value"] for s in found["scores"]}
    assert (found["videos"], found["subjects"]) == (4, 4)
    assert value["F1 micro"] == pytest.approx(0.5)
    assert value["F1 macro"] == 1.0
    assert value["F1 overall"] == pytest.approx(0.75)
    assert value["false alarms per minute overall"] == pytest.approx(0.5)
    assert value["AP micro"] == pytest.approx(0.5)
    assert value["apex error micro [ms]"] == pytest.approx(1000 / 30)
    assert value["apex error macro [ms]"] == pytest.approx(100.0)
    assert value["STRS overall"] == pytest.approx(0.75 * 0.75)
    assert 0 <= found["chance"]["F1 overall"]["mean"] < 0.2
    assert {(r["rule"], r["tp"]) for r in found["rules"] if r["kind"] == "overall"} >= {("strict", 3), ("sl-swin", 3)}


def test_without_videos_rate_and_scores_less_is_said(folder):
    """
    What cannot be known is left out and told: minutes, chance, average precision, subjects.
    """
    (folder / "pred.csv").write_text("video;kind;onset_frame;offset_frame\na;ME;11;21\n", encoding="utf-8")
    (folder / "truth.csv").write_text("video,kind,onset_frame,offset_frame\na,ME,10,20\nb,ME,1,9\n", encoding="utf-8")
    done = score(folder)
    for said in ("which videos were searched is not known", "no scores", "frame rate is not known", "no subject is named"):
        assert said in done.stdout
    assert "AP" not in json.dumps(json.loads(score(folder, "--json").stdout)["scores"])


def test_an_open_label_is_never_closed_in_silence(folder):
    """
    Refused unless it is said what is to be done; each way does what it says.
    """
    (folder / "truth.csv").write_text(TRUTH.replace("5,20,40,sad", "5,20,0,sad"), encoding="utf-8")
    done = score(folder, code=3)
    assert "truth.csv: 1 of 4 labels have no onset or no offset (line 5)" in done.stderr
    hits = {}
    for way in ("leave-out", "miss", "apex", "mirror", "apex+20"):
        found = json.loads(score(folder, "--open-labels", way, "--json").stdout)
        strict = {r["kind"]: (r["tp"], r["fp"], r["fn"]) for r in found["rules"] if r["rule"] == "strict"}
        hits[way] = strict["macro"]
        assert found["notes"][0].startswith("1 label without onset or offset: ")
    assert hits == {"leave-out": (1, 1, 0), "miss": (1, 1, 1), "apex": (1, 1, 1), "mirror": (2, 0, 0), "apex+20": (2, 0, 0)}
    assert "expected refuse, leave-out" in score(folder, "--open-labels", "guess", code=3).stderr


def test_what_hit_what_is_written(folder):
    """
    Every label and prediction is there once.
    """
    score(folder, "--matches", str(folder / "matches.csv"))
    rows = list(csv.DictReader((folder / "matches.csv").read_text(encoding="utf-8").splitlines()))
    assert [r["outcome"] for r in rows] == ["hit", "hit", "miss", "false alarm", "hit"]
    assert float(rows[0]["iou"]) == pytest.approx(10 / 12, abs=1e-4)


def test_a_least_score_changes_hits_but_not_the_ranking(folder):
    """
    What is below counts as not spotted, while average precision sees all.
    """
    found = json.loads(score(folder, "--min-score", "0.75", "--json").stdout)
    value = {s["name"]: s["value"] for s in found["scores"]}
    assert value["precision overall"] == 1.0
    assert value["recall overall"] == 0.5
    assert value["AP macro"] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("video,kind,onset_frame\na,ME,1\n", "pred.csv: expected a header with video, kind", id="column"),
        pytest.param(
            "video,kind,onset_frame,offset_frame\na,ME,9,2\n", "line 2: expected offset_frame not before", id="order"
        ),
        pytest.param("video,kind,onset_frame,offset_frame\na,blink,1,2\n", "expected kind micro (ME) or macro", id="kind"),
        pytest.param(
            "video,kind,onset_frame,offset_frame\na,ME,1.5,2\n", "expected a whole number of frames", id="fraction"
        ),
        pytest.param("video,kind,onset_frame,offset_frame\na,ME,,2\n", "expected an onset and an offset", id="open"),
        pytest.param("video,kind,onset_frame,offset_frame\na,ME,1\n", "line 2: expected 4 cells, got 3", id="short"),
        pytest.param(
            "video,kind,onset_frame,offset_frame,score\na,ME,1,2,1\na,ME,5,9,\n", "in every row or in none", id="score"
        ),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(folder, text, said):
    """
    The file, the line, what was expected.
    """
    (folder / "pred.csv").write_text(text, encoding="utf-8")
    assert said in score(folder, code=3).stderr


def test_videos_must_agree(folder):
    """
    A video that is not in the list, one that is there twice, and subjects for some only.
    """
    for text, said in (
        ("video\na\nb\n", "video 'c' of the labels or predictions is not in the list"),
        ("video\na\na\n", "expected every video once, got 'a' again"),
        ("video,subject\na,S1\nb,S2\nc,S3\nd,\n", "expected a subject for every video or for none, got 3 of 4"),
    ):
        (folder / "videos.csv").write_text(text, encoding="utf-8")
        assert said in score(folder, "--videos", str(folder / "videos.csv"), code=3).stderr

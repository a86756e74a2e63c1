"""Planted studies under leave-one-subject-out: fusion gains where both know, loses nothing where one is noise."""

import numpy as np
import pytest

from mmme.evaluate import run
from mmme.metrics.recognition import confusion_by_subject, uf1
from mmme.metrics.uncertainty import paired_difference
from mmme.models.classical import make_model
from mmme.models.fusion import RECOMMENDED, LateFusion, make_fusion
from mmme.types import FeatureTable

CLASSES = ["fear", "negative", "positive", "surprise"]
COLUMNS = {"face": np.arange(30), "body": np.arange(30, 42)}
FEW = {"n_bootstrap": 2000, "n_permutations": 100, "classes": CLASSES}


def study(*, noise=False, missing=False, n_subjects=24, n_each=24, width=12, seed=0):
    """Face tells negative and positive, body fear and surprise unless it is noise; subjects differ in every column."""
    rng = np.random.default_rng(seed)
    n, d = n_subjects * n_each, 30 + width
    who = np.repeat(np.arange(n_subjects), n_each)
    y = np.concatenate([rng.permutation(np.arange(n_each) % 4) for _ in range(n_subjects)])
    X = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n_subjects, d))[who]
    for k, c in enumerate((1, 2)):
        X[np.ix_(y == c, range(6 * k, 6 * k + 6))] += 1.0
    for k, c in enumerate((0, 3)):
        X[np.ix_(y == c, range(30 + 4 * k, 34 + 4 * k))] += 0.0 if noise else 1.2
    order = rng.permutation(n) if missing else []
    X[np.ix_(order[: int(0.3 * n)], range(30, d))] = np.nan
    X[np.ix_(order[int(0.25 * n) : int(0.35 * n)], range(30))] = np.nan
    trials, subjects = [str(i) for i in range(n)], [f"S{w:02d}" for w in who]
    labels, reason = [CLASSES[c] for c in y], np.isnan(X).astype(np.uint16)
    names = [f"x{i}" for i in range(d)]
    return FeatureTable.build(X, names, trials, subjects, ["v"] * n, labels, reason=reason, reasons=["", "not recorded"])


def parts():
    return {"face": make_model("svm-linear"), "body": make_model("lda")}


def alone(name):
    return LateFusion({name: parts()[name]}, {name: COLUMNS[name]})


def fused(name=RECOMMENDED, **params):
    return make_fusion(name, parts(), COLUMNS, 0, params={"n_inner": 3, **params})


def counts(result):
    said = result.predictions
    return confusion_by_subject(said["truth"], said["pred"], said["subject"], CLASSES)[1]


def test_both_beat_each_with_intervals_apart():
    """Where face and body know different classes, the recommended fusion's interval lies above both alone."""
    table = study()
    both, face, body = (run(table, e, **FEW).score("UF1") for e in (fused(), alone("face"), alone("body")))

    assert both.low > max(face.high, body.high)


def test_noise_beside_the_face_does_no_harm():
    """Beside noise the fusion decides as the face; the difference on the same subjects is not significantly below 0."""
    table = study(noise=True)
    difference = paired_difference(counts(run(table, fused(), **FEW)), counts(run(table, alone("face"), **FEW)), uf1)

    assert difference.value > -0.02
    assert difference.p >= 0.05 or difference.value > 0


def test_why_a_plain_mean_loses():
    """A discriminant of many columns and few rows is sure and wrong: it ruins a plain mean, and calibration silences it."""
    table = study(noise=True, n_subjects=8, n_each=12, width=60)
    columns = {"face": np.arange(30), "body": np.arange(30, 90)}
    plain, calibrated = (LateFusion(parts(), columns, calibrate=c) for c in (False, True))
    face, mean, mended = (
        run(table, e, **FEW).score("UF1").value for e in (LateFusion({"face": parts()["face"]}, {"face": columns["face"]}), plain, calibrated)
    )  # fmt: skip
    fitted = calibrated.fit(table.X, table.labels, groups=table.subjects)

    assert mean < face - 0.1
    assert mended > face - 0.02
    assert fitted.temperatures_["body"] > 20 * fitted.temperatures_["face"]


@pytest.mark.parametrize("name", [RECOMMENDED, "stacked"])
def test_with_many_rows_incomplete(name):
    """With 30 % of rows without body and 10 % without face, fusion still beats both alone, and says what is missing."""
    table = study(missing=True)
    both, face, body = (run(table, e, **FEW).score("UF1").value for e in (fused(name), alone("face"), alone("body")))
    fitted = fused(name).fit(table.X, table.labels, groups=table.subjects)

    assert both > max(face, body) + 0.05
    assert fitted.missing_note_ == (
        "576 rows: face missing in 57, body in 172: decided by the others; 28 without any: shares of the training classes"
    )

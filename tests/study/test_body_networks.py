"""Networks on a body: a planted burst is found and noise is not, and a study is evaluated from tensors to weights."""

import shutil

import numpy as np
import pytest

from mmme.config import load_config
from mmme.errors import ConfigError
from mmme.evaluate import run
from mmme.features.body.network_inputs import describe_input
from mmme.features.body.signals import Body, BodySettings
from mmme.features.brain.clean import CleanEeg
from mmme.features.quality import Verdict
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.models.catalogue import make_model
from mmme.study.describe import describe_study, gather
from mmme.study.evaluation import Run, evaluate_study
from mmme.study.training import train_study
from mmme.types import Sample
from mmme.workers import Workers

pytest.importorskip("torch")

FS_HZ, NAMES = 125.0, ("F3", "Fz", "F4", "C3", "Cz", "C4", "Pz", "Oz")


def table_of(burst_uv):
    """Five subjects with 20 expressions each; negative ones are followed by a burst of theta at Fz."""
    tables = []
    for k in range(5):
        subject, rng = f"S{k}", np.random.default_rng(k)
        n = int(84 * FS_HZ)
        x = rng.normal(0, 10, (len(NAMES), n)).astype(np.float32)
        t = np.arange(n) / FS_HZ
        samples = []
        for j in range(20):
            apex = 4.0 + 3.9 * j
            label = "negative" if rng.random() < 0.5 else "positive"
            samples.append(Sample(f"{subject}-{j}", subject, "v", label, apex, apex, apex, Interval(0.0, 100.0)))
            if label == "negative":
                during = (t >= apex + 0.2) & (t < apex + 0.9)
                x[1, during] += burst_uv * np.sin(2 * np.pi * 6 * (t[during] - apex) + rng.uniform(0, 1))
        nothing = np.zeros(len(NAMES), dtype=bool)
        fine = Verdict(0.0, np.zeros((len(NAMES), 100), dtype=np.uint8), ())
        muscle = np.zeros((len(NAMES), 0), dtype=np.float32)
        clean = CleanEeg(t, x, np.zeros(n, dtype=bool), FS_HZ, NAMES, nothing, {}, (), muscle, fine, {})
        tables.append(describe_input(Body(subject, {"eeg": clean}, BodySettings()), samples, "eeg"))
    return stack(tables)


@pytest.mark.parametrize(("burst_uv", "found"), [(40.0, True), (0.0, False)])
def test_eegnet_finds_a_planted_burst_and_nothing_else(burst_uv, found):
    """Leaving one subject out: a burst is recognised far above chance; without one the level of chance is not left."""
    model = make_model("eegnet", {"epochs": 20, "batch_size": 16}, random_state=0)
    result = run(table_of(burst_uv), model, n_bootstrap=200, n_permutations=500)
    uf1 = result.score("UF1")
    assert uf1.low > 0.75 if found else result.chance["UF1"]["p"] > 0.05


def config_of(model, **recognition):
    return load_config(
        {
            "scores": {"n_bootstrap": 200, "n_permutations": 200},
            "spotting": {"step_s": 0.1},
            "alignment": {"limit_ms": 20.0},
            "eeg": {"bad_channels": "interpolate"},
            "network": {"epochs": 2},
            "recognition": {"body_model": model, **recognition},
        }
    )


def test_a_study_is_evaluated_with_a_network_of_the_body(study, tmp_path):
    """Windows of the body are recognised alone and fused late, with weights and without each signal; early says why not."""
    config = config_of("cnn-1d", fusion=["early", "product"], leave_one_out=True)
    study = shutil.copytree(study, tmp_path / "study")  # what is made here is nobody else's to find
    names = [str(o.value) for o in describe_study(study, config, workers=Workers())]
    described = gather(study, names, config)
    assert described.tables["body"].X.shape[1:] == (5, 112)
    (tmp_path / "out").mkdir()
    made = evaluate_study(described, tmp_path / "out", Run(config, Workers()))
    titles = {r.title for r in made.results if r.task == "recognition"}
    assert {"body", "face + body, product", "face + body, product, without eda"} <= titles
    both = next(r for r in made.results if r.title == "face + body, product")
    assert set(both.model["classifiers"].values()) == {"svm-linear", "cnn-1d"}
    shares = np.array([both.predictions["weight:face"], both.predictions["weight:body"]])
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)
    assert any("fuse it late" in why for where, why in made.failures if "early" in where)
    with pytest.raises(ConfigError, match="networks of the body can be evaluated"):
        train_study(described, config)


def test_a_model_of_the_face_is_refused_for_the_body(study):
    """What only a face has is named before anything is computed."""
    with pytest.raises(ConfigError, match="recognition.body_model.*'ststnet', which takes flow-image"):
        describe_study(study, config_of("ststnet"), workers=Workers())

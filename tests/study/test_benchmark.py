"""Many models on one table: resumable, repeatable, with seeds, intervals, audits and what was published."""

import json
import shutil

import numpy as np
import pytest

from mmme.config import load_config
from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.evaluate import compare, load_result, over_seeds
from mmme.io.table_npz import write_table
from mmme.study.benchmark import benchmark_recognition, default_models, published
from mmme.study.repetition import differences, rerun
from mmme.types import FeatureTable
from mmme.workers import Workers

FEW = load_config({"scores": {"n_bootstrap": 200, "n_permutations": 200}, "network": {"epochs": 2}, "face": {"pool": 2}})


@pytest.fixture
def images(tmp_path):
    """Flow images of six subjects with a planted motion."""
    rng = np.random.default_rng(0)
    labels = np.tile(["neg", "pos"], 24)
    X = rng.normal(size=(48, 8, 8, 3)).astype(np.float32)
    X[labels == "pos", 4:, :, 1] -= 1.0
    who = np.repeat([f"S{k}" for k in range(6)], 8)
    table = FeatureTable.build(
        X,
        [],
        [f"r{k}" for k in range(48)],
        who,
        ["film"] * 48,
        labels,
        origin={"simulated": "yes"},
        strata={"dataset": np.where(np.arange(48) < 24, "one", "two").tolist()},
    )
    write_table(table, tmp_path / "flow.npz")
    return tmp_path / "flow.npz"


def test_benchmark_goes_on_and_repeats(images, tmp_path):
    """Every run is a result that repeats; what is there is kept; the table says seeds, intervals, tests and audits."""
    out, seen = tmp_path / "out", []
    models = ("svm-linear", "ststnet", "forest", "svm-linear-nested")
    rows = benchmark_recognition(
        images, out, FEW, models=models, seeds=2, workers=Workers(), step=lambda task, done, n: seen.append((done, n))
    )

    assert seen[-1] == (6, 6)
    assert {row.model: row.seeds for row in rows} == {"svm-linear": 1, "ststnet": 2, "forest": 2, "svm-linear-nested": 1}
    assert rows[0].score("UF1").mean >= rows[-1].score("UF1").mean
    assert all(row.audit.startswith("no leak found") for row in rows)
    svm = next(row for row in rows if row.model == "svm-linear")
    assert svm.score("UF1").mean > 0.9
    assert not svm.against
    assert svm.score("UF1", "one").group == "one"
    other = next(row for row in rows if row.model == "ststnet")
    assert other.against["p_holm"] >= other.against["p"]
    assert other.score("UF1").sd >= 0
    assert not other.published  # not the composite
    stamps = {p: p.stat().st_mtime_ns for p in out.glob("*.result.json")}
    assert len(stamps) == 6
    benchmark_recognition(images, out, FEW, models=models, seeds=2, workers=Workers())
    assert {p: p.stat().st_mtime_ns for p in out.glob("*.result.json")} == stamps
    content = json.loads((out / "recognition.json").read_text())
    assert content["table"]["simulated"] is True
    assert [r["model"] for r in content["rows"]] == [row.model for row in rows]
    for name in ("ststnet-loso-seed1", "svm-linear-loso-seed0"):
        stored = load_result(out / f"{name}.result.json")
        assert differences(stored, rerun(stored, out / stored.dataset["folder"], workers=Workers())) == ""


def test_the_table_of_what_is_ready(images, tmp_path):
    """Nothing is run: models have as many seeds as the folder holds, those without any are not in the table."""
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="got none that is ready"):
        benchmark_recognition(images, out, FEW, models=("svm-linear",), ready=True, workers=Workers())
    benchmark_recognition(images, out, FEW, models=("svm-linear", "svm-rbf"), workers=Workers())
    rows = benchmark_recognition(
        images, out, FEW, models=("svm-linear", "svm-rbf", "ststnet"), ready=True, workers=Workers()
    )
    assert {row.model: row.seeds for row in rows} == {"svm-linear": 1, "svm-rbf": 1}
    assert len(list(out.glob("*.result.json"))) == 2


def test_runs_come_back_from_the_table_alone(images, tmp_path):
    """Whoever has the table and recognition.json has every run, and adds seeds without repeating what was done."""
    first, again, other = tmp_path / "first", tmp_path / "again", tmp_path / "other"
    models = ("svm-linear", "forest")
    rows = benchmark_recognition(images, first, FEW, models=models, seeds=2, workers=Workers())
    for folder in (again, other):
        folder.mkdir()
        shutil.copy(first / "recognition.json", folder)

    assert benchmark_recognition(images, again, FEW, models=models, ready=True, workers=Workers()) == rows
    made, kept = (load_result(f / "forest-loso-seed1.result.json") for f in (again, first))
    assert all(made.predictions[c] == kept.predictions[c] for c in ("trial", "subject", "truth", "pred", "fold", "stratum"))
    assert made.scores == tuple(s for s in kept.scores if s.name in {m.name for m in made.scores})
    unlike = FEW.model_copy(update={"seed": 1})
    with pytest.raises(ConfigError, match="got none that is ready"):
        benchmark_recognition(images, other, unlike, models=models, ready=True, workers=Workers())


def test_seeds_and_comparison(images, tmp_path):
    """The score of seeds is their mean; models are compared on the same rows, one seed against many."""
    benchmark_recognition(images, tmp_path / "out", FEW, models=("svm-linear", "forest"), seeds=2, workers=Workers())
    one, *many = (
        load_result(tmp_path / "out" / f"{n}-loso-seed{k}.result.json")
        for n, k in (("svm-linear", 0), ("forest", 0), ("forest", 1))
    )
    uf1, *_ = over_seeds(many, n_draws=100)

    assert uf1.by_seed == tuple(r.score("UF1").value for r in many)
    assert uf1.mean == pytest.approx(np.mean(uf1.by_seed))
    assert uf1.sd == pytest.approx(np.std(uf1.by_seed, ddof=1))
    assert compare([one], many, n_draws=100).value == pytest.approx(one.score("UF1").value - uf1.mean)
    assert compare(many, many, n_draws=100).p == 1.0
    with pytest.raises(DataError, match="expected as many seeds, or one, got 3 and 2"):
        compare([*many, one], many)
    with pytest.raises(DataError, match="expected at least one result, got none"):
        over_seeds([])


def test_what_cannot_be_benchmarked(images, tmp_path):
    """A model of another input, no seed, and a failing model are sentences; the other models are kept."""
    with pytest.raises(ConfigError, match="model 'cnn-3d' takes clip, expected one that takes flow-image"):
        benchmark_recognition(images, tmp_path / "out", FEW, models=("cnn-3d",), workers=Workers())
    with pytest.raises(ConfigError, match="expected at least 1 seed, got 0"):
        benchmark_recognition(images, tmp_path / "out", FEW, seeds=0, workers=Workers())
    lovo = load_config({**FEW.model_dump(), "recognition": {"protocol": "lovo"}})
    with pytest.raises(
        ProtocolError, match=r"benchmark \(1 of 1 runs failed\): lda, seed 0: LOVO needs at least 2 stimuli, got 1"
    ):
        benchmark_recognition(images, tmp_path / "out", lovo, models=("lda",), workers=Workers())
    assert {"svm-linear", "ststnet"} <= set(default_models("flow-image"))
    assert set(default_models("columns")) == set(default_models("nothing"))


def test_published_figures_say_how():
    """Every printed figure has its source and how it was obtained."""
    known = published()

    assert known["ststnet"]["uar"] == 0.7605
    assert "precision" in known["ststnet"]["how"]
    assert all({"how", "source"} <= set(row) for row in known.values())

"""Stored models: what is read back predicts what was fitted, and anything else is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier

from mmme.errors import ConfigError, DataError
from mmme.models.classical import MODELS, make_model, probabilities
from mmme.models.stored import load_model, save_model


def rows(n_classes: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.str_], NDArray[np.str_]]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(60, 8)).astype(np.float32)  # as tables hold them
    y = np.arange(60) % n_classes
    X[:, 0] += y
    X[rng.random(X.shape) < 0.05] = np.nan
    X[:, 7] = np.nan
    return X, np.array(["neg", "pos", "sur"])[y], np.repeat([f"S{i}" for i in range(6)], 10)


@pytest.mark.filterwarnings("ignore:Skipping features without")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_name_predicts_the_same_from_its_files(name: str, n_classes: int, tmp_path: Path) -> None:
    """Probabilities equal the fitted model's to 1e-9 and classes exactly, missing values and an empty column too."""
    X, y, who = rows(n_classes)
    model = make_model(name, {"n_estimators": 5} if name == "forest" else None, random_state=0)
    fitted = model.fit(X, y, groups=who) if name.endswith("nested") else model.fit(X, y)
    stored, about = load_model(save_model(tmp_path / "m", fitted, {"n_subjects": 6}))
    new = rows(n_classes, seed=1)[0]
    np.testing.assert_allclose(stored.predict_proba(new), probabilities(fitted, new), rtol=0, atol=1e-9)
    assert stored.predict(new).tolist() == fitted.predict(new).tolist()
    assert about == {"n_subjects": 6}


def test_what_cannot_be_stored_or_read_is_refused(tmp_path: Path) -> None:
    """Foreign models, existing folders, newer, truncated and absent files: one sentence each, and nothing is left over."""
    X, y, _ = rows(2)
    with pytest.raises(ConfigError, match="expected a classical model that can be stored"):
        save_model(tmp_path / "dummy", DummyClassifier().fit(X, y))
    fitted = make_model("ridge").fit(X, y)
    folder = save_model(tmp_path / "m", fitted)
    with pytest.raises(ConfigError, match="expected a folder that does not exist"):
        save_model(folder, fitted)
    save_model(folder, fitted, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    with pytest.raises(DataError, match="expected 8 columns, got shape"):
        load_model(folder)[0].predict(X[:, :3])
    head = json.loads((folder / "model.json").read_text())
    for change, sentence in (({"version": 2}, "expected version 1, got 2"), ({"format": "x"}, "the file is foreign")):
        (folder / "model.json").write_text(json.dumps({**head, **change}))
        with pytest.raises(DataError, match=sentence):
            load_model(folder)
    (folder / "model.json").write_text(json.dumps(head))
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="expected model.json and model.safetensors, got SafetensorError"):
        load_model(folder)
    with pytest.raises(DataError, match="got FileNotFoundError"):
        load_model(tmp_path / "absent")

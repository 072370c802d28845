"""The model of the benchmarks, a request with two rows, and the right answer to it."""

import json
import pathlib
import sys

import joblib
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

folder = pathlib.Path(sys.argv[1])
features, progression = load_diabetes(return_X_y=True)
model = Ridge(alpha=0.03).fit(features[:-50], progression[:-50])
rows = features[-2:]
joblib.dump(model, folder / "sklearn_regression_model.pkl")
sample = {"rows": rows.tolist(), "predictions": model.predict(rows).tolist()}
(folder / "sample.json").write_text(json.dumps(sample))

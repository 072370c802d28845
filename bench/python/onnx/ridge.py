"""The ridge regression of train.py as an ONNX model, a request with two rows, and the right answer to it."""

import json
import pathlib
import sys

from skl2onnx import to_onnx
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

folder = pathlib.Path(sys.argv[1])
features, progression = load_diabetes(return_X_y=True)
features = features.astype("float32")
model = Ridge(alpha=0.03).fit(features[:-50], progression[:-50])
rows = features[-2:]
graph = to_onnx(model, rows[:1], target_opset=17)
(folder / "ridge.onnx").write_bytes(graph.SerializeToString())
sample = {"rows": rows.tolist(), "predictions": model.predict(rows).tolist()}
(folder / "sample.json").write_text(json.dumps(sample))

"""Writes iris.onnx: a logistic regression of four measures of a flower, without any training code around it.

Needs: pip install scikit-learn skl2onnx
"""

from pathlib import Path

from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

measures, species = load_iris(return_X_y=True)
measures = measures.astype("float32")
model = LogisticRegression(max_iter=500).fit(measures, species)
# Without "zipmap" the probabilities are a plain tensor, which every runtime can return.
graph = to_onnx(model, measures[:1], options={"zipmap": False}, target_opset=17)
path = Path(__file__).with_name("iris.onnx")
path.write_bytes(graph.SerializeToString())
print(f"{path.name}: {path.stat().st_size} bytes, {model.score(measures, species):.1%} right")

"""Trains two classifiers for 8x8 pictures of digits: a weak one and a better one.

Writes into the folder given as argument (default: this folder):
  digits-1.pkl   a decision tree of depth 6, right for about 3 digits out of 4
  digits-2.pkl   a support vector machine, right for about 99 of 100
  sample.json    a digit that neither has seen, as a request body; the first model is wrong about it
"""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
folder.mkdir(parents=True, exist_ok=True)

pictures, digits = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(pictures, digits, test_size=0.25, random_state=7)

weak = DecisionTreeClassifier(max_depth=6, random_state=7).fit(train_x, train_y)
better = SVC(gamma=0.001, probability=True, random_state=7).fit(train_x, train_y)

for name, model in {"digits-1.pkl": weak, "digits-2.pkl": better}.items():
    joblib.dump(model, folder / name)
    print(f"{name}: {model.score(test_x, test_y):.1%} of {len(test_y)} unseen digits are right")

# Of the digits that only the better one recognises: the one it is surest about.
improved = (weak.predict(test_x) != test_y) & (better.predict(test_x) == test_y)
sample = (improved * better.predict_proba(test_x).max(axis=1)).argmax()
(folder / "sample.json").write_text(json.dumps({"data": [test_x[sample].tolist()], "label": int(test_y[sample])}))

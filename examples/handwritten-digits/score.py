import json
import os
from pathlib import Path

import joblib
import numpy as np


def init():
    global model
    path = next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.pkl"))
    model = joblib.load(path)
    print(f"Loaded {path.name}: {model}")


def run(raw_data):
    pictures = np.array(json.loads(raw_data)["data"], dtype=float)
    if pictures.ndim != 2 or pictures.shape[1] != 64:
        raise ValueError(f"data must be a list of pictures with 64 pixels each, not an array of shape {pictures.shape}")
    probabilities = model.predict_proba(pictures)
    return [
        {"digit": int(row.argmax()), "probabilities": [round(float(value), 4) for value in row]}
        for row in probabilities
    ]

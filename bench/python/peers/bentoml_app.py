"""The model in BentoML: one worker."""

import bentoml
import joblib
import numpy


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Ridge:
    def __init__(self):
        self.model = joblib.load("sklearn_regression_model.pkl")

    @bentoml.api
    def score(self, data: list[list[float]]) -> list[float]:
        return self.model.predict(numpy.array(data)).tolist()

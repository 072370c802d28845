"""The model in LitServe: one API server, one worker."""

import sys

import joblib
import litserve
import numpy


class RidgeAPI(litserve.LitAPI):
    def setup(self, device):
        self.model = joblib.load("sklearn_regression_model.pkl")

    def decode_request(self, request):
        return numpy.array(request["data"])

    def predict(self, rows):
        return self.model.predict(rows)

    def encode_response(self, predictions):
        return predictions.tolist()


if __name__ == "__main__":
    server = litserve.LitServer(RidgeAPI(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )

"""Asks a server about one image again and again, from a few threads, with the genuine client of the protocol asked for.

Usage: infer_load.py FORM ADDRESS SECONDS FOLDER MODEL, with KEY and CA_FILE in the environment for TLS. FORM is binary or
grpc (tritonclient over REST or gRPC), json (the same protocol, plain POST) or score (nested lists). Prints one line of JSON. The first answer must
be logits.npy.
"""

import http.client
import json
import os
import pathlib
import ssl
import sys
import threading
import time

import numpy
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

THREADS = 4
FORM, ADDRESS, SECONDS, FOLDER, MODEL = sys.argv[1:]
KEY, CA_FILE = os.environ.get("KEY"), os.environ.get("CA_FILE")
image = numpy.load(pathlib.Path(FOLDER) / "image.npy")
expected = numpy.load(pathlib.Path(FOLDER) / "logits.npy")
authorization = {} if KEY is None else {"authorization": f"Bearer {KEY}"}


def over_rest():
    options = {} if CA_FILE is None else {"ssl": True, "ssl_options": {"ca_certs": CA_FILE}}
    client = triton_http.InferenceServerClient(ADDRESS, network_timeout=300, **options)

    def ask():
        given = triton_http.InferInput("image", image.shape, "FP32")
        given.set_data_from_numpy(image)
        return client.infer(MODEL, [given], headers=authorization).as_numpy("logits")

    return ask


def over_grpc():
    # A gRPC path names no service: metadata does.
    host, _, service = ADDRESS.partition("/api/v1/service/")
    options = {} if CA_FILE is None else {"ssl": True, "root_certificates": CA_FILE}
    client = triton_grpc.InferenceServerClient(host, **options)
    given = triton_grpc.InferInput("image", image.shape, "FP32")

    def ask():
        given.set_data_from_numpy(image)
        return client.infer(MODEL, [given], headers={**authorization, "x-slipway-service": service}).as_numpy("logits")

    return ask


def as_json(path, body, values):
    """The body is made once: the client would be slower than the server."""
    host, _, base = ADDRESS.partition("/")
    if CA_FILE is None:
        connection = http.client.HTTPConnection(host)
    else:
        connection = http.client.HTTPSConnection(host, context=ssl.create_default_context(cafile=CA_FILE))
    url = f"/{base}/{path}" if base else f"/{path}"
    headers = {"content-type": "application/json", **authorization}

    def ask():
        connection.request("POST", url, body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(f"{response.status} {answer}")
        return numpy.array(values(answer)).reshape(expected.shape)

    return ask


def over_rest_json():
    given = {"name": "image", "shape": image.shape, "datatype": "FP32", "data": image.ravel().tolist()}
    body = json.dumps({"inputs": [given]})
    return as_json(f"v2/models/{MODEL}/infer", body, lambda answer: answer["outputs"][0]["data"])


def over_score():
    body = json.dumps({"data": image.tolist()})
    return as_json("score", body, lambda answer: answer["logits"] if isinstance(answer, dict) else answer)


OPEN = {"binary": over_rest, "json": over_rest_json, "grpc": over_grpc, "score": over_score}
latencies, failures = [], []
difference = numpy.abs(OPEN[FORM]()() - expected).max() / numpy.abs(expected).max()
if not difference < 1e-4:
    sys.exit(f"The answer differs from the one in process by {difference:.1e} of its largest value.")


def load(end):
    ask = OPEN[FORM]()
    while time.perf_counter() < end:
        began = time.perf_counter()
        try:
            ask()
            latencies.append((time.perf_counter() - began) * 1000)
        except Exception as error:
            failures.append(str(error))


began = time.perf_counter()
threads = [threading.Thread(target=load, args=(began + float(SECONDS),)) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
seconds = time.perf_counter() - began
if not latencies:
    sys.exit(failures[0])
p50, p99 = numpy.percentile(latencies, [50, 99])
print(json.dumps({"perSecond": len(latencies) / seconds, "failed": len(failures), "p50Ms": p50, "p99Ms": p99}))

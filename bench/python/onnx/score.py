"""The entry script for any ONNX model of one input: what the servers that have no ONNX of their own run."""

import json
import os
import pathlib

import numpy
import onnxruntime


def init():
    global session, name
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    (file,) = pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).glob("*.onnx")
    session = onnxruntime.InferenceSession(file, options)
    name = session.get_inputs()[0].name


def run(body):
    rows = numpy.array(json.loads(body)["data"], dtype=numpy.float32)
    return session.run(None, {name: rows})[0].ravel().tolist()

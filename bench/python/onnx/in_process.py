"""The limit without a server: the model in a loop on one thread. Prints runs per second."""

import pathlib
import sys
import time

import numpy
import onnxruntime

folder, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
image = numpy.load(folder / "image.npy")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(folder / "cnn.onnx", options)
session.run(["logits"], {"image": image})

count = 0
began = time.perf_counter()
end = began + seconds
while time.perf_counter() < end:
    session.run(["logits"], {"image": image})
    count += 1
print(count / (time.perf_counter() - began))

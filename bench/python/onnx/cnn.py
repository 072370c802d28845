"""A network of the size and shape of ResNet-50 with random weights (25.5 million), an image, and what ONNX Runtime says to it.

Writes cnn.onnx, image.npy, logits.npy and both once more as sample.json into the folder given.
"""

import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

BLOCKS = [(64, 3), (128, 4), (256, 6), (512, 3)]
CLASSES = 1000

random = numpy.random.default_rng(1)
nodes, weights = [], []


def weight(name, shape, scale):
    values = (random.standard_normal(shape) * scale).astype("float32")
    weights.append(numpy_helper.from_array(values, name))
    return name


def node(op, inputs, **attributes):
    output = f"{op}{len(nodes)}"
    nodes.append(helper.make_node(op, inputs, [output], **attributes))
    return output


def convolution(x, channels, width, kernel, stride=1, gain=2.0):
    """Batch normalisation is part of the weights, as it is in networks that are served."""
    fan_in = channels * kernel * kernel
    name = f"conv{len(nodes)}"
    filters = weight(f"{name}.w", (width, channels, kernel, kernel), (gain / fan_in) ** 0.5)
    bias = weight(f"{name}.b", (width,), 0.01)
    padding = [kernel // 2] * 4
    return node("Conv", [x, filters, bias], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=padding)


def bottleneck(x, channels, width, stride):
    shortcut = x
    if stride != 1 or channels != width * 4:
        shortcut = convolution(x, channels, width * 4, 1, stride, gain=1.0)
    y = node("Relu", [convolution(x, channels, width, 1)])
    y = node("Relu", [convolution(y, width, width, 3, stride)])
    # A small last step keeps sixteen sums from growing.
    y = convolution(y, width, width * 4, 1, gain=0.1)
    return node("Relu", [node("Add", [y, shortcut])])


def network():
    x = node("Relu", [convolution("image", 3, 64, 7, 2)])
    x = node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (width, count) in enumerate(BLOCKS):
        for block in range(count):
            x = bottleneck(x, channels, width, 2 if stage > 0 and block == 0 else 1)
            channels = width * 4
    x = node("Flatten", [node("GlobalAveragePool", [x])])
    matrix = weight("fc.w", (channels, CLASSES), channels**-0.5)
    nodes.append(helper.make_node("Gemm", [x, matrix, weight("fc.b", (CLASSES,), 0.01)], ["logits"]))


folder = pathlib.Path(sys.argv[1])
network()
graph = helper.make_graph(
    nodes,
    "cnn",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["rows", 3, 224, 224])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", CLASSES])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, folder / "cnn.onnx")

image = random.standard_normal((1, 3, 224, 224)).astype("float32")
logits = onnxruntime.InferenceSession(folder / "cnn.onnx").run(["logits"], {"image": image})[0]
numpy.save(folder / "image.npy", image)
numpy.save(folder / "logits.npy", logits)
(folder / "sample.json").write_text(json.dumps({"rows": image.tolist(), "predictions": logits.ravel().tolist()}))

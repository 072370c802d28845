"""An ONNX model in Triton's Python backend: the Triton that PyPI has comes without its ONNX backend."""

import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        folder = args["model_repository"]
        self.session = onnxruntime.InferenceSession(f"{folder}/{args['model_version']}/model.onnx", options)
        self.input = self.session.get_inputs()[0].name
        self.output = self.session.get_outputs()[0].name

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        rows = triton.get_input_tensor_by_name(request, self.input).as_numpy()
        (result,) = self.session.run([self.output], {self.input: rows})
        return triton.InferenceResponse([triton.Tensor(self.output, result)])

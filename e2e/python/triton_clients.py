"""The genuine tritonclient, HTTP and gRPC, against services that multiply rows with the same weights.

usage: triton_clients.py GATEWAY_HOST_AND_PORT CA_FILE (SERVICE KEY)...
"""
import sys

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

gateway, ca, *services = sys.argv[1:]
ROWS = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
# What the services compute: the rows times this.
WEIGHTS = np.array([[1, 0], [0, 1], [10, 100]], dtype=np.float32)
EXPECTED = ROWS @ WEIGHTS


def http_client(service):
    return triton_http.InferenceServerClient(
        "%s/api/v1/service/%s" % (gateway, service),
        ssl=True,
        ssl_options={"ca_certs": ca},
    )


def grpc_client():
    return triton_grpc.InferenceServerClient(gateway, ssl=True, root_certificates=ca)


def bearer(key):
    return {"Authorization": "Bearer " + key}


def metadata(service, key):
    return {"authorization": "Bearer " + key, "x-slipway-service": service}


def rows_of(module, binary=None):
    rows = module.InferInput("x", ROWS.shape, "FP32")
    rows.set_data_from_numpy(ROWS, **({} if binary is None else {"binary_data": binary}))
    return [rows]


def refused(call, *parts):
    try:
        call()
    except InferenceServerException as error:
        missing = [part for part in parts if part not in str(error)]
        assert not missing, "%s lacks %s" % (error, missing)
    else:
        raise AssertionError("it was accepted")


def over_http(service, key):
    client, headers = http_client(service), bearer(key)
    assert client.is_server_live(headers=headers)
    assert client.is_server_ready(headers=headers)
    server = client.get_server_metadata(headers=headers)
    assert server["name"] == "slipway" and "binary_tensor_data" in server["extensions"], server
    model = client.get_model_metadata(service, headers=headers)
    assert client.is_model_ready(model["name"], headers=headers)
    assert client.is_model_ready(model["name"], model["versions"][0], headers=headers)
    assert not client.is_model_ready("nobody", headers=headers)
    for binary_input in (True, False):
        for outputs in (
            None,
            [triton_http.InferRequestedOutput("y", binary_data=True)],
            [triton_http.InferRequestedOutput("y", binary_data=False)],
        ):
            inputs = rows_of(triton_http, binary_input)
            # Its own copy of the headers for each call: the client adds to them what is true of that call only.
            result = client.infer(model["name"], inputs, outputs=outputs, request_id="r-1", headers=dict(headers))
            np.testing.assert_allclose(result.as_numpy("y"), EXPECTED)
            assert result.get_response()["id"] == "r-1"
    refused(lambda: client.infer("nobody", rows_of(triton_http), headers=dict(headers)), "404", "nobody")
    wrong = [triton_http.InferRequestedOutput("z")]
    refused(lambda: client.infer(model["name"], rows_of(triton_http), outputs=wrong, headers=dict(headers)), "400", '"z"')
    refused(lambda: client.infer(model["name"], rows_of(triton_http), headers=bearer("wrong")), "401")
    client.close()


def over_grpc(service, key):
    client, headers = grpc_client(), metadata(service, key)
    assert client.is_server_live(headers=headers)
    assert client.is_server_ready(headers=headers)
    server = client.get_server_metadata(headers=headers)
    assert server.name == "slipway" and "binary_tensor_data" in server.extensions, server
    model = client.get_model_metadata(service, headers=headers)
    assert client.is_model_ready(model.name, headers=headers)
    result = client.infer(model.name, rows_of(triton_grpc), request_id="r-1", headers=headers)
    np.testing.assert_allclose(result.as_numpy("y"), EXPECTED)
    assert result.get_response().id == "r-1"
    large = np.ones((200_000, 3), dtype=np.float32)
    rows = triton_grpc.InferInput("x", large.shape, "FP32")
    rows.set_data_from_numpy(large)
    result = client.infer(model.name, [rows], headers=headers)
    np.testing.assert_allclose(result.as_numpy("y"), large @ WEIGHTS)
    refused(lambda: client.infer("nobody", rows_of(triton_grpc), headers=headers), "NOT_FOUND", "nobody")
    refused(lambda: client.get_model_config(model.name, headers=headers), "UNIMPLEMENTED")
    refused(
        lambda: client.infer(model.name, rows_of(triton_grpc), headers=metadata(service, "wrong")), "UNAUTHENTICATED"
    )
    client.close()


for name, secret in zip(services[::2], services[1::2]):
    over_http(name, secret)
    print("tritonclient.http agrees with", name)
    over_grpc(name, secret)
    print("tritonclient.grpc agrees with", name)

"""The genuine kserve clients, REST and gRPC, against services that multiply rows with the same weights. Not in one process with
tritonclient: both bring the same protobuf messages.

usage: kserve_clients.py GATEWAY_HOST_AND_PORT CA_FILE (SERVICE KEY)...
"""
import asyncio
import ssl
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

gateway, ca, *services = sys.argv[1:]
ROWS = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
# What the services compute: the rows times this.
EXPECTED = ROWS @ np.array([[1, 0], [0, 1], [10, 100]], dtype=np.float32)


def request_for(model, binary):
    rows = InferInput("x", list(ROWS.shape), "FP32")
    rows.set_data_from_numpy(ROWS, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[rows], request_id="k-1")


async def over_rest(service, key):
    client = InferenceRESTClient(RESTConfig(protocol="v2", verify=ssl.create_default_context(cafile=ca)))
    base, headers = "https://%s/api/v1/service/%s" % (gateway, service), {"authorization": "Bearer " + key}
    assert await client.is_server_live(base, headers=headers)
    assert await client.is_server_ready(base, headers=headers)
    assert await client.is_model_ready(base, service, headers=headers)
    for binary in (False, True):
        answer = await client.infer(base, request_for(service, binary), model_name=service, headers=dict(headers))
        np.testing.assert_allclose(answer.outputs[0].as_numpy(), EXPECTED)
        assert answer.id == "k-1"
    await client.close()


async def over_grpc(service, key):
    client = InferenceGRPCClient(gateway, use_ssl=True, root_certificates=ca)
    headers = [("authorization", "Bearer " + key), ("x-slipway-service", service)]
    assert await client.is_server_live(headers=headers)
    assert await client.is_server_ready(headers=headers)
    assert await client.is_model_ready(service, headers=headers)
    for binary in (False, True):
        answer = await client.infer(request_for(service, binary), headers=headers)
        np.testing.assert_allclose(answer.outputs[0].as_numpy(), EXPECTED)
        assert answer.id == "k-1"
    await client.close()


for name, secret in zip(services[::2], services[1::2]):
    asyncio.run(over_rest(name, secret))
    print("kserve over REST agrees with", name)
    asyncio.run(over_grpc(name, secret))
    print("kserve over gRPC agrees with", name)

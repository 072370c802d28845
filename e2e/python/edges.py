"""What stands between callers and a service: its own certificate, pages of other origins, limits."""
import pathlib
import socket
import ssl
import subprocess
from urllib.parse import urlsplit

import requests
from azureml.core import Workspace
from azureml.core.image import ContainerImage
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

NAME = "digits.example"


def certificate(stem):
    subprocess.run(["openssl", "req", "-x509", "-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME, "-keyout", stem + ".key", "-out", stem + ".pem"],
                   check=True, capture_output=True)


def presented(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("localhost", port)) as plain, context.wrap_socket(plain, server_hostname=NAME) as tls:
        return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True)).strip()


def text(path):
    return pathlib.Path(path).read_text().strip()


ws = Workspace.from_config()
pathlib.Path("one.txt").write_text("one")
pathlib.Path("env.yml").write_text("name: e\ndependencies:\n  - python=3.11\n")
pathlib.Path("score.py").write_text("def init():\n    pass\n\n\ndef run(data):\n    return len(data)\n")
certificate("first")
certificate("second")

model = Model.register(ws, model_path="one.txt", model_name="one")
image = ContainerImage.create(ws, "edges", [model], ContainerImage.image_configuration("score.py", "python", conda_file="env.yml"))
image.wait_for_creation()


def configuration(cert, key):
    return AciWebservice.deploy_configuration(
        cpu_cores=1, memory_gb=0.5, ssl_enabled=True, ssl_cert_pem_file=cert, ssl_key_pem_file=key, ssl_cname=NAME,
        properties={"slipway.cors": "https://page.example", "slipway.maxBodyBytes": "1000"})


try:
    Webservice.deploy_from_image(ws, "edges", image, configuration("first.pem", "second.key"))
    raise AssertionError("a key of another certificate was taken")
except WebserviceException as error:
    assert "key of another certificate" in str(error), error
print("ok: a wrong pair is refused")

service = Webservice.deploy_from_image(ws, "edges", image, configuration("first.pem", "first.key"))
service.wait_for_deployment()
assert service.state == "Healthy", service.get_logs()
address = urlsplit(service.scoring_uri)
assert address.hostname == NAME, service.scoring_uri
assert service.properties["slipway.certificateExpires"]
assert presented(address.port) == text("first.pem")
print("ok: own certificate")

service.update(ssl_enabled=True, ssl_cert_pem_file="second.pem", ssl_key_pem_file="second.key", ssl_cname=NAME)
service.wait_for_deployment()
assert presented(address.port) == text("second.pem")
print("ok: new certificate")

# The name is nobody's here: the same service answers under the gateway's own name as well.
url = "https://localhost:%d%s" % (address.port, address.path)
page = {"Origin": "https://page.example"}
preflight = requests.options(url, headers={**page, "Access-Control-Request-Method": "POST"})
assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, "https://page.example"), preflight
assert requests.post(url, data="[1]", headers=page).headers["Access-Control-Allow-Origin"] == "https://page.example"
assert requests.options(url, headers={"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}).status_code == 403
assert requests.post(url, data="x" * 1001).status_code == 413
print("ok: pages and limits")

service.update(ssl_enabled=False)
service.wait_for_deployment()
assert urlsplit(service.scoring_uri).hostname == "localhost", service.scoring_uri
assert presented(address.port) not in (text("first.pem"), text("second.pem"))
assert service.run("[1]") == 3
print("ok: certificate switched off")
service.delete()

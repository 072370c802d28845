"""Failures name their cause where the old client prints it: error details and get_logs (promise 2 of the design)."""
import contextlib
import io
import pathlib
import time

from azureml.core import Workspace
from azureml.core.image import ContainerImage
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
pathlib.Path("m.txt").write_text("m")
model = Model.register(ws, model_path="m.txt", model_name="m")
small = AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=0.5)
PLAIN = "dependencies:\n  - python=3.11\n"


def build(name, script, conda=PLAIN):
    pathlib.Path("score.py").write_text(script)
    pathlib.Path("env.yml").write_text(conda)
    configuration = ContainerImage.image_configuration(execution_script="score.py", runtime="python", conda_file="env.yml")
    return ContainerImage.create(ws, name, [model], configuration)


def printed(act):
    """What the client prints and raises: all that a user sees."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            act()
        except WebserviceException as error:
            return out.getvalue() + str(error)
    raise AssertionError("it did not fail:\n" + out.getvalue())


def logs_with(service, *expected):
    """The lines of a request may come after its answer."""
    deadline = time.monotonic() + 60
    while True:
        logs = service.get_logs()
        if all(text in logs for text in expected):
            return logs
        assert time.monotonic() < deadline, "%r are not in the logs:\n%s" % (expected, logs)
        time.sleep(0.1)


def deploy_fails(name, image, *expected):
    service = Webservice.deploy_from_image(ws, name, image, small)
    seen = printed(lambda: service.wait_for_deployment(show_output=True))
    for text in expected:
        assert text in seen, "%r is not in:\n%s" % (text, seen)
    logs = Webservice(ws, name).get_logs()
    assert expected[0] in logs, "%r is not in the logs:\n%s" % (expected[0], logs)
    assert Webservice(ws, name).state in ("Failed", "Unhealthy")
    service.delete()


image = build("import-error", "import not_there_at_all\n\ndef init():\n    pass\n\ndef run(data):\n    return 1\n")
image.wait_for_creation()
deploy_fails("import-error", image, "not_there_at_all", "score.py", "conda")
print("ok: import error")

image = build("init-error", "def helper():\n    raise ValueError('the weights are damaged')\n\ndef init():\n    helper()\n\ndef run(data):\n    return 1\n")
image.wait_for_creation()
deploy_fails("init-error", image, "the weights are damaged", "score.py", "2")
print("ok: exception in init()")

image = build("hog", "def init():\n    global x\n    x = bytearray(900 * 1024 * 1024)\n    for i in range(0, len(x), 4096): x[i] = 1\n\ndef run(data):\n    return 1\n")
image.wait_for_creation()
deploy_fails("hog", image, "memory")
print("ok: out of memory")

started = time.monotonic()
image = build("conflict", "def run(data):\n    return 1\n", "dependencies:\n  - python=3.11\n  - pip:\n    - numpy==1.26.4\n    - numpy==2.0.0\n")
seen = printed(lambda: image.wait_for_creation(show_output=True))
assert "numpy" in seen and "1.26.4" in seen, seen
assert time.monotonic() - started < 120, "a conflict must be found in seconds"
print("ok: impossible requirement")

image = build("no-yaml", "def run(data):\n    return 1\n", "dependencies: [python=3.11\n  - : }{")
seen = printed(lambda: image.wait_for_creation(show_output=True))
assert "YAML" in seen, seen
print("ok: a conda file that is not YAML")

image = build("run-error", "import json\n\ndef run(data):\n    print('run() is called')\n    return json.loads(data)['x'] / 0\n")
image.wait_for_creation()
service = Webservice.deploy_from_image(ws, "run-error", image, small)
service.wait_for_deployment()
seen = printed(lambda: service.run('{"x": 1}'))
assert "ZeroDivisionError" in seen and "score.py" in seen, seen
logs = logs_with(service, "ZeroDivisionError", "run() is called")
assert logs.count("run() is called") == 1, "the client repeated a request that failed in run():\n" + logs
print("ok: exception in run()")

bad = build("run-error", "raise RuntimeError('never starts')\n")
bad.wait_for_creation()
service.update(image=bad)
seen = printed(lambda: service.wait_for_deployment(show_output=True))
assert "never starts" in seen, seen
again = Webservice(ws, "run-error")
assert again.state == "Healthy" and again.image_id == "run-error:1", (again.state, again.image_id)
assert "never starts" in again.get_logs() and "never starts" in str(again.error), (again.error, again.get_logs())
assert "ZeroDivisionError" in printed(lambda: service.run('{"x": 1}'))
service.delete()
print("ok: after a failed update the last good version serves")

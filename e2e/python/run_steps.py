"""RUN in Docker steps, done by the machine's container engine; the service runs in a container of it."""
import contextlib
import io
import json
import pathlib

import requests
from azureml.core import Environment, Workspace
from azureml.core.image import ContainerImage
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
pathlib.Path("m.txt").write_text("m")
pathlib.Path("word.txt").write_text("copied\n")
pathlib.Path("env.yml").write_text("dependencies:\n  - python=3.11\n")
pathlib.Path("score.py").write_text("""import json, os

def init():
    import installed
    assert installed.WORD == "by a step"

def run(data):
    return {"made": open("/srv/made.txt").read(), "deleted": not os.path.exists("/etc/timezone"), "user": os.getuid()}
""")
model = Model.register(ws, model_path="m.txt", model_name="m")
small = AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=0.5)
PYTHON = "import os, sysconfig; os.remove('/etc/timezone'); place = sysconfig.get_path('purelib'); " \
    "os.makedirs(place, exist_ok=True); open(place + '/installed.py', 'w').write('WORD = %r' % 'by a step')"
STEPS = """ENV GREETING=hello
WORKDIR /srv
COPY word.txt /srv/
RUN read word < word.txt; \\
    echo "$GREETING $word" > made.txt; echo "printed by the step"
RUN %s
""" % json.dumps(["python3", "-c", PYTHON])


def build(name, steps):
    pathlib.Path("steps").write_text(steps)
    configuration = ContainerImage.image_configuration(
        execution_script="score.py", runtime="python", conda_file="env.yml", dependencies=["word.txt"], docker_file="steps")
    image = ContainerImage.create(ws, name, [model], configuration)
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            image.wait_for_creation(show_output=True)
    except WebserviceException as error:
        out.write(str(error))
    return image, out.getvalue(), requests.get(image.image_build_log_uri).text


image, printed, log = build("with-run", STEPS)
assert image.creation_state == "Succeeded", printed
assert "  printed by the step" in log, log
service = Webservice.deploy_from_image(ws, "with-run", image, small)
service.wait_for_deployment(show_output=True)
answer = service.run("{}")
assert answer["made"] == "hello copied\n" and answer["deleted"] and answer["user"] != 0, answer
service.delete()
print("ok: RUN steps are there in the container")

image, printed, log = build("with-run", STEPS)
assert image.creation_state == "Succeeded" and "  printed by the step" not in log, log
print("ok: the same steps are not run again")

image, printed, log = build("failing", "ENV A=1\nRUN echo last words; exit 3\n")
assert image.creation_state == "Failed", printed
for expected in ("line 2", "exit code 3", "last words"):
    assert expected in printed, printed
print("ok: a step that fails says its line, exit code and last words")

environment = Environment("stepped")
environment.docker.base_image = None
environment.docker.base_dockerfile = STEPS.replace("COPY word.txt /srv/\n", "RUN echo copied > word.txt\n")
environment.python.conda_dependencies.set_python_version("3.11")
for package in list(environment.python.conda_dependencies.pip_packages):
    environment.python.conda_dependencies.remove_pip_package(package)
service = Model.deploy(ws, "stepped", [model], InferenceConfig(entry_script="score.py", environment=environment), small)
service.wait_for_deployment(show_output=True)
assert service.run("{}")["made"] == "hello copied\n", service.run("{}")
service.delete()
print("ok: RUN in base_dockerfile of an Environment")

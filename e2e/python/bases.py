"""Own base images of a private registry, with its login, and Docker steps. Arguments: registry, user name, password."""
import json
import pathlib
import sys

from azureml.core import Environment, Workspace
from azureml.core.container_registry import ContainerRegistry
from azureml.core.image import ContainerImage, Image
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

address, username, password = sys.argv[1:]
ws = Workspace.from_config()
pathlib.Path("m.txt").write_text("m")
pathlib.Path("word.txt").write_text("copied")
pathlib.Path("env.yml").write_text("dependencies:\n  - python=3.11\n")
pathlib.Path("score.py").write_text("import os\n\ndef init():\n    pass\n\ndef run(data):\n    return os.environ.get('WORD')\n")
model = Model.register(ws, model_path="m.txt", model_name="m")
registry = ContainerRegistry()
registry.address, registry.username, registry.password = address, username, password
small = AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=0.5)


def build(name, steps, **more):
    pathlib.Path("steps").write_text(steps)
    configuration = ContainerImage.image_configuration(
        execution_script="score.py", runtime="python", conda_file="env.yml", dependencies=["word.txt"], docker_file="steps", **more)
    return ContainerImage.create(ws, name, [model], configuration)


image = build("own-base", "# what the service needs\nENV WORD=from-a-step\nCOPY word.txt /srv/\n",
              base_image="team/base:1", base_image_registry=registry)
image.wait_for_creation(show_output=True)
assert image.creation_state == "Succeeded", image.creation_state
properties = Image(ws, "own-base").serialize()["properties"]
assert properties["slipway.base"].startswith(address + "/team/base:1@sha256:"), properties
assert password not in json.dumps(Image(ws, "own-base").serialize())
service = Webservice.deploy_from_image(ws, "own-base", image, small)
service.wait_for_deployment(show_output=True)
assert service.run("{}") == "from-a-step", service.run("{}")
service.delete()
print("ok: base of a private registry, Docker steps")

try:
    build("with-run", "ENV A=1\nRUN apt-get install -y libgl1\n")
except WebserviceException as error:
    assert "line 2" in str(error) and "apt-get install -y libgl1" in str(error), error
else:
    raise AssertionError("RUN was not refused")
print("ok: RUN is refused with its line")

environment = Environment("own")
environment.docker.base_image = None
environment.docker.base_dockerfile = "FROM %s/team/base:1\nENV WORD=from-a-dockerfile\n" % address
environment.docker.base_image_registry = registry
environment.python.conda_dependencies.set_python_version("3.11")
for package in list(environment.python.conda_dependencies.pip_packages):
    environment.python.conda_dependencies.remove_pip_package(package)
service = Model.deploy(ws, "own-dockerfile", [model], InferenceConfig(entry_script="score.py", environment=environment), small)
service.wait_for_deployment(show_output=True)
assert service.run("{}") == "from-a-dockerfile", service.run("{}")
assert password not in json.dumps(service.serialize())
service.delete()
print("ok: base_dockerfile of an Environment")

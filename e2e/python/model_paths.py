"""Where score.py finds its models, and the later way to deploy: wire contract 13.1."""
import json
import pathlib

import requests
from azureml.core import Environment, Workspace
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.image import ContainerImage
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AciWebservice, Webservice

ws = Workspace.from_config()
pathlib.Path("first.txt").write_text("first")
pathlib.Path("tree/deep").mkdir(parents=True, exist_ok=True)
pathlib.Path("tree/deep/leaf.txt").write_text("leaf")
pathlib.Path("tree/top.txt").write_text("top")
first = Model.register(ws, model_path="first.txt", model_name="first")
tree = Model.register(ws, model_path="tree", model_name="tree")
small = AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=1)

pathlib.Path("env.yml").write_text("dependencies:\n  - python=3.11\n")
pathlib.Path("score.py").write_text('''
import os
from azureml.core.model import Model

def init():
    global answer
    tree = Model.get_model_path("tree")
    answer = {
        "first": open(Model.get_model_path("first")).read(),
        "leaf": open(os.path.join(tree, "deep", "leaf.txt")).read(),
        "folder": os.path.relpath(os.environ["AZUREML_MODEL_DIR"], os.environ["AML_APP_ROOT"]),
    }

def run(data):
    return dict(answer, kind=type(data).__name__, size=len(data))
''')
configuration = ContainerImage.image_configuration(execution_script="score.py", runtime="python", conda_file="env.yml")
image = ContainerImage.create(ws, "paths", [first, tree], configuration)
image.wait_for_creation()
log = requests.get(image.image_build_log_uri).text
assert "azureml-core" in log and "score.py" in log, log
service = Webservice.deploy_from_image(ws, "paths", image, small)
service.wait_for_deployment()
answer = service.run("hello")
assert answer["first"] == "first" and answer["leaf"] == "leaf" and answer["folder"] == "azureml-models", answer
assert answer["kind"] == "str" and answer["size"] == 5, answer
service.delete()
print("ok: Model.get_model_path for several models; azureml-core was added because score.py imports it")

source = pathlib.Path("src")
(source / "parts").mkdir(parents=True, exist_ok=True)
(source / "parts" / "__init__.py").write_text("def twice(x):\n    return 2 * x\n")
(source / "score.py").write_text('''
import json, os
from parts import twice

def init():
    global model
    model = open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "first.txt")).read()

def run(raw_data):
    return {"twice": twice(json.loads(raw_data)["x"]), "model": model, "mode": os.environ.get("MODE")}
''')
environment = Environment("later")
environment.python.conda_dependencies = CondaDependencies.create(python_version="3.11", pip_packages=["six==1.16.0"])
environment.environment_variables["MODE"] = "later"
inference = InferenceConfig(entry_script="score.py", source_directory="src", environment=environment)
service = Model.deploy(ws, "later-way", [first], inference, small)
service.wait_for_deployment(show_output=True)
assert service.state == "Healthy", service.get_logs()
answer = service.run(json.dumps({"x": 21}))
assert answer == {"twice": 42, "model": "first", "mode": "later"}, answer
(source / "parts" / "__init__.py").write_text("def twice(x):\n    return 'changed'\n")
service.update(inference_config=inference, models=[first])
service.wait_for_deployment()
assert service.run(json.dumps({"x": 21}))["twice"] == "changed"
again = Webservice(ws, "later-way")
assert [model.id for model in again.models] == ["first:1"] and again.environment.name == "later", (again.models, again.environment)
service.delete()
print("ok: Model.deploy with InferenceConfig and Environment")

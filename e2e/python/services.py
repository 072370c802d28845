"""One image, several services; configuration, keys, updates, filters, logs, delete: wire contract sections 7 to 10."""
import json
import pathlib

import requests
from azureml.core import Workspace
from azureml.core.image import ContainerImage, Image
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
pathlib.Path("one.txt").write_text("one")
pathlib.Path("two.txt").write_text("two")
pathlib.Path("helper.py").write_text("def shout(text):\n    return text.upper()\n")
pathlib.Path("pack").mkdir(exist_ok=True)
pathlib.Path("pack/__init__.py").write_text("NAME = 'pack'\n")
pathlib.Path("env.yml").write_text("name: e\ndependencies:\n  - python=3.11\n")
pathlib.Path("score.py").write_text('''
import json, os
import helper
from pack import NAME

def init():
    global texts
    root = os.environ["AZUREML_MODEL_DIR"]
    texts = []
    for folder, _, files in sorted(os.walk(root)):
        texts += [open(os.path.join(folder, name)).read() for name in sorted(files)]
    print("init done")

def run(data, request_headers):
    given = json.loads(data)
    return {"texts": texts, "shout": helper.shout(given["say"]), "pack": NAME, "version": VERSION,
            "agent": request_headers.get("X-Agent") or request_headers.get("x-agent")}

VERSION = 1
''')

models = [Model.register(ws, model_path=name, model_name=name[:3]) for name in ("one.txt", "two.txt")]
configuration = ContainerImage.image_configuration(execution_script="score.py", runtime="python", conda_file="env.yml",
                                                   dependencies=["helper.py", "pack"], tags={"t": "1"}, description="an image")
image = ContainerImage.create(ws, "story", models, configuration)
image.wait_for_creation(show_output=True)
assert image.creation_state == "Succeeded" and image.id == "story:1", (image.creation_state, image.id)
assert requests.get(image.image_build_log_uri).text.strip() != ""
assert "FROM" in requests.get(image.generated_dockerfile_uri).text
assert [item.id for item in Image.list(ws)] == ["story:1"]
assert [item.id for item in ContainerImage.list(ws, tags=["t"])] == ["story:1"]
assert ContainerImage.list(ws, image_name="other") == []
print("ok: image")

plain = AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=1, tags={"kind": "plain"}, description="plain one")
keyed = AciWebservice.deploy_configuration(cpu_cores=0.5, memory_gb=0.5, auth_enabled=True, tags={"kind": "keyed"})
open_service = Webservice.deploy_from_image(ws, "plain-svc", image, plain)
open_service.wait_for_deployment(show_output=True)
assert open_service.state == "Healthy", (open_service.state, open_service.get_logs())
key_service = Webservice.deploy_from_image(ws, "keyed-svc", image, keyed)
key_service.wait_for_deployment(show_output=False)
assert key_service.state == "Healthy"
answer = open_service.run(json.dumps({"say": "hello"}))
assert answer["texts"] == ["one", "two"] and answer["shout"] == "HELLO" and answer["pack"] == "pack", answer
assert "init done" in open_service.get_logs()
assert open_service.scoring_uri.endswith("/api/v1/service/plain-svc/score")
assert requests.get(open_service.swagger_uri).json()["swagger"] == "2.0"
print("ok: deployed twice from one image:", open_service.scoring_uri)

header = lambda key: {"Authorization": "Bearer " + key, "Content-Type": "application/json", "X-Agent": "me"}
score = lambda key: requests.post(key_service.scoring_uri, data='{"say": "x"}', headers=header(key))
primary, secondary = key_service.get_keys()
assert score(primary).status_code == 200 and score(secondary).status_code == 200
assert score(primary).json()["agent"] == "me"
assert score("wrong").status_code == 401
assert requests.post(key_service.scoring_uri, data="{}").status_code == 401
key_service.regen_key("Primary")
fresh, _ = key_service.get_keys()
assert fresh != primary and score(fresh).status_code == 200 and score(primary).status_code == 401 and score(secondary).status_code == 200
key_service.regen_key("Secondary", set_key="chosen-by-the-user-0123456789")
assert score("chosen-by-the-user-0123456789").status_code == 200
assert key_service.run('{"say": "by key"}')["shout"] == "BY KEY"
print("ok: keys")

names = lambda **filters: sorted(service.name for service in Webservice.list(ws, **filters))
assert names() == ["keyed-svc", "plain-svc"], names()
assert names(compute_type="ACI") == ["keyed-svc", "plain-svc"] and names(compute_type="AKS") == []
assert names(image_name="story") == ["keyed-svc", "plain-svc"] and names(image_id="story:2") == []
assert names(model_id="one:1") == ["keyed-svc", "plain-svc"] and names(model_name="none") == []
assert names(tags=[["kind", "plain"]]) == ["plain-svc"]
print("ok: filters")

for taken, act in (("model", models[0].delete), ("image", image.delete)):
    try:
        act()
    except Exception as error:
        print("ok: %s in use is not deleted (%s)" % (taken, type(error).__name__))
    else:
        raise AssertionError("a %s in use was deleted" % taken)

try:
    Webservice.deploy_from_image(ws, "plain-svc", image, plain)
except WebserviceException as error:
    print("ok: name in use:", str(error).splitlines()[0][:160])
else:
    raise AssertionError("a name in use was given again")

too_much = AciWebservice.deploy_configuration(cpu_cores=1, memory_gb=4000)
try:
    Webservice.deploy_from_image(ws, "too-much", image, too_much)
except WebserviceException as error:
    assert "memory" in str(error).lower() and "free" in str(error).lower(), error
    print("ok: too much memory:", [line for line in str(error).splitlines() if "memory" in line.lower()][0][:200])
else:
    raise AssertionError("4000 GB were accepted")

text = pathlib.Path("score.py").read_text()
pathlib.Path("score.py").write_text(text.replace("VERSION = 1", "VERSION = 2"))
configuration = ContainerImage.image_configuration(execution_script="score.py", runtime="python", conda_file="env.yml",
                                                   dependencies=["helper.py", "pack"])
second = ContainerImage.create(ws, "story", models, configuration)
second.wait_for_creation()
assert second.id == "story:2" and open_service.run('{"say": "a"}')["version"] == 1
open_service.update(image=second, tags={"kind": "updated"}, description="changed")
open_service.wait_for_deployment()
assert open_service.run('{"say": "a"}')["version"] == 2
again = Webservice(ws, "plain-svc")
assert again.tags == {"kind": "updated"} and again.description == "changed" and again.image_id == "story:2"
assert key_service.run('{"say": "a"}')["version"] == 1
open_service.update(auth_enabled=True)
open_service.wait_for_deployment()
assert requests.post(open_service.scoring_uri, data='{"say": "a"}').status_code == 401
assert Webservice(ws, "plain-svc").run('{"say": "a"}')["version"] == 2
replaced = Webservice.deploy_from_image(ws, "plain-svc", image, plain, overwrite=True)
replaced.wait_for_deployment()
assert replaced.run('{"say": "a"}')["version"] == 1
print("ok: update and overwrite")

for service in Webservice.list(ws):
    service.delete()
assert Webservice.list(ws) == []
third = Webservice.deploy_from_model(ws, "plain-svc", models, configuration, plain)
third.wait_for_deployment()
assert third.run('{"say": "a"}')["version"] == 2
third.delete()
fourth = Webservice.deploy(ws, "from-paths", ["one.txt"], configuration, plain)
fourth.wait_for_deployment()
assert fourth.run('{"say": "a"}')["texts"] == ["one"]
fourth.delete()
for item in Image.list(ws):
    item.delete()
models[0].delete()
print("ok: the three ways, and everything deleted")

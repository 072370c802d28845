"""Model.register, list, get, download, update, delete: the genuine client, wire contract section 6."""
import filecmp
import os
import pathlib

from azureml.core import Workspace
from azureml.core.model import Model
from azureml.exceptions import WebserviceException

ws = Workspace.from_config()
pathlib.Path("weights.bin").write_bytes(os.urandom(300_000))
pathlib.Path("folder/sub").mkdir(parents=True, exist_ok=True)
pathlib.Path("folder/a.txt").write_text("a")
pathlib.Path("folder/sub/grüße b.txt").write_text("b")

first = Model.register(ws, model_path="weights.bin", model_name="weights", tags={"area": "diabetes", "kind": "ridge"},
                       properties={"p": "1"}, description="first")
second = Model.register(ws, model_path="weights.bin", model_name="weights", tags={"area": "mnist"})
assert (first.id, second.id) == ("weights:1", "weights:2"), (first.id, second.id)
assert first.description == "first" and first.tags == {"area": "diabetes", "kind": "ridge"} and first.properties == {"p": "1"}
tree = Model.register(ws, model_path="folder", model_name="tree")
print("ok: versions count up")

ids = lambda models: sorted(model.id for model in models)
assert ids(Model.list(ws)) == ["tree:1", "weights:1", "weights:2"], ids(Model.list(ws))
assert ids(Model.list(ws, name="weights")) == ["weights:1", "weights:2"]
assert ids(Model.list(ws, name="weights", latest=True)) == ["weights:2"]
assert ids(Model.list(ws, tags=["area"])) == ["weights:1", "weights:2"]
assert ids(Model.list(ws, tags=[["area", "mnist"]])) == ["weights:2"]
assert ids(Model.list(ws, tags=[["area", "diabetes"], "kind"])) == ["weights:1"]
assert ids(Model.list(ws, properties=[["p", "1"]])) == ["weights:1"]
print("ok: filters")

assert Model(ws, "weights").version == 2
assert Model(ws, "weights", version=1).id == "weights:1"
assert Model(ws, id="weights:1").description == "first"
assert Model(ws, "weights", tags=[["area", "diabetes"]]).version == 1
try:
    Model(ws, "nothing")
except WebserviceException as error:
    assert "ModelNotFound" in str(error), error
    print("ok: unknown model:", str(error).splitlines()[0][:120])
else:
    raise AssertionError("an unknown model was found")

path = first.download(target_dir="down1", exist_ok=True)
assert filecmp.cmp(path, "weights.bin", shallow=False), path
path = tree.download(target_dir="down2", exist_ok=True)
assert pathlib.Path(path, "a.txt").read_text() == "a", path
assert pathlib.Path(path, "sub", "grüße b.txt").read_text() == "b"
print("ok: download")

first.add_tags({"extra": "yes"})
first.update_tags_properties(add_tags={"more": "x"}, remove_tags=["kind"], add_properties={"q": "2"})
first.update(description="changed")
again = Model(ws, id="weights:1")
assert again.tags == {"area": "diabetes", "extra": "yes", "more": "x"}, again.tags
assert again.properties == {"p": "1", "q": "2"} and again.description == "changed", (again.properties, again.description)
print("ok: update")

second.delete()
assert ids(Model.list(ws, name="weights")) == ["weights:1"]
third = Model.register(ws, model_path="weights.bin", model_name="weights")
assert third.version == 3, third.version
print("ok: delete; a version number is never given twice")

pathlib.Path("empty.pkl").write_bytes(b"")
try:
    Model.register(ws, model_path="empty.pkl", model_name="empty")
except WebserviceException as error:
    assert "empty.pkl" in str(error), error
    print("ok: empty file:", [line for line in str(error).splitlines() if "empty.pkl" in line][0][:160])
else:
    raise AssertionError("an empty model file was registered")

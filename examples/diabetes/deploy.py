"""The classic script: from a scikit-learn model to a web service with Azure ML SDK v1.

Unchanged code for `azureml-core`; run it against Slipway with `slipway exec -- python deploy.py`.
`python deploy.py --clean` deletes everything that it made.
"""

import argparse
import json

import joblib
from azureml.core import Workspace
from azureml.core.image import ContainerImage, Image
from azureml.core.model import Model
from azureml.core.webservice import AciWebservice, Webservice
from azureml.exceptions import WebserviceException
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

MODEL_FILE = "sklearn_regression_model.pkl"
MODEL_NAME = "diabetes"
IMAGE_NAME = "diabetes-image"
SERVICE_NAME = "diabetes-service"

parser = argparse.ArgumentParser(description="Deploy a ridge regression of ten features.")
parser.add_argument("--clean", action="store_true", help="delete service, images and models, and stop")
arguments = parser.parse_args()

ws = Workspace.from_config()
print("Workspace:", ws.name, ws.resource_group, ws.location, sep="\t")

if arguments.clean:
    try:
        Webservice(ws, SERVICE_NAME).delete()
    except WebserviceException as error:
        print("No service to delete:", error.message)
    for image in Image.list(ws, image_name=IMAGE_NAME):
        image.delete()
    for model in Model.list(ws, name=MODEL_NAME):
        model.delete()
    print("Everything is deleted.")
    raise SystemExit(0)

# Train
features, progression = load_diabetes(return_X_y=True)
regression = Ridge(alpha=0.03).fit(features[:-50], progression[:-50])
joblib.dump(regression, MODEL_FILE)
print(f"Trained: R² {regression.score(features[-50:], progression[-50:]):.2f} on 50 unseen patients")

# Register
model = Model.register(
    workspace=ws,
    model_path=MODEL_FILE,
    model_name=MODEL_NAME,
    tags={"area": "diabetes", "type": "regression"},
    description="Ridge regression model to predict diabetes",
)
print("Model:", model.name, model.version, model.tags, sep="\t")

# Build an image
image_config = ContainerImage.image_configuration(
    execution_script="score.py",
    runtime="python",
    conda_file="myenv.yml",
    tags={"area": "diabetes", "type": "regression"},
    description="Image with ridge regression model",
)
image = ContainerImage.create(name=IMAGE_NAME, models=[model], image_config=image_config, workspace=ws)
image.wait_for_creation(show_output=True)
print("Image:", image.name, image.version, image.creation_state, sep="\t")

# Deploy: the first time as a new service, later as an update
aci_config = AciWebservice.deploy_configuration(
    cpu_cores=1,
    memory_gb=1,
    tags={"area": "diabetes", "type": "regression"},
    description="Predict diabetes with ridge regression",
)
existing = Webservice.list(ws, image_name=IMAGE_NAME)
if existing:
    service = existing[0]
    service.update(image=image)
else:
    service = Webservice.deploy_from_image(
        workspace=ws, name=SERVICE_NAME, image=image, deployment_config=aci_config
    )
service.wait_for_deployment(show_output=True)
print("Service:", service.name, service.state, service.scoring_uri, sep="\t")

# Test
answer = service.run(input_data=json.dumps({"data": features[-3:].tolist()}))
print("Predicted:", [round(value) for value in answer])
print("Measured: ", progression[-3:].astype(int).tolist())

print("Logs:")
print(service.get_logs())

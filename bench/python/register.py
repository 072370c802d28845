"""Registers a file with the genuine client and prints how long Model.register took, without the import before it."""

import sys
import time

from azureml.core import Workspace
from azureml.core.model import Model

workspace = Workspace.from_config()
began = time.monotonic()
Model.register(workspace, model_path=sys.argv[1], model_name="weights")
print("register took", time.monotonic() - began)

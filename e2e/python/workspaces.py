"""Sign-in ways and workspaces: wire contract sections 2 to 4."""
import os
import sys

from azureml.core import Environment, Workspace
from azureml.core.authentication import ServicePrincipalAuthentication
from azureml.core.compute import ComputeTarget
from azureml.core.model import Model
from azureml.exceptions import ProjectSystemException, UserErrorException, WorkspaceException

ws = Workspace.from_config()
same = Workspace.get(name=ws.name, subscription_id=ws.subscription_id, resource_group=ws.resource_group)
assert same.get_details()["id"] == ws.get_details()["id"]
listed = Workspace.list(ws.subscription_id)
assert ws.name in listed, listed
assert ws.name in Workspace.list(ws.subscription_id, resource_group=ws.resource_group)
details = ws.get_details()
registry = details["containerRegistry"].split("/")[-1]
print("ok: workspace", ws.name, "registry", registry)

try:
    Workspace.get(name="nowhere", subscription_id=ws.subscription_id, resource_group=ws.resource_group)
except (ProjectSystemException, WorkspaceException, UserErrorException) as error:
    print("ok: unknown workspace:", str(error).splitlines()[0][:120])
else:
    raise AssertionError("an unknown workspace was found")

for unsupported in (lambda: Environment.get(ws, "mine"), lambda: ComputeTarget(ws, "cluster")):
    try:
        unsupported()
    except Exception as error:
        assert "Not supported by Slipway" in str(error), error
    else:
        raise AssertionError("an unsupported call did nothing")
print("ok: what is not supported says so")

os.environ.pop("MSI_ENDPOINT")
principal = ServicePrincipalAuthentication(tenant_id="adfs", service_principal_id=sys.argv[1], service_principal_password=sys.argv[2])
signed_in = Workspace.get(name=ws.name, subscription_id=ws.subscription_id, resource_group=ws.resource_group, auth=principal)
assert Model.list(signed_in) == []
print("ok: service principal")

wrong = ServicePrincipalAuthentication(tenant_id="adfs", service_principal_id=sys.argv[1], service_principal_password="wrong")
try:
    Workspace.get(name=ws.name, subscription_id=ws.subscription_id, resource_group=ws.resource_group, auth=wrong)
except Exception as error:
    assert "service principal" in str(error), error
    print("ok: wrong secret is refused")
else:
    raise AssertionError("a wrong secret was accepted")

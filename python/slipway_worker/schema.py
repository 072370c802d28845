"""What the script tells about its input and output, for swagger.json and the first run before traffic."""

import json
import os

from .call_style import schema_of


def describe_entry_script(app_root, run):
    """`swagger` from the image, or `inputSchema` and `outputSchema`, and `sampleInput`, as far as they are known."""
    about = {}
    document = _own_swagger(app_root)
    if document is not None:
        about["swagger"] = document
    util = schema_of(run)
    if util is None:
        return about
    schema = util.get_input_schema(run)
    about["inputSchema"] = schema
    about["outputSchema"] = util.get_output_schema(run)
    if "example" in schema:
        about["sampleInput"] = schema["example"]
    # What cannot be said in JSON (a sample that holds NumPy values, for instance) is left out, not the whole.
    return {name: value for name, value in about.items() if _is_json(value)}


def _own_swagger(app_root):
    for name in ("swagger.json", "swagger2.json"):
        try:
            with open(os.path.join(app_root, name), encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(document, dict):
            return document
    return None


def _is_json(value):
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True

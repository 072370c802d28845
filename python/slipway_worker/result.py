"""What run() returned, as status, headers and bytes."""

import json

JSON_TYPE = "application/json"


class ResultNotSerializable(Exception):
    """run() came to its end, but what it returned cannot be sent."""


def is_response(result):
    """A Flask response or the AMLResponse of azureml.contrib.services, told by what it can do."""
    return callable(getattr(result, "get_data", None)) and hasattr(result, "status_code") and hasattr(result, "headers")


def response_parts(response):
    headers = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = headers[name] + ", " + str(value) if name in headers else str(value)
    headers.pop("content-length", None)
    if response.status_code >= 500:
        headers["x-ms-run-function-failed"] = "true"
    return response.status_code, headers, response.get_data()


def to_json(result):
    """As v1 does it: None is an empty object, a str is a JSON string. NumPy values become lists and numbers."""
    if result is None:
        return b"{}"
    try:
        return json.dumps(result, default=_plain_value).encode("ascii")
    except ResultNotSerializable:
        raise
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ResultNotSerializable("run() returned something that JSON cannot say: %s." % error)


def _plain_value(value):
    kind = type(value)
    name = "%s.%s" % (kind.__module__, kind.__qualname__) if kind.__module__ != "builtins" else kind.__qualname__
    if kind.__module__.split(".")[0] == "numpy" and hasattr(value, "tolist"):
        plain = value.tolist()
        if plain is not value:
            return plain
    raise ResultNotSerializable(
        "run() returned a value of type %s, which JSON cannot say. %s" % (name, _conversion_hint(name, value))
    )


def _conversion_hint(name, value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "Decode it to text, or return an AMLResponse to send bytes."
    if name.startswith("pandas."):
        return 'Return .to_dict(orient="records") or .values.tolist() instead.'
    if hasattr(value, "tolist"):
        return "Return .tolist() instead."
    if isinstance(value, (set, frozenset)):
        return "Return list(…) instead."
    return "Return lists, dicts, strings, numbers, booleans or None."

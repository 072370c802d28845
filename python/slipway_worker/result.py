"""What run() returned, as status, headers and bytes."""

import json

JSON_TYPE = "application/json"
BYTES_TYPE = "application/octet-stream"
_BYTES = (bytes, bytearray, memoryview)


class ResultNotSerializable(Exception):
    """run() came to its end, but what it returned cannot be sent."""


def is_response(result):
    """A Flask response or the AMLResponse of azureml.contrib.services, told by what it can do."""
    return callable(getattr(result, "get_data", None)) and hasattr(result, "status_code") and hasattr(result, "headers")


def response_headers(response):
    headers = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = headers[name] + ", " + str(value) if name in headers else str(value)
    headers.pop("content-length", None)
    if response.status_code >= 500:
        headers["x-ms-run-function-failed"] = "true"
    return headers


def payload_of(result):
    """Content type and bytes. Bytes go out as they are, everything else as JSON."""
    if isinstance(result, _BYTES):
        return BYTES_TYPE, result
    return JSON_TYPE, to_json(result)


def to_json(result):
    """As v1 does it: None is an empty object, a str is a JSON string. NumPy and pandas values become lists and numbers."""
    if result is None:
        return b"{}"
    try:
        return _encode(result).encode("ascii")
    except ResultNotSerializable:
        raise
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ResultNotSerializable("run() returned something that JSON cannot say: %s." % error)


def _plain_value(value):
    kind = type(value)
    module = kind.__module__.split(".")[0]
    if module == "numpy":
        plain = _plain_numpy(value)
        if plain is not value:
            return plain
    elif module == "pandas":
        plain = _plain_pandas(value)
        if plain is not value:
            return plain
    name = "%s.%s" % (kind.__module__, kind.__qualname__) if kind.__module__ != "builtins" else kind.__qualname__
    raise ResultNotSerializable(
        "run() returned a value of type %s, which JSON cannot say. %s" % (name, _conversion_hint(value))
    )


_encode = json.JSONEncoder(default=_plain_value).encode


def _plain_numpy(value):
    if getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m"):
        # ISO 8601; `tolist` would give nanoseconds as numbers, or not, by the unit.
        return value.astype(str).tolist()
    return value.tolist() if hasattr(value, "tolist") else value


def _plain_pandas(value):
    """A DataFrame is a list of its rows as objects, a Series or an Index a list; missing values are null, times ISO 8601."""
    if hasattr(value, "columns") and hasattr(value, "notna"):
        return value.astype(object).where(value.notna(), None).to_dict("records")
    if hasattr(value, "notna") and hasattr(value, "tolist"):
        return [item if there else None for item, there in zip(value.tolist(), value.notna().tolist())]
    if hasattr(value, "isoformat"):
        return value.isoformat() if value == value else None
    return None if str(value) == "<NA>" else value


def _conversion_hint(value):
    if isinstance(value, _BYTES):
        return "Decode it to text, or return the bytes alone."
    if hasattr(value, "tolist"):
        return "Return .tolist() instead."
    if isinstance(value, (set, frozenset)):
        return "Return list(…) instead."
    return "Return lists, dicts, strings, numbers, booleans or None."

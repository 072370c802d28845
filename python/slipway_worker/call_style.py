"""How a request becomes a call of run(): as text, by an inference-schema, or as the raw HTTP request.

The styles are those of the v1 images: scripts written for them see the same arguments here.
"""

import inspect
import io
import json
import sys
from urllib.parse import parse_qs

from .causes import EntryScriptError
from .request import BadRequest

_HEADERS = "request_headers"
_RAW_HTTP_MODULES = ("azureml.contrib.services.aml_request", "azureml_inference_server_http.api.aml_request")


def choose_call_style(run):
    """A function that calls `run` for one Request and returns what it returned."""
    raw_module = _raw_http_module()
    parameters = list(inspect.signature(run).parameters.values())
    wants_headers = any(parameter.name == _HEADERS for parameter in parameters)
    data = [parameter for parameter in parameters if parameter.name != _HEADERS]
    if not data:
        raise EntryScriptError(
            "EntryScriptInvalid",
            "run() takes no argument for the input data.",
            "Define it as run(data) or run(data, request_headers).",
        )
    schema = schema_of(run)
    if raw_module is not None and schema is not None:
        raise EntryScriptError(
            "EntryScriptInvalid",
            "run() is decorated with both @rawhttp and @input_schema.",
            "Keep one of them: the whole request, or its values by name.",
        )
    if raw_module is not None:
        return _RawStyle(run, raw_module, data[0].name, wants_headers)
    if schema is not None:
        return _SchemaStyle(run, data, wants_headers)
    return _text_style(run, data[0], wants_headers)


def is_asynchronous(run):
    """Defined with `async def`, so that it gives way to other requests where it awaits; also under decorators."""
    run = inspect.unwrap(run)
    return inspect.iscoroutinefunction(run) or inspect.isasyncgenfunction(run)


def schema_of(run):
    """`inference_schema.schema_util` if the script decorated `run` with it, else None."""
    util = sys.modules.get("inference_schema.schema_util")
    return util if util is not None and util.is_schema_decorated(run) else None


def _raw_http_module():
    for name in _RAW_HTTP_MODULES:
        module = sys.modules.get(name)
        if getattr(module, "_rawHttpRequested", False):
            return module
    return None


def _text_style(run, first, wants_headers):
    by_position = first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD, first.VAR_POSITIONAL)
    if by_position and not wants_headers:
        return lambda request: run(_text_of(request))

    def call(request):
        arguments = {first.name: _text_of(request)}
        if wants_headers:
            arguments[_HEADERS] = request.headers()
        return run(**arguments)

    return call


def _text_of(request):
    return request.text() if request.is_post else json.dumps(_query_values(request))


class _SchemaStyle(object):
    def __init__(self, run, parameters, wants_headers):
        self._run = run
        self._parameters = parameters
        self._wants_headers = wants_headers

    def __call__(self, request):
        values = self._body_values(request) if request.is_post else _query_values(request)
        arguments = {}
        for parameter in self._parameters:
            value = values.get(parameter.name, parameter.default)
            if value is parameter.empty:
                raise BadRequest(400, "MissingInput", "The input has no value for %r." % parameter.name)
            arguments[parameter.name] = value
        if self._wants_headers:
            arguments[_HEADERS] = request.headers()
        return self._run(**arguments)

    def _body_values(self, request):
        content_type = request.header("content-type").split(";")[0].strip().lower()
        if content_type != "application/json" and not content_type.endswith("+json"):
            raise BadRequest(
                415, "UnsupportedContentType", "This service reads application/json, not %s." % (content_type or "nothing")
            )
        try:
            values = json.loads(request.text())
        except ValueError as error:
            raise BadRequest(400, "BodyNotJson", "The request body is not JSON: %s." % error)
        if not isinstance(values, dict):
            names = ", ".join(repr(parameter.name) for parameter in self._parameters)
            raise BadRequest(400, "BodyNotObject", "The request body must be a JSON object with %s." % names)
        return values


class _RawStyle(object):
    """run() gets Flask's request, from the Flask of the user's own environment."""

    def __init__(self, run, module, name, wants_headers):
        import flask

        self._run = run
        self._name = name
        self._wants_headers = wants_headers
        self._application = flask.Flask(module.__name__)

    def __call__(self, request):
        arguments = {}
        if self._wants_headers:
            arguments[_HEADERS] = request.headers()
        with self._application.request_context(_wsgi_environment(request)) as context:
            arguments[self._name] = context.request
            return self._run(**arguments)


def _wsgi_environment(request):
    payload = request.payload()
    environment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.head["p"],
        "QUERY_STRING": request.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(payload),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.head["h"].items():
        environment["HTTP_" + name.upper().replace("-", "_")] = value
    environment["CONTENT_TYPE"] = request.header("content-type")
    environment["CONTENT_LENGTH"] = str(len(payload))
    for name in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        environment.pop(name, None)
    return environment


def _query_values(request):
    """`a=1&b=[1,2]&c=x&c=y` as {"a": 1, "b": [1, 2], "c": ["x", "y"]}: values are JSON where they can be."""
    values = {}
    for name, texts in parse_qs(request.query, keep_blank_values=True).items():
        parsed = [_json_or_text(text) for text in texts]
        values[name] = parsed[0] if len(parsed) == 1 else parsed
    return values


def _json_or_text(text):
    try:
        return json.loads(text)
    except ValueError:
        return text

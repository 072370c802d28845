"""One scoring request as it came from the scorer. Its head is only parsed when somebody asks for it."""

import json
import re

from .frame_socket import split_request

_POST = b'{"m":"POST"'
# W3C Trace Context: version, trace id, parent id, flags.
_TRACEPARENT = re.compile("^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class BadRequest(Exception):
    """The caller's mistake: nothing of the user's code ran."""

    def __init__(self, status, code, message):
        super(BadRequest, self).__init__(message)
        self.status = status
        self.code = code


class Headers(dict):
    """Request headers under the names that v1 gave (`Content-Type`); found in any case."""

    def __missing__(self, name):
        if isinstance(name, str):
            titled = name.title()
            if titled != name:
                return self[titled]
        raise KeyError(name)

    def __contains__(self, name):
        return dict.__contains__(self, name) or (isinstance(name, str) and dict.__contains__(self, name.title()))

    def get(self, name, default=None):
        return self[name] if name in self else default


class Request(object):
    __slots__ = ("id", "_body", "_head_bytes", "_start", "_head")

    def __init__(self, request_id, body):
        self.id = request_id
        self._body = body
        self._head_bytes, self._start = split_request(body)
        self._head = None

    @property
    def head(self):
        if self._head is None:
            self._head = json.loads(bytes(self._head_bytes).decode("utf-8"))
        return self._head

    @property
    def is_post(self):
        return self._head_bytes.startswith(_POST) or self.method == "POST"

    @property
    def method(self):
        return self.head["m"]

    @property
    def query(self):
        return self.head.get("q", "")

    @property
    def label(self):
        """The request's name in logs and errors."""
        return self.head.get("i", "")

    @property
    def tag(self):
        """Stands before each line of the log that belongs to the request."""
        trace = _TRACEPARENT.match(self.header("traceparent"))
        return self.label + " trace=" + trace.group(1) if trace else self.label

    def headers(self):
        return Headers((name.title(), value) for name, value in self.head["h"].items())

    def header(self, name):
        return self.head["h"].get(name, "")

    def payload(self):
        return memoryview(self._body)[self._start :]

    def text(self):
        try:
            return str(self.payload(), "utf-8")
        except UnicodeDecodeError as error:
            raise BadRequest(
                400,
                "BodyNotText",
                "The request body is not UTF-8 text (byte %d: %s). A run() that wants bytes is decorated with @rawhttp."
                % (error.start, error.reason),
            )

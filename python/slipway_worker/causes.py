"""Why something in the user's code failed, for people: what happened, to what, and the next action."""

import linecache
import os
import sys
import traceback

_HERE = os.path.dirname(os.path.abspath(__file__))
_MAX_TEXT = 4000

# Packages whose name on the index differs from the name that a program imports.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "azureml.core": "azureml-core",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


class EntryScriptError(Exception):
    """The entry script can be read but not used, for a reason that has no exception of its own."""

    def __init__(self, code, message, next_action, file=None, line=None):
        super(EntryScriptError, self).__init__(message)
        self.code = code
        self.next_action = next_action
        self.file = file
        self.line = line


class CauseFinder(object):
    """Turns exceptions into causes that point into the user's own files."""

    def __init__(self, app_root, entry_script):
        self._app_root = os.path.realpath(app_root)
        self._entry_script = os.path.realpath(os.path.join(app_root, entry_script))

    def of_import(self, error):
        if isinstance(error, EntryScriptError):
            cause = {"code": error.code, "message": str(error), "nextAction": error.next_action}
            if error.file is not None:
                cause.update(file=self._short(error.file), line=error.line)
            return cause
        if isinstance(error, SyntaxError):
            return self._syntax_error(error)
        where = self.place(error)
        cause = {"traceback": self.traceback_text(error)}
        cause.update(where)
        spot = _spot(where)
        if isinstance(error, ImportError):
            cause.update(_import_error(error, spot))
        elif isinstance(error, FileNotFoundError) and self._is_script(error.filename):
            cause["code"] = "EntryScriptNotFound"
            cause["message"] = "The entry script %s is not in the image." % self._short(str(error.filename))
            cause["nextAction"] = "Check execution_script (or entry_script and source_directory) and build the image again."
        elif isinstance(error, SystemExit):
            cause["code"] = "ImportError"
            cause["message"] = "The entry script called sys.exit(%s) while it was imported%s." % (_exit_text(error), spot)
            cause["nextAction"] = "Remove the call: the script must stay loaded to answer requests."
        else:
            cause["code"] = "ImportError"
            cause["message"] = "The entry script raised %s while it was imported%s." % (describe(error), spot)
            cause["nextAction"] = "Correct the script and build the image again."
        return cause

    def of_init(self, error):
        if isinstance(error, ImportError):
            return self.of_import(error)
        where = self.place(error)
        cause = {"code": "InitFailed", "traceback": self.traceback_text(error)}
        cause.update(where)
        spot = _spot(where)
        if isinstance(error, SystemExit):
            cause["message"] = "init() called sys.exit(%s)%s." % (_exit_text(error), spot)
            cause["nextAction"] = "Raise an exception that says what is wrong instead of ending the process."
        else:
            cause["message"] = "init() raised %s%s." % (describe(error), spot)
            cause["nextAction"] = _init_action(error)
        return cause

    def of_run(self, error):
        where = self.place(error)
        verb = "called sys.exit(%s)" % _exit_text(error) if isinstance(error, SystemExit) else "raised " + describe(error)
        cause = {"code": "RunFailed", "message": "run() %s%s." % (verb, _spot(where))}
        cause.update(where)
        return cause

    def place(self, error):
        """`file` and `line` of the innermost frame in the user's own code, else of the innermost frame that is not ours."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
        frames = [frame for frame in frames if not frame.filename.startswith("<")] or frames
        own = [frame for frame in frames if self._is_own(frame.filename)]
        # A generated driver only hands the call on to the user's script.
        beyond_entry = [frame for frame in own if os.path.realpath(frame.filename) != self._entry_script]
        for candidates in (beyond_entry, own, frames):
            if candidates:
                return {"file": self._short(candidates[-1].filename), "line": candidates[-1].lineno}
        return {}

    def traceback_text(self, error):
        """As Python prints it, without the frames of the worker."""
        linecache.checkcache()
        tb = error.__traceback__
        while tb is not None and _is_ours(tb.tb_frame.f_code.co_filename):
            tb = tb.tb_next
        return "".join(traceback.format_exception(type(error), error, tb))[-_MAX_TEXT * 4 :]

    def _syntax_error(self, error):
        cause = {"code": "SyntaxError", "traceback": self.traceback_text(error)}
        spot = ""
        if error.filename:
            cause.update(file=self._short(error.filename), line=error.lineno or 1)
            spot = " in %s, line %s" % (cause["file"], cause["line"])
        cause["message"] = "Python %d.%d cannot read the script%s: %s." % (
            sys.version_info[0],
            sys.version_info[1],
            spot,
            error.msg,
        )
        cause["nextAction"] = "Correct this line, or ask for the Python version that the script is written for."
        return cause

    def _is_own(self, filename):
        if filename.startswith("<"):
            # `<frozen posixpath>`, `<string>`: no files, though they look like some in the working folder.
            return False
        path = os.path.realpath(filename)
        return path.startswith(self._app_root + os.sep) and os.sep + "site-packages" + os.sep not in path

    def _is_script(self, filename):
        return isinstance(filename, str) and filename.endswith(".py") and self._is_own(filename)

    def _short(self, filename):
        if filename.startswith("<"):
            return filename
        path = os.path.realpath(filename)
        if path.startswith(self._app_root + os.sep):
            return path[len(self._app_root) + 1 :]
        # Callers see it too: the package's name tells enough.
        return path.rpartition(os.sep + "site-packages" + os.sep)[2]


def describe(error):
    """`KeyError: 'data'`"""
    try:
        text = str(error)
    except Exception:  # a broken __str__ of the user's exception must not hide the exception
        text = ""
    name = type(error).__name__
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…"
    return "%s: %s" % (name, text.rstrip(".")) if text else name


def _is_ours(filename):
    return filename.startswith("<frozen importlib") or os.path.dirname(os.path.abspath(filename)) == _HERE


def _spot(where):
    return " (%s, line %s)" % (where["file"], where["line"]) if where else ""


def _exit_text(error):
    return "" if error.code is None else repr(error.code)


def _import_error(error, spot):
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if not missing:
        return {
            "code": "ImportError",
            "message": "An import failed%s: %s." % (spot, str(error).rstrip(".")),
            "nextAction": "Check that the versions in the conda file fit the script.",
        }
    top = ".".join(missing.split(".")[:2]) if missing.startswith("azureml.core") else missing.split(".")[0]
    package = _DISTRIBUTIONS.get(top, top)
    return {
        "code": "ImportError",
        "message": "The Python package %s is missing%s: %s." % (package, spot, str(error).rstrip(".")),
        "nextAction": "Add %s to the conda file's pip section and build the image again; if %s is a file of your own, "
        "add it to the image's dependencies." % (package, top),
    }


def _init_action(error):
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return "Check the file's path: models are under AZUREML_MODEL_DIR (%s)." % os.environ.get(
            "AZUREML_MODEL_DIR", "not set: this image has no models"
        )
    if isinstance(error, MemoryError):
        return "Give the service more memory (memory_gb) or load a smaller model."
    return "Correct init() or what it loads, then deploy again."

"""Loads the user's script, or the driver that the client generated around it."""

import importlib.util
import os
import sys
import types

from .causes import EntryScriptError


class EntryScript(object):
    """`init` (may be None) and `run` of the script. `run` is the user's own function also behind a driver."""

    def __init__(self, init, run):
        self.init = init
        self.run = run


def load_entry_script(app_root, name):
    path = os.path.join(app_root, *name.split("/"))
    for folder in (app_root, os.path.dirname(path)):
        if folder not in sys.path:
            sys.path.append(folder)
    if not os.path.isfile(path):
        raise EntryScriptError(
            "EntryScriptNotFound",
            "The entry script %s is not in the image." % name,
            "Check execution_script (or entry_script and source_directory) and build the image again.",
        )
    sys.argv = [path]
    module = _load_module(path)
    driven = getattr(module, "driver_module", None)
    behind_driver = isinstance(driven, types.ModuleType) and hasattr(driven, "run")
    # A driver's run() knows nothing of decorated functions; its init() does things that must not be left out.
    owner = driven if behind_driver else module
    run = getattr(owner, "run", None)
    if not callable(run):
        raise EntryScriptError(
            "EntryScriptInvalid",
            "%s defines no function run(): there is nothing that could answer a request."
            % os.path.basename(getattr(owner, "__file__", None) or path),
            "Define run(data) in the script and build the image again.",
            file=getattr(owner, "__file__", None) or path,
            line=1,
        )
    if behind_driver and not callable(getattr(driven, "init", None)):
        return EntryScript(None, run)
    init = getattr(module, "init", None)
    return EntryScript(init if callable(init) else None, run)


def _load_module(path):
    # Under its own name, so that what was pickled as `score.Something` is found again, unless that name is taken.
    name = os.path.splitext(os.path.basename(path))[0]
    if not _imports_as(name, path):
        name = "entry_script"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EntryScriptError(
            "EntryScriptInvalid", "%s is not a Python file." % os.path.basename(path), "Give a file that ends in .py."
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _imports_as(name, path):
    if not name.isidentifier() or name in sys.modules:
        return False
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None and os.path.realpath(found.origin) == os.path.realpath(path)

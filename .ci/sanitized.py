"""A plugin of pytest: the builds in the folder SKREG_SANITIZED are tested."""

import importlib
import os

import skreg.compiled

FOLDER = os.environ["SKREG_SANITIZED"]

skreg.compiled.__path__.insert(0, FOLDER)
assert importlib.import_module("skreg.compiled._generic").__file__.startswith(FOLDER)

"""Other processes for tests, which start without the seconds that imports take."""

import multiprocessing
import warnings
from textwrap import dedent

# A server imports once, and its children begin where it stands.
METHOD = "forkserver"
if METHOD not in multiprocessing.get_all_start_methods():  # on Windows
    METHOD = "spawn"
CONTEXT = multiprocessing.get_context(METHOD)
CONTEXT.set_forkserver_preload(["skreg.model_selection", "sklearn.datasets"])


def started(code, *arguments):
    """Start a process that runs some code, and return it.

    Parameters
    ----------
    code : str
        Indented as you like. Its warnings are ignored.
    *arguments
        What the code finds as `arguments`.

    Returns
    -------
    multiprocessing.Process
    """
    process = CONTEXT.Process(target=_run, args=(dedent(code), arguments))
    process.start()
    return process


def exit_code(process, seconds=60):
    """Wait for a process to end, and return its exit code."""
    process.join(seconds)
    return process.exitcode


def _run(code, arguments):
    warnings.simplefilter("ignore")
    exec(code, {"arguments": arguments})

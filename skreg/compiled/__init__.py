"""Compiled training steps: a C++ library, and the structures that it is called with."""

from skreg.compiled.versions import show_versions

__all__ = ["show_versions"]

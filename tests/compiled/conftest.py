import pytest
from _engines import builds


def pytest_collection_modifyitems(items):
    if not builds():
        reason = "no C++ compiler has built the library here; torch trains instead"
        for item in items:
            if "compiled" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason=reason))

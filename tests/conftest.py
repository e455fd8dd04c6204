"""What all tests share: how many random examples are tried."""

import os

from hypothesis import HealthCheck, settings

# A fit takes tens of milliseconds, so that no example has a deadline.
settings.register_profile(
    "default",
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    parent=settings.get_profile("default"),
    max_examples=300,
    derandomize=False,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

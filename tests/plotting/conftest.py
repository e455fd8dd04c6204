"""Drawing without a screen, and figures that are closed after each test."""

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def plt():
    from matplotlib import pyplot as plt

    yield plt
    plt.close("all")

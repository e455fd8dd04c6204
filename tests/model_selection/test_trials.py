"""How the trials of a search are ordered."""

from skreg.model_selection.trials import most_regularised


class Told:
    """A trial with parameters only."""

    def __init__(self, **params):
        self.params = params


def test_the_most_regularised():
    weak, strong = Told(l2=1e-3, skip_l2=1e-2), Told(l2=1e-2, skip_l2=1e-1)
    mixed = Told(l2=1.0, skip_l2=1e-3)
    assert most_regularised([weak, strong, mixed]) is strong
    # Noise decides between equal penalties, and the score between equals.
    quiet, loud = Told(l2=[0.25, 0.75], dropout=0.0), Told(l2=0.5, dropout=0.5)
    assert most_regularised([quiet, loud]) is loud
    assert most_regularised([weak, weak]) is weak
    one, two = Told(activation="relu"), Told(activation="tanh")
    assert most_regularised([one, two]) is one

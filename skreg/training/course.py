"""How far the models of a stack have come: a tracker for each that is still live."""

from skreg.training.tracker import Tracker


class Course:
    """The progress of the live models, in the order of the stack.

    Parameters
    ----------
    requests : list of FitRequest
    trackers : list of Tracker, default=None
        Of fits that go on, in the same order. None starts anew.

    Attributes
    ----------
    trackers : list of Tracker
    places : list of int
        For each live model, its place among the requests.
    """

    def __init__(self, requests, trackers=None):
        self.trackers = trackers or [Tracker(request) for request in requests]
        self.places = list(range(len(requests)))

    @property
    def n_epochs(self):
        """How many epochs each model has done."""
        return [tracker.n_iter for tracker in self.trackers]

    @property
    def rates(self):
        """The learning rate of each model in the next epoch."""
        return [tracker.lr for tracker in self.trackers]

    @property
    def accuracies(self):
        """The violation of the optimality conditions at which each model may stop."""
        return [tracker.request.accuracy for tracker in self.trackers]

    def has_until(self, epoch):
        """Tell whether there are models that have not done so many epochs."""
        return bool(self.trackers) and self.trackers[0].n_iter < epoch

    def note_epoch(self, losses, valid_losses, state_of):
        """Tell the trackers of an epoch; return the positions that go on.

        Parameters
        ----------
        losses : list of float
        valid_losses : list of float or None
        state_of : callable
            Maps a position to the present state of its model.
        """
        going = []
        for position, tracker in enumerate(self.trackers):
            try:
                goes_on = tracker.update(
                    losses[position],
                    valid_losses and valid_losses[position],
                    lambda position=position: state_of(position),
                )
            except Exception as error:
                # From a scorer or a hook of the user's: of this model alone.
                tracker.error, goes_on = error, False
            if goes_on:
                going.append(position)
        return going

    def note_iteration(self, converged, finished):
        """Take note of what the full-batch solver says of each model."""
        for tracker, *flags in zip(self.trackers, converged, finished):
            tracker.converged, tracker.finished = flags

    def halt(self):
        """Note that the training of all models was stopped from outside."""
        for tracker in self.trackers:
            tracker.halted = True

    def keep(self, positions):
        """Drop all models but those at the positions, in place."""
        self.trackers = [self.trackers[p] for p in positions]
        self.places = [self.places[p] for p in positions]

"""The training progress of the models of a stack."""


class Course:
    """The trackers of the models that are still training, in the order of the stack.

    Parameters
    ----------
    trackers : list of Tracker

    Attributes
    ----------
    trackers : list of Tracker
        One for each model that is still training.
    places : list of int
        For each of these models, its index in the list that was given.
    """

    def __init__(self, trackers):
        self.trackers, self.places = trackers, list(range(len(trackers)))

    @property
    def n_epochs(self):
        """The number of epochs that each model has completed."""
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
        """Return whether any model has completed fewer than `epoch` epochs."""
        return bool(self.trackers) and self.trackers[0].n_iter < epoch

    def note_epoch(self, losses, valid_losses, state_of):
        """Update the trackers after an epoch.

        Parameters
        ----------
        losses : list of float
        valid_losses : list of float or None
        state_of : callable
            Maps the position of a model to its current state.

        Returns
        -------
        list of int
            The positions of the models that continue training.
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
                # A scorer or hook of the user failed. This affects this model only.
                tracker.error, goes_on = error, False
            if goes_on:
                going.append(position)
        return going

    def note_iteration(self, converged, finished):
        """Record which models have converged or finished in the full-batch solver."""
        for tracker, *flags in zip(self.trackers, converged, finished):
            tracker.converged, tracker.finished = flags

    def halt(self):
        """Record that the training of all models was interrupted."""
        for tracker in self.trackers:
            tracker.halted = True

    def keep(self, positions):
        """Keep only the models at the given positions, in place."""
        self.trackers = [self.trackers[p] for p in positions]
        self.places = [self.places[p] for p in positions]

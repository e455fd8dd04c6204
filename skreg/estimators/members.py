"""Ensembles: the networks of one fit, their seeds, their rows, and each alone."""

import copy
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.data.rows import Rows
from skreg.data.streams import DRAWN_ROWS, MEMBERS, Streams
from skreg.networks.shared_members import member_states

# What makes an estimator one of a single network that sees all rows.
ALONE = {"n_estimators": 1, "bootstrap": False, "max_samples": 1.0}
# What a continued fit adds to.
CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_")


class MembersMixin:
    """What of an estimator concerns its several networks."""

    @property
    def _is_shared(self):
        """Whether the members are one network to train."""
        return self.ensemble == "shared" and self.n_estimators > 1

    def _member_requests(self, request, incremental=False):
        """Return the requests of all networks of a fit, given that of the first.

        Members have the seeds of `member_seeds`. Those of the last fit go on, if the
        first does; others are new.
        """
        n_members = 1 if self._is_shared else self.n_estimators
        if n_members == 1 and not draws_rows(self):
            return [request]
        known = self._networks if request.initial else []
        requests = []
        for number, seed in enumerate(member_seeds(request.seed, n_members)):
            member = known[number] if number < len(known) else None
            own = {"seed": seed} | self._course(member, incremental)
            if self.pruning and incremental:
                own["settings"] = request.settings | self._pruned(member, incremental)
            if draws_rows(self):
                own["train"] = self._drawn(request.train, seed)
                if not incremental:
                    own["max_iter"] = self._n_epochs(len(own["train"].index))
            requests.append(replace(request, **own))
        return requests

    def _course(self, network, incremental):
        """Return the fields of a request that say where a network goes on.

        Parameters
        ----------
        network : estimator or None
            None starts anew.
        incremental : bool
            Whether the optimiser goes on, too.
        """
        if network is None:
            return {
                "initial": None,
                "epochs_seen": 0,
                "samples_seen": 0,
                "optimizer_state": None,
            }
        return {
            "initial": network._state,
            "epochs_seen": network._epochs_seen,
            "samples_seen": network.t_,
            "optimizer_state": network._optimizer_state if incremental else None,
        }

    def _drawn(self, rows, seed):
        """Return the rows that a member sees, in their order."""
        index, max_samples = rows.index, self.max_samples
        n_drawn = max_samples
        if not isinstance(max_samples, Integral):
            n_drawn = max(1, int(max_samples * len(index)))
        if not self.bootstrap and n_drawn > len(index):
            raise ValueError(
                f"max_samples={max_samples!r} draws more rows than there are to train "
                f"on, n_samples={len(index)}. Lower it, or set bootstrap=True."
            )
        if self._architecture.batchnorm and n_drawn < 2:
            raise ValueError(
                f"batchnorm={self.batchnorm!r} needs two training rows at least, and "
                f"max_samples={max_samples!r} draws {n_drawn} of {len(index)}."
            )
        rng = Streams(seed)[DRAWN_ROWS]
        drawn = rng.choice(index, n_drawn, replace=bool(self.bootstrap))
        return Rows(rows.X, rows.y, rows.weight, np.sort(drawn))

    def _keep_members(self, results, requests, continuing):
        """Set the fitted attributes of an ensemble, or raise what went wrong.

        After an interrupt it has the members that there are: those that had not begun
        to go on are as they were.
        """
        known = self._members or [self._alone(self._seed)] if continuing else []
        members, interrupted = [], False
        for number, (result, request) in enumerate(zip(results, requests)):
            before = known[number] if number < len(known) else None
            if result is None:  # its stack had not begun
                interrupted = True
                members += [] if before is None else [before]
                continue
            member = self._alone(request.seed)
            if before is not None:
                member.__dict__.update((name, getattr(before, name)) for name in CURVES)
            try:
                member._keep(result, request, before is not None)
            except KeyboardInterrupt:
                interrupted = True
                if result.tracker.error is not None:  # it has done no epoch
                    members += [] if before is None else [before]
                    continue
            members.append(member)
        if members:
            self._become(members)
        if interrupted:
            raise KeyboardInterrupt

    def _become(self, members):
        """Take the fitted attributes of the first member, and predict as their mean."""
        parameters = self.get_params(deep=False)
        fitted = vars(members[0])
        fitted = {name: fitted[name] for name in fitted if name not in parameters}
        self.__dict__.update(fitted)
        self._members = members
        self.kkt_violation_ = max(member.kkt_violation_ for member in members)
        self._inference = self._make_inference(self._states)

    def _alone(self, seed):
        """Return a copy of this estimator that is to have one network."""
        member = copy.copy(self)
        # What is called during a fit belongs to that of the whole.
        for name in [name for name in vars(member) if "callback" in name]:
            if name != "callbacks":
                delattr(member, name)
        # Fresh entropy is longer than a random_state may be.
        return member.set_params(**ALONE, random_state=seed if seed < 2**32 else None)

    @property
    def _networks(self):
        """The fitted estimators with one network each."""
        return self._members or [self]

    @property
    def estimators_(self):
        """The fitted networks, each an estimator that predicts alone.

        Those of members that share weights are given their own copies.
        """
        check_is_fitted(self)
        if self._architecture.n_members == 1:
            return self._members or [self._alone(self._seed)]
        architecture = replace(self._architecture, n_members=1)
        snapshots = self.snapshots_ or [self._state]
        found = []
        for states in zip(*(member_states(self._architecture, s) for s in snapshots)):
            member = self._alone(self._seed)
            # The optimiser's moving averages are those of all members.
            member._architecture, member._optimizer_state = architecture, None
            kept = list(states) if self.snapshots_ else None
            member.__dict__.update(member._state_attributes(states[-1], kept))
            found.append(member)
        return found


def draws_rows(estimator):
    """Tell whether the networks of an estimator see some of the rows only."""
    max_samples = estimator.max_samples
    is_part = isinstance(max_samples, Integral) or max_samples != 1
    return bool(estimator.bootstrap or is_part)


def member_seeds(seed, n_members):
    """Return the seeds of the members of an ensemble.

    That of the first is the fit's own, and none depends on how many there are.

    Examples
    --------
    >>> from skreg.estimators.members import member_seeds
    >>> member_seeds(3, 3)[:2] == member_seeds(3, 2)
    True
    """
    rng = Streams(seed)[MEMBERS]
    others = [int(rng.integers(2**31)) for _ in range(n_members - 1)]
    return [seed, *others]


def check_members(estimator, sizes):
    """Raise if the members of an ensemble cannot honour a parameter.

    Parameters
    ----------
    estimator : BaseNetwork
    sizes : tuple of int
        Of the hidden layers.
    """
    if isinstance(estimator.max_samples, bool):  # which is an int to Python
        raise ValueError(
            "max_samples must be a number (int) or a share (float) of the rows, got "
            f"{estimator.max_samples!r}. Set max_samples=1.0 for all of them."
        )
    if not estimator._is_shared:
        return
    what = f"ensemble='shared' (n_estimators={estimator.n_estimators!r})"
    if not sizes:
        raise ValueError(
            f"{what} shares the weights of the hidden layers, and with "
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} there are none. Set "
            "ensemble='independent'."
        )
    if draws_rows(estimator):
        raise ValueError(
            f"{what} trains all members on the same rows, got bootstrap="
            f"{estimator.bootstrap!r} and max_samples={estimator.max_samples!r}. Set "
            "ensemble='independent', or bootstrap=False and max_samples=1.0."
        )
    if estimator.solver == "lbfgs":
        raise ValueError(
            f"{what} scales shared weights by free numbers, under which penalties have "
            "no optimum, got solver='lbfgs'. Set ensemble='independent', or "
            "solver='adam' or 'sgd'."
        )
    if estimator.positive:
        raise ValueError(
            f"{what} multiplies inputs by numbers of both signs, so that positive="
            "True would not force predictions to rise. Set ensemble='independent'."
        )


def check_single(estimator, what):
    """Raise unless a fit of an estimator is one network on all of its rows.

    Parameters
    ----------
    estimator : BaseNetwork
    what : str
        What cannot take an ensemble, for the message.
    """
    if draws_rows(estimator) or (
        estimator.n_estimators > 1 and not estimator._is_shared
    ):
        names = ("n_estimators", "ensemble", "bootstrap", "max_samples")
        params = estimator.get_params(deep=False)
        given = [f"{name}={params[name]!r}" for name in names if name in params]
        # Convolutional networks share no weights.
        instead = ", or set ensemble='shared'" if "ensemble" in params else ""
        raise ValueError(
            f"{what} one network on all rows, got {', '.join(given)}. Leave them out"
            f"{instead}."
        )

"""Which metadata the splitter and the scorer of an estimator that tunes itself get."""

from numbers import Integral

from sklearn import get_config
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)


def routing_of(estimator):
    """Return the routing of an estimator, which is like LogisticRegressionCV's.

    The estimator itself uses `sample_weight` for training. The splitter gets what it
    asks for in `fit`, and the scorer in `fit` and `score`.

    Parameters
    ----------
    estimator : BaseNetworkCV

    Returns
    -------
    MetadataRouter
    """
    router = MetadataRouter(owner=estimator).add_self_request(estimator)
    splitter = estimator.cv
    if splitter is None or isinstance(splitter, Integral):
        splitter = GroupKFold()  # stands for folds that keep groups whole
    if hasattr(splitter, "get_metadata_routing"):
        router.add(
            splitter=splitter,
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
    scorer = get_scorer(estimator.scoring) if estimator.scoring else None
    if hasattr(scorer, "get_metadata_routing"):
        mapping = MethodMapping().add(caller="score", callee="score")
        mapping.add(caller="fit", callee="score")
        router.add(scorer=scorer, method_mapping=mapping)
    return router


def routed_to(estimator, method, **metadata):
    """Return the metadata of a call that the splitter and the scorer get.

    Parameters
    ----------
    estimator : BaseNetworkCV
    method : {"fit", "score"}
    **metadata
        What the user passed. What is None was not passed.

    Returns
    -------
    split, score : dict
    """
    given = {name: value for name, value in metadata.items() if value is not None}
    if not get_config()["enable_metadata_routing"]:
        groups = {"groups": given.pop("groups")} if "groups" in given else {}
        return groups, given
    routed = process_routing(estimator, method, **given)
    split = routed.get("splitter", {}).get("split", {})
    return split, routed.get("scorer", {}).get("score", {})

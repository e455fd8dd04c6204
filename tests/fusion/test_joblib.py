"""Fused calls of joblib itself, with any function, and beside other threads."""

import asyncio
import threading
import warnings

import numpy as np
import pytest
from _fusion import (
    assert_same,
    classes,
    classifier,
    compare,
    counted,
    numbers,
    outcome,
    regressor,
    search,
)
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV, cross_val_score

import skreg
from skreg import MLPClassifier, fused

pytestmark = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning"
)

X, Y = classes()
X_REAL, Y_REAL = numbers()


def fit(l2):
    return classifier(l2=l2).fit(X, Y).loss_


def fit_twice(l2):
    return fit(l2), fit(2 * l2)


def fit_if_even(k):
    return fit(0.1 * k) if k % 2 == 0 else k


def never(k):
    return k + 1


def fit_nested(k, **options):
    return Parallel(**options)(delayed(fit)(0.1 * (k + j)) for j in range(3))


def fail_at_one(k):
    loss = fit(0.1 * k)
    if k == 1:
        raise KeyError("one")
    return loss


STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.4)


class TestParallel:
    def test_function_that_fits(self):
        compare(lambda: Parallel()(delayed(fit)(k) for k in STRENGTHS), [5])

    def test_function_that_fits_twice(self):
        compare(lambda: Parallel()(delayed(fit_twice)(k) for k in STRENGTHS), [5, 5])

    def test_function_that_may_fit(self):
        compare(lambda: Parallel()(delayed(fit_if_even)(k) for k in range(5)), [3])

    def test_function_that_never_fits(self):
        compare(lambda: Parallel()(delayed(never)(k) for k in range(2000)), [])
        compare(lambda: Parallel()([]), [])

    def test_unlike_functions(self):
        functions = [fit, fit_twice, never, fit_nested, fit]
        # The last stack is that of the second fits.
        compare(lambda: Parallel()(delayed(f)(0.1) for f in functions), [6, 1])

    def test_function_that_starts_its_own(self):
        compare(lambda: Parallel()(delayed(fit_nested)(k) for k in range(4)), [12])

    @pytest.mark.parametrize("backend", ["threading", "sequential", "loky"])
    # joblib's own, below any backend of threads.
    @pytest.mark.filterwarnings("ignore:Loky-backed parallel loops:UserWarning")
    def test_function_with_a_backend_of_its_own(self, backend):
        alone = Parallel()(delayed(fit_nested)(k) for k in range(3))
        with fused():
            found = Parallel()(
                delayed(fit_nested)(k, backend=backend, n_jobs=2) for k in range(3)
            )
        assert_same(found, alone)

    def test_backend_of_its_own_in_the_block(self):
        alone = fit_nested(1)
        with fused():
            assert_same(fit_nested(1, backend="threading", n_jobs=2), alone)

    def test_function_with_a_block_of_its_own(self):
        def block(k):
            with fused():
                return fit_nested(k)

        with fused(), counted() as sizes:
            found = Parallel()(delayed(block)(k) for k in range(4))
        assert sizes == [12]
        assert_same(found, [fit_nested(k) for k in range(4)])

    def test_function_with_a_thread_of_its_own(self):
        def work(k):
            losses = []
            thread = threading.Thread(target=lambda: losses.append(fit(0.1 * k)))
            thread.start()
            thread.join()
            return [*losses, fit(k)]

        # What asks from a thread of its own is not waited for.
        compare(lambda: Parallel()(delayed(work)(k) for k in range(3)), [1, 1, 1, 3])

    @pytest.mark.parametrize("kind", ["generator", "generator_unordered"])
    def test_generator(self, kind):
        def work():
            parallel = Parallel(return_as=kind)
            return sorted(parallel(delayed(fit)(k) for k in STRENGTHS))

        compare(work, [5])

    @pytest.mark.parametrize("kind", ["generator", "generator_unordered"])
    def test_generator_that_is_left(self, kind):
        before = threading.active_count()
        with fused():
            results = Parallel(return_as=kind)(delayed(fit)(k) for k in STRENGTHS)
            next(results)
            results.close()
            # One that nobody asks.
            results = Parallel(return_as=kind)(delayed(fit)(k) for k in STRENGTHS)
            with pytest.warns(UserWarning, match="5 tasks which were still"):
                results.close()
        assert threading.active_count() == before
        assert Parallel()([delayed(never)(1)]) == [2]

    def test_generator_that_outlives_the_block(self):
        with counted() as sizes:
            with fused():
                parallel = Parallel(return_as="generator")
                results = parallel(delayed(fit)(k) for k in STRENGTHS)
            found = list(results)
        assert sizes == [5]
        assert_same(found, [fit(k) for k in STRENGTHS])

    def test_managed(self):
        def work():
            with Parallel() as parallel:
                first = parallel(delayed(fit)(k) for k in STRENGTHS)
                with pytest.raises(KeyError):
                    parallel(delayed(fail_at_one)(k) for k in range(3))
                return first, parallel(delayed(fit)(k) for k in STRENGTHS[1:])

        before = threading.active_count()
        sizes = compare(work)
        assert (sizes[0], sizes[-1]) == (5, 4)
        assert threading.active_count() == before

    @pytest.mark.parametrize("batch_size", [1, 2, 100, "auto"])
    @pytest.mark.parametrize("pre_dispatch", [1, 2, "n_jobs", "all"])
    def test_cut(self, batch_size, pre_dispatch):
        def work():
            parallel = Parallel(batch_size=batch_size, pre_dispatch=pre_dispatch)
            return parallel(delayed(fit)(k) for k in STRENGTHS)

        sizes = compare(work)
        assert sum(sizes) == 5
        if batch_size == "auto" and pre_dispatch == "all":
            assert sizes == [5]

    def test_verbose(self, capsys):
        with fused():
            Parallel(verbose=10)(delayed(fit)(k) for k in STRENGTHS)
        captured = capsys.readouterr()
        assert "5 out of   5" in captured.out + captured.err

    def test_results_that_look_like_those_of_a_search(self):
        def work():
            return {"fit_time": "fast"}

        compare(lambda: [len(r) for r in Parallel()([delayed(work)()])], [])

    @pytest.mark.parametrize("error", [KeyError, SystemExit, MemoryError])
    def test_exception(self, error):
        def work(k):
            loss = fit(k)
            if k == 0.2:
                raise error("two")
            return loss

        before = threading.active_count()
        with pytest.raises(error, match="two") as caught, fused():
            Parallel()(delayed(work)(k) for k in STRENGTHS)
        # joblib takes the traceback; a note keeps it.
        assert "in work" in "".join(caught.value.__notes__)
        assert threading.active_count() == before

    def test_exception_in_a_task_of_a_task(self):
        def nested(k):
            return Parallel()(delayed(fail_at_one)(j) for j in range(k))

        before = threading.active_count()
        with pytest.raises(KeyError, match="one"), fused():
            Parallel()(delayed(nested)(k) for k in (1, 2, 3))
        assert threading.active_count() == before

    def test_exception_that_a_task_handles(self):
        def careful(k):
            try:
                return Parallel()(delayed(fail_at_one)(j) for j in range(k))
            except KeyError:
                return fit(k)

        compare(lambda: Parallel()(delayed(careful)(k) for k in (1, 2, 3)))

    @pytest.mark.parametrize("pre_dispatch", [2, "2*n_jobs"])
    def test_exception_of_what_gives_the_tasks(self, pre_dispatch):
        def tasks():
            yield from (delayed(fit)(k) for k in STRENGTHS[:3])
            raise ZeroDivisionError("no more")

        before = threading.active_count()
        with pytest.raises(ZeroDivisionError, match="no more"), fused():
            Parallel(pre_dispatch=pre_dispatch)(tasks())
        assert threading.active_count() == before

    def test_tasks_that_are_made_by_fitting(self):
        def work():
            return Parallel(pre_dispatch=2)(delayed(fit)(fit(k)) for k in STRENGTHS)

        assert max(compare(work)) == 2

    def test_a_task_that_will_not_unwind(self):
        def stubborn(k):
            with warnings.catch_warnings():
                try:
                    fit(k)
                except BaseException:
                    return fit(k)

        def fail():
            raise KeyError("at once")

        before, filters = threading.active_count(), warnings.filters
        with pytest.raises(KeyError, match="at once"), fused():
            Parallel()([*(delayed(stubborn)(k) for k in STRENGTHS), delayed(fail)()])
        assert threading.active_count() == before
        assert warnings.filters is filters


class TestSurroundings:
    def test_two_searches_at_once(self):
        alone = [outcome(search(grid={"l2": [0.0, k]}), X, Y) for k in (0.1, 0.2)]
        found, barrier = [None, None], threading.Barrier(2)

        def work(position, strength):
            with warnings.catch_warnings(), fused():
                barrier.wait()
                one = search(grid={"l2": [0.0, strength]})
                found[position] = outcome(one, X, Y)

        # Filters of warnings belong to the process: those of two threads mix, fused
        # or not.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            threads = [
                threading.Thread(target=work, args=pair)
                for pair in enumerate((0.1, 0.2))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert_same(found, alone)

    def test_in_a_running_event_loop(self):
        async def cell():
            await asyncio.sleep(0)
            with fused():
                found = outcome(search(), X, Y)
            await asyncio.sleep(0)
            return found

        with counted() as sizes:
            found = asyncio.run(cell())
        assert sizes == [9, 1]
        assert_same(found, outcome(search(), X, Y))

    def test_little_memory_means_more_stacks(self):
        alone = outcome(search(), X, Y)
        for n_bytes, least in [(1, 9), (30_000, 2)]:
            with counted() as sizes, fused(max_memory=n_bytes):
                assert_same(outcome(search(), X, Y), alone)
            assert sum(sizes) == 10 and len(sizes) > least

    def test_the_same_by_the_name_of_the_backend(self, tmp_path):
        alone = outcome(search(), X, Y)
        for options in ({}, {"max_memory": 10**9}, {"checkpoint": tmp_path}):
            with parallel_config(backend="fused", **options), counted() as sizes:
                assert_same(outcome(search(), X, Y), alone)
            assert sizes == [9, 1]

    def test_inside_one_another(self):
        with fused(), counted() as sizes, fused():
            with parallel_config(backend="fused"):
                cross_val_score(search(), X, Y, cv=2)
        assert sizes == [18, 2]

    @pytest.mark.parametrize("n_jobs", [1, 2, -1])
    def test_n_jobs_of_the_search_is_not_used(self, n_jobs):
        alone = outcome(search(), X, Y)
        with counted() as sizes, fused():
            assert_same(outcome(search(n_jobs=n_jobs), X, Y), alone)
            cross_val_score(regressor(), X_REAL, Y_REAL, n_jobs=n_jobs)
        assert sizes == [9, 1, 5]

    # 5,000 candidates, 25,000 fits, took two minutes and met no limit.
    def test_more_fits_than_threads(self):
        n_candidates = 210
        rng = np.random.default_rng(0)
        X = rng.normal(size=(30, 2))
        y = (X[:, 0] > 0).astype(int)
        network = MLPClassifier((2,), max_iter=1, batch_size=30, random_state=0)
        one = GridSearchCV(network, {"l2": np.linspace(0, 1, n_candidates)}, cv=3)
        most, start = [0], threading.Thread.start

        def counting(thread):
            start(thread)
            most[0] = max(most[0], threading.active_count())

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", counting)
            with counted() as sizes, fused():
                one.fit(X, y)
        assert sum(sizes) == 3 * n_candidates + 1
        assert len(sizes) < 25
        assert most[0] < 600
        candidate = network.set_params(l2=np.linspace(0, 1, n_candidates)[97])
        alone = cross_val_score(candidate, X, y, cv=3)
        np.testing.assert_allclose(one.cv_results_["mean_test_score"][97], alone.mean())


BAD = [
    {"max_memory": 0},
    {"max_memory": -1},
    {"max_memory": 1e9},
    {"max_memory": "1GB"},
    {"n_jobs": 0},
    {"n_jobs": 1.5},
    {"over": "fused"},
    {"over": None},
    {"over": "no such backend"},
    {"checkpoint": 5},
]


class TestOptions:
    @pytest.mark.parametrize("options", BAD, ids=str)
    @pytest.mark.parametrize("by_name", [False, True])
    def test_bad_ones_are_named(self, options, by_name):
        (name,) = options
        if by_name and name == "n_jobs":  # which joblib checks
            options = {"n_jobs": 0}
        with pytest.raises(ValueError, match=name):
            if by_name:
                with parallel_config(backend="fused", **options):
                    cross_val_score(classifier(), X, Y, cv=2)
            else:
                with fused(**options):
                    cross_val_score(classifier(), X, Y, cv=2)

    def test_public(self):
        assert skreg.fused is fused and "fused" in skreg.__all__

"""The tests that every test run also runs on the oldest versions."""

# What scikit-learn and users rely on, from end to end: `make contract-oldest`. All
# configurations train in test_isolation.py.
CONTRACT = {
    "comparison/test_comparing.py",
    "estimators/test_categories.py",
    "estimators/test_common.py",
    "estimators/test_isolation.py",
    "estimators/test_preparation.py",
    "fusion/test_fused.py",
    "fusion/test_meta_estimators.py",
    "model_selection/test_bayes.py",
    "model_selection/test_common_cv.py",
    "model_selection/test_mlp_cv.py",
    "model_selection/test_mlp_cv_routing.py",
    "test_compatibility.py",
    "test_device_rules.py",
    "test_versions.py",
}

"""The publications that the documentation of the networks refers to."""

REFERENCES = """
    .. [1] Loshchilov and Hutter (2019), "Decoupled Weight Decay Regularization".
    .. [2] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014),
       "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    .. [3] Ioffe and Szegedy (2015), "Batch Normalization: Accelerating Deep Network
       Training by Reducing Internal Covariate Shift".
    .. [4] Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond Empirical Risk
       Minimization".
    .. [5] Yun, Lozano and Yang (2021), "Adaptive Proximal Gradient Methods for
       Structured Neural Networks".
    .. [6] Lemhadri, Ruan, Abraham and Tibshirani (2021), "LassoNet: A Neural Network
       with Feature Sparsity".
    .. [7] He, Zhang, Ren and Sun (2016), "Deep Residual Learning for Image
       Recognition".
    .. [8] Huang, Sun, Liu, Sedra and Weinberger (2016), "Deep Networks with Stochastic
       Depth".
    .. [9] Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm
       Restarts".
    .. [10] Smith and Topin (2018), "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates".
    .. [11] Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018), "Averaging Weights
       Leads to Wider Optima and Better Generalization".
    .. [12] Yun, Han, Oh, Chun, Choe and Yoo (2019), "CutMix: Regularization Strategy to
       Train Strong Classifiers with Localizable Features"; on columns as in Kadra,
       Lindauer, Hutter and Grabocka (2021), "Well-Tuned Simple Nets Excel on Tabular
       Datasets".
    .. [13] DeVries and Taylor (2017), "Improved Regularization of Convolutional Neural
       Networks with Cutout".
    .. [14] Goodfellow, Shlens and Szegedy (2015), "Explaining and Harnessing
       Adversarial Examples".
    .. [15] Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical
       Features in Tabular Deep Learning".
    .. [16] Holzmüller, Grinsztajn and Steinwart (2024), "Better by Default: Strong
       Pre-Tuned MLPs and Boosted Trees on Tabular Data".
    .. [17] Huang, Li, Pleiss, Liu, Hopcroft and Weinberger (2017), "Snapshot Ensembles:
       Train 1, Get M for Free".
    .. [18] Tompson, Goroshin, Jain, LeCun and Bregler (2015), "Efficient Object
       Localization Using Convolutional Networks".
    .. [30] Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable
       Predictive Uncertainty Estimation using Deep Ensembles".
    .. [31] Gorishniy, Kotelnikov and Babenko (2025), "TabM: Advancing Tabular Deep
       Learning with Parameter-Efficient Ensembling".
    .. [32] Wen, Tran and Ba (2020), "BatchEnsemble: An Alternative Approach to
       Efficient Ensemble and Lifelong Learning".
    .. [33] Breiman (1996), "Bagging Predictors".
"""

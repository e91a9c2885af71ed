"""What to do where a package cannot be imported for a reason that its own error does not tell."""

from importlib.metadata import PackageNotFoundError, version

INDEX = "https://download.pytorch.org/whl/"
"""Folder of PyTorch's builds, each called as the local version of torch: cpu, cu128, ..."""


def advice(error: BaseException) -> str | None:
    """One sentence and a command, or None where the error speaks for itself.

    torchvision of another build than torch, such as PyPI's beside a torch for CPUs alone, ends its
    own import with an operator that does not exist.
    """
    if not (isinstance(error, RuntimeError) and "operator torchvision::" in str(error)):
        return None
    try:
        torch, torchvision = version("torch"), version("torchvision")
    except PackageNotFoundError:
        return None
    build = torch.partition("+")[2]
    index = f" --index-url {INDEX}{build}" if build else ""
    wanted = torchvision.partition("+")[0]
    return (
        f"torchvision {torchvision} is of another build than torch {torch} and cannot be imported "
        "beside it; install that of the same build: "
        f"pip install --force-reinstall --no-deps torchvision=={wanted}{index}"
    )

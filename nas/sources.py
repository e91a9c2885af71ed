"""The data of a run: opened, and checked against what its configuration expects."""

from hw import data as datasets
from hw.data import Dataset
from hw.errors import InputError
from nas.config import Config


def open_data(data: str, split: str, config: Config) -> Dataset:
    """The split 'train' or 'test' of a named data set or a folder.

    Raises
    ------
    InputError: there is no such data, or it is not as `config.expect` says
    """
    source = datasets.load(data, split)
    image, expect = "x".join(str(side) for side in source.image_shape), config.expect
    for field, found, expected in (
        ("image", image, expect.image),
        ("classes", source.classes, expect.classes),
    ):
        if expected not in (None, found):
            raise InputError(
                f"data: {data}: {field} {found}, but the configuration is for {expected}; "
                f"choose another --config or set expect.{field}=null"
            )
    return source

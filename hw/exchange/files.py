"""ONNX files."""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, checker

from hw.errors import InputError


def load(path: Path) -> ModelProto:
    """The model in a file, checked.

    Raises
    ------
    InputError: it cannot be read, or is no valid ONNX model
    """
    try:
        model = onnx.load(path, format="protobuf")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give an ONNX file") from error
    except (DecodeError, ValueError) as error:
        raise InputError(f"{path}: not an ONNX file ({_line(error)})") from error
    try:
        checker.check_model(model, full_check=True)
    except (checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise InputError(f"{path}: not a valid ONNX model: {_line(error)}") from error
    return model


def _line(error: Exception) -> str:
    return " ".join(str(error).split())

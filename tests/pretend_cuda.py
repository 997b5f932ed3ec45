"""A CUDA device played on the CPU: what is moved to it carries a mark, and operations that mix devices are noted.

Where no GPU is, this is how the way through the package on one is tested. Values are the CPU's.
"""

import traceback
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

__all__ = ["CUDA", "PretendCuda", "copied_mark"]

CUDA = torch.device("cuda")

_ACROSS = {"copy_", "to", "load_state_dict", "backward", "is_same_size", "_has_compatible_shallow_copy_type"}
"""Operations that may take tensors of two devices."""

_tensor: Any = Tensor


def _marked(value: Any) -> bool:
    return isinstance(value, Tensor) and bool(value.__dict__.get("on_cuda"))


def _mark(value: Any, on: bool = True) -> Any:
    for tensor in tree_leaves(value):
        if isinstance(tensor, Tensor):
            vars(tensor)["on_cuda"] = on
    return value


def _is_cuda(device: Any) -> bool:
    return isinstance(device, (str, torch.device)) and torch.device(device).type == "cuda"


def copied_mark(deepcopy: Any) -> Any:
    """Return a parameter's ``__deepcopy__`` that copies the mark."""
    return lambda parameter, memo: _mark(deepcopy(parameter, memo), _marked(parameter))


class PretendCuda(TorchFunctionMode):
    """Notes in ``mixed`` what a GPU would refuse, by operation and place."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: dict[str, None] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if func == _tensor.device.__get__:
            return CUDA if _marked(args[0]) else func(*args)
        if func == _tensor.is_cuda.__get__:
            return _marked(args[0])
        if func == _tensor.data.__set__:
            func(*args)
            return _mark(args[0], _marked(args[1]))
        if name in ("to", "cpu", "cuda"):
            return self._moved(func, name, args, kwargs)
        if name in ("numpy", "__array__") and _marked(args[0]):
            self._note(f"{name} of a tensor on the device")
        made_there = _is_cuda(kwargs.get("device"))
        if made_there:
            kwargs["device"] = "cpu"
            if kwargs.get("generator") is not None:
                self._note(f"{name} on the device with a generator of the CPU")
        if name in ("__getitem__", "__setitem__"):
            return self._indexed(func, name, args)
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        there = [tensor for tensor in tensors if _marked(tensor)]
        if (
            there
            and name not in _ACROSS
            and any(not _marked(tensor) and (tensor.dim() or name in ("cat", "stack")) for tensor in tensors)
        ):
            self._note(f"{name} of tensors on two devices")
        found = func(*args, **kwargs)
        return _mark(found) if made_there or (there and name not in _ACROSS) else found

    def _moved(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        tensor, wanted = args[0], kwargs.pop("device", None)
        types = [value for value in args[1:] if isinstance(value, torch.dtype)]
        for value in args[1:]:
            if isinstance(value, (str, torch.device)):
                wanted = value
            elif isinstance(value, Tensor):
                wanted, types = CUDA if _marked(value) else "cpu", [value.dtype]
        kept = {key: value for key, value in kwargs.items() if key in ("dtype", "memory_format") and value is not None}
        there = {"cpu": False, "cuda": True}.get(name, _marked(tensor) if wanted is None else _is_cuda(wanted))
        found = func(tensor, *types, **kept) if name == "to" and (types or kept) else tensor
        if there == _marked(tensor):
            return _mark(found, there) if found is not tensor else found
        return _mark(found.clone() if found is tensor else found, there)

    def _indexed(self, func: Any, name: str, args: Any) -> Any:
        """An index may be on the CPU, but of a tensor on the CPU not on the device."""
        inside = [value for value in tree_leaves(args[1]) if isinstance(value, Tensor)]
        if not _marked(args[0]) and any(_marked(index) for index in inside):
            self._note("a tensor on the CPU is indexed from the device")
        put = args[2] if name == "__setitem__" and inside else None
        if isinstance(put, Tensor) and put.dim() and _marked(put) != _marked(args[0]):
            self._note("values of another device are put into a tensor")
        found = func(*args)
        return _mark(found) if name == "__getitem__" and _marked(args[0]) else found

    def _note(self, what: str) -> None:
        frames = [f for f in traceback.extract_stack() if "/ganforget/" in f.filename.replace("\\", "/")]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
        self.mixed[f"{what}, {place}"] = None

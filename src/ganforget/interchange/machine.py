"""A machine that follows a pickle's opcodes and builds inert values only: it calls, imports and looks up nothing.

What each allowed name stands for is given as a table of functions of ours. A name or opcode that is not in the
tables is an error; a listing keeps count of them instead and goes on, since here they do no harm either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import Global, NumpyArray, NumpyType, Opaque
from ganforget.interchange.opcodes import MOST_OPCODES, OPCODES, Opcode, read_opcodes
from ganforget.interchange.window import Span, Window

__all__ = ["Grammar", "Machine", "Maker"]

Maker = Callable[[tuple[Any, ...]], Any]

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
_VALUES |= {"BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_ENCODE = Global("_codecs", "encode")
"""Protocol 2 has no opcode for bytes: a text behind this name spells them, and stays in the file as they would."""
_TEXT_HEADER = 5
_KEY_TYPES = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Grammar:
    """What one kind of pickle may hold."""

    protocols: tuple[int, ...]
    called: Mapping[tuple[str, str], Maker] = field(default_factory=dict)
    """Names that REDUCE may call, and what is made of their arguments."""
    made: Mapping[tuple[str, str], Maker] = field(default_factory=dict)
    """Names that NEWOBJ may make."""
    named: frozenset[tuple[str, str]] = frozenset()
    """Names that are mentioned only."""
    persistent: Maker | None = None
    """What a persistent id stands for."""
    most_opcodes: int = MOST_OPCODES

    def allows(self, name: tuple[str, str]) -> bool:
        return name in self.called or name in self.made or name in self.named


class Machine:
    """Follows one pickle. What is outside the grammar is an error with ``strict``, and listed in ``outside`` else."""

    def __init__(self, grammar: Grammar, *, strict: bool = True) -> None:
        self.grammar, self.strict = grammar, strict
        self.outside: list[str] = []
        self.count, self.protocol = 0, 0
        self.value: Any = None
        self.spans: list[Span] = []
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self, window: Window) -> Any:
        """Return the value of the pickle that begins at the window's position; ModelFileError where it is none."""
        self._window = window
        for op in read_opcodes(window, self.grammar.most_opcodes):
            self.count += 1
            if self.count == 1 and (op.name != "PROTO" or op.argument not in self.grammar.protocols):
                self._refuse_protocol(op)
            try:
                _HANDLERS[op.name](self, op)
            except (IndexError, KeyError, TypeError) as error:  # too short a stack, no such memo, an odd key
                raise ModelFileError(f"the pickle is damaged at byte {op.position} ({op.name})") from error
        if self._stack or self._marks:
            raise ModelFileError("the pickle ends with values that belong to nothing")
        return self.value

    def _refuse_protocol(self, op: Opcode) -> None:
        if self.strict or op.name != "PROTO":
            expected = " or ".join(str(p) for p in self.grammar.protocols)
            found = f"protocol {op.argument}" if op.name == "PROTO" else f"{op.name}, hence protocol 0 or 1"
            raise ModelFileError(f"it is a pickle of {found}; expected protocol {expected}")
        self.outside.append(f"protocol {op.argument}")

    # ------------------------------------------------------------------------

    def _do_value(self, op: Opcode) -> None:
        value = op.argument
        if op.name == "BINUNICODE" and self.protocol == 2 and self._stack and self._stack[-1] == _ENCODE:
            start = op.position + _TEXT_HEADER
            value = Span(self._window.file, start, self._window.position - start, is_spelled=True)
        self._stack.append(value)
        if isinstance(value, Span):
            self.spans.append(value)

    def _do_constant(self, op: Opcode) -> None:
        self._stack.append(_CONSTANTS[op.name])

    def _report(self, what: str, op: Opcode) -> None:
        """Note something outside the grammar, or refuse it."""
        if self.strict:
            raise ModelFileError(f"it holds {what} (byte {op.position}), which is not on the list of what is allowed")
        self.outside.append(f"{what} at byte {op.position}")

    def _pop_marked(self) -> list[Any]:
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _do_proto(self, op: Opcode) -> None:
        if self.count > 1:
            self._report("a second PROTO", op)
        self.protocol = op.argument

    def _do_frame(self, op: Opcode) -> None:
        """Frames only say how much to read at once."""

    def _do_stop(self, op: Opcode) -> None:
        self.value = self._stack.pop()

    def _do_mark(self, op: Opcode) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _do_memoize(self, op: Opcode) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _do_binput(self, op: Opcode) -> None:
        if op.argument >= self.grammar.most_opcodes:
            raise ModelFileError(f"byte {op.position} asks for a memo of {op.argument} values")
        self._memo[op.argument] = self._stack[-1]

    _do_long_binput = _do_binput

    def _do_binget(self, op: Opcode) -> None:
        self._stack.append(self._memo[op.argument])

    _do_long_binget = _do_binget

    # ------------------------------------------------------------------------
    # Containers.

    def _do_empty_dict(self, op: Opcode) -> None:
        self._stack.append({})

    def _do_empty_list(self, op: Opcode) -> None:
        self._stack.append([])

    def _do_empty_set(self, op: Opcode) -> None:
        self._stack.append(set())

    def _do_empty_tuple(self, op: Opcode) -> None:
        self._stack.append(())

    def _do_tuple(self, op: Opcode) -> None:
        items = self._pop_marked()
        self._stack.append(tuple(items))

    def _do_tuple1(self, op: Opcode) -> None:
        count = int(op.name[-1])
        if len(self._stack) < count:
            raise IndexError("too short a stack")
        items = tuple(self._stack[-count:])
        del self._stack[-count:]
        self._stack.append(items)

    _do_tuple2 = _do_tuple3 = _do_tuple1

    def _do_append(self, op: Opcode) -> None:
        item = self._stack.pop()
        self._extend(self._stack[-1], [item])

    def _do_appends(self, op: Opcode) -> None:
        items = self._pop_marked()
        self._extend(self._stack[-1], items)

    def _extend(self, target: Any, items: list[Any]) -> None:
        if type(target) is list:
            target.extend(items)
        elif not isinstance(target, Opaque):
            raise TypeError("APPENDS to no list")

    def _do_additems(self, op: Opcode) -> None:
        items = self._pop_marked()
        if type(self._stack[-1]) is set:
            self._stack[-1].update(_key(item) for item in items)
        elif not isinstance(self._stack[-1], Opaque):
            raise TypeError("ADDITEMS to no set")

    def _do_setitem(self, op: Opcode) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._update(self._stack[-1], [key, value])

    def _do_setitems(self, op: Opcode) -> None:
        items = self._pop_marked()
        self._update(self._stack[-1], items)

    def _update(self, target: Any, items: list[Any]) -> None:
        if len(items) % 2 or not isinstance(target, dict | Opaque):
            raise TypeError("SETITEMS to no dict, or with a key alone")
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                target[_key(key)] = value

    # ------------------------------------------------------------------------
    # Names and what is made by them.

    def _do_global(self, op: Opcode) -> None:
        module, name = op.argument
        self._name(module, name, op)

    def _do_stack_global(self, op: Opcode) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is str and type(module) is str:
            self._name(module, name, op)
        else:
            self._report("a name that is made while it is read", op)
            self._stack.append(Opaque(op.name))

    def _name(self, module: str, name: str, op: Opcode) -> None:
        if not self.grammar.allows((module, name)):
            self._report(f"the name {module}.{name}", op)
        self._stack.append(Global(module, name))

    def _do_reduce(self, op: Opcode) -> None:
        self._make(self.grammar.called, "a call of", op)

    def _do_newobj(self, op: Opcode) -> None:
        self._make(self.grammar.made, "a new", op)

    def _make(self, makers: Mapping[tuple[str, str], Maker], words: str, op: Opcode) -> None:
        arguments, what = self._stack.pop(), self._stack.pop()
        known = makers.get((what.module, what.name)) if isinstance(what, Global) else None
        if known is None or type(arguments) is not tuple:
            self._report(f"{words} {what if isinstance(what, Global) else type(what).__name__}", op)
            self._stack.append(Opaque(str(what) if isinstance(what, Global) else op.name))
            return
        try:
            self._stack.append(known(arguments))
        except ModelFileError as error:
            self._report(f"{what} with arguments that it cannot have: {error}", op)
            self._stack.append(Opaque(str(what)))

    def _do_build(self, op: Opcode) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, NumpyType | NumpyArray) and target.state is None:
            target.state = state
        elif not (isinstance(target, dict) and (state is None or (type(state) is dict and not state))):
            self._report(f"a BUILD of {getattr(target, 'origin', type(target).__name__)}", op)

    def _do_binpersid(self, op: Opcode) -> None:
        key = self._stack.pop()
        if self.grammar.persistent is None or type(key) is not tuple:
            self._report("a persistent id", op)
            self._stack.append(Opaque("persistent id"))
        else:
            self._stack.append(self.grammar.persistent(key))

    # ------------------------------------------------------------------------

    def _leave(self, op: Opcode) -> None:
        """Refuse an opcode that no StyleGAN2 pickle has; in a listing, do to the stack what it would do."""
        name = ".".join(op.argument) if isinstance(op.argument, tuple) else ""
        if isinstance(op.argument, int):
            name = str(op.argument)
        self._report(f"the opcode {op.name} {name}".rstrip(), op)
        if op.name in ("INST", "OBJ", "LIST", "DICT", "FROZENSET", "POP_MARK"):
            self._pop_marked()
        elif op.name == "NEWOBJ_EX":
            del self._stack[-3:]
        elif op.name == "POP":
            self._stack.pop()
        elif op.name == "GET":
            self._stack.append(self._memo.get(_whole(op.argument)))
            return
        elif op.name == "PUT":
            self._memo[_whole(op.argument)] = self._stack[-1]
        if op.name not in ("POP", "POP_MARK", "PUT", "READONLY_BUFFER"):
            self._stack.append(Opaque(f"{op.name} {name}".rstrip()))


def _handlers() -> dict[str, Callable[[Machine, Opcode], None]]:
    """Return which method follows each opcode."""
    found = {name: getattr(Machine, f"_do_{name.lower()}", Machine._leave) for name in OPCODES}
    found |= dict.fromkeys(_VALUES, Machine._do_value) | dict.fromkeys(_CONSTANTS, Machine._do_constant)
    return found


_HANDLERS = _handlers()


def _key(key: Any) -> Any:
    """Return what may be a key: never a value that computes its own hash, or is nested."""
    if type(key) not in _KEY_TYPES:
        raise TypeError(f"{type(key).__name__} as a key")
    return key


def _whole(text: Any) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 else -1

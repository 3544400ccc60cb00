"""Plug-ins that misbehave, and what is said of each."""

from __future__ import annotations

from plugin_files import GOOD, HEAD, misbehaving

AT = "if step.t == 7:\n    "

# The line to be named is the one that ends in `# here`, or else that of the method.
MISDEEDS: dict[str, tuple[str, str]] = {
    "raises in init": (
        misbehaving(init="params[0, 99999]  # here"),
        "before step 1: init raised IndexError: index 99999 is out of bounds",
    ),
    "init returns None": (
        misbehaving(init="return None"),
        "before step 1: init returned None, expected a dict of slots",
    ),
    "a slot is a number": (
        misbehaving(init='return {"n": 0}'),
        "made the slot n a int, expected real numbers of shape (1, ...)",
    ),
    "a slot has no axis of runs": (
        misbehaving(init='return {"v": np.zeros(params.size)}'),
        "made the slot v float64 of shape (25,), expected real numbers of shape (1, ...)",
    ),
    "a slot is called like a recorded series": (
        misbehaving(init='return {"grad": params * 0}'),
        "called a slot 'grad'",
    ),
    "settings are refused": (
        misbehaving(rest="def __post_init__(self):\n    raise ValueError('no')  # here"),
        "before step 1: init raised ValueError: no",
    ),
    "raises at the first step": (
        misbehaving("1 / 0  # here"),
        "step 1: update raised ZeroDivisionError: division by zero",
    ),
    "raises at a later step": (
        misbehaving(f"{AT}undefined  # here"),
        "step 7: update raised NameError: name 'undefined' is not defined",
    ),
    "raises in NumPy": (
        misbehaving(f"{AT}np.linalg.inv(np.zeros((2, 2)))  # here"),
        "step 7: update raised numpy.linalg.LinAlgError: Singular matrix",
    ),
    "never stops calling itself": (
        misbehaving(
            f"{AT}self.update(grads, state, step)  # here",
        ),
        "step 7: update raised RecursionError: maximum recursion depth exceeded",
    ),
    "has an exception that cannot be printed": (
        misbehaving(
            f"{AT}raise self.Rude  # here",
            rest="class Rude(Exception):\n    def __str__(self):\n        1 / 0",
        ),
        "step 7: update raised adamcli_plugin_mine.Mine.Rude: <exception str() failed>",
    ),
    "has an exception that is no Exception": (
        misbehaving(f"{AT}raise BaseException('x')  # here"),
        "step 7: update raised BaseException: x",
    ),
    "calls sys.exit": (
        misbehaving(f"{AT}sys.exit(0)  # here"),
        "step 7: update raised SystemExit: 0",
    ),
    "raises KeyboardInterrupt": (
        misbehaving(f"{AT}raise KeyboardInterrupt  # here"),
        "step 7: update raised KeyboardInterrupt",
    ),
    "returns None": (
        misbehaving(f"{AT}return"),
        "step 7: update returned None, expected float64 of shape (1, 25)",
    ),
    "returns a list": (
        misbehaving(f"{AT}return grads.tolist()"),
        "step 7: update returned a list, expected float64 of shape (1, 25)",
    ),
    "returns a number": (
        misbehaving(f"{AT}return -0.1"),
        "step 7: update returned a float, expected float64 of shape (1, 25)",
    ),
    "returns a row without its axis": (
        misbehaving(f"{AT}return -grads[0]"),
        "step 7: update returned float64 of shape (25,), expected float64 of shape (1, 25)",
    ),
    "returns a column that would broadcast": (
        misbehaving(f"{AT}return -grads.mean(axis=1, keepdims=True)"),
        "step 7: update returned float64 of shape (1, 1), expected float64 of shape (1, 25)",
    ),
    "returns a square of a row and a column": (
        misbehaving(f"{AT}return grads.T * grads"),
        "step 7: update returned float64 of shape (25, 25), expected float64 of shape (1, 25)",
    ),
    "returns another precision": (
        misbehaving(f"{AT}return grads.astype('float32')"),
        "step 7: update returned float32 of shape (1, 25), expected float64 of shape (1, 25)",
    ),
    "returns complex numbers": (
        misbehaving(f"{AT}return grads * 1j"),
        "step 7: update returned complex128 of shape (1, 25)",
    ),
    "returns objects": (
        misbehaving(f"{AT}return grads.astype(object)"),
        "step 7: update returned object of shape (1, 25)",
    ),
    "returns a masked array": (
        misbehaving(f"{AT}return np.ma.masked_less(grads, 0)"),
        "step 7: update returned a MaskedArray",
    ),
    "writes to the gradients": (
        misbehaving(f"{AT}grads *= 0  # here"),
        "step 7: update raised ValueError: output array is read-only",
    ),
    "writes to the parameters": (
        misbehaving(f"{AT}step.params[0, 0] = 1  # here"),
        "step 7: update raised ValueError: assignment destination is read-only",
    ),
    "makes the gradients writeable": (
        misbehaving(f"{AT}grads.flags.writeable = True  # here"),
        "step 7: update raised ValueError: cannot set WRITEABLE flag to True",
    ),
    "makes what is behind the gradients writeable": (
        misbehaving(f"{AT}grads.base.flags.writeable = True  # here"),
        "step 7: update raised",
    ),
    "writes to the first parameters": (
        misbehaving(init="params += 1  # here"),
        "before step 1: init raised ValueError: output array is read-only",
    ),
    "gives NaN": (
        misbehaving("u = -grads\nif step.t == 7:\n    u[0, 13] = np.nan\nreturn u"),
        "step 7: update returned nan for b1[1] although the gradient is finite",
    ),
    "divides by zero": (
        misbehaving(f"{AT}return grads / (grads * 0)"),
        "although the gradient is finite",
    ),
    "gives infinity": (
        misbehaving(f"{AT}return grads * 0 + np.inf"),
        "step 7: update returned inf for W1[0,0] although the gradient is finite",
    ),
    "loses a slot": (
        misbehaving(f'{AT}del state["m"]'),
        "step 7: update changed the slots from m to none",
    ),
    "adds a slot": (
        misbehaving(f'{AT}state["n"] = grads'),
        "step 7: update changed the slots from m to m, n",
    ),
    "gives a slot another shape": (
        misbehaving(f'{AT}state["m"] = grads.T * grads'),
        "left float64 of shape (25, 25) in the slot m, expected float64 of shape (1, 25)",
    ),
    "seeds NumPy's global generator": (
        misbehaving(f"{AT}np.random.seed(0)"),
        "step 7: update changed NumPy's global random state",
    ),
    "draws from NumPy's global generator": (
        misbehaving(f"{AT}np.random.rand()"),
        "step 7: update changed NumPy's global random state",
    ),
    "replaces NumPy's global generator": (
        misbehaving(f"{AT}np.random.set_bit_generator(np.random.PCG64(0))"),
        "step 7: update changed NumPy's global random state",
    ),
    "lets NumPy raise": (
        misbehaving(f"{AT}np.seterr(all='raise')"),
        "step 7: update changed NumPy's error handling",
    ),
    "lets NumPy raise from the start": (
        misbehaving(init="np.seterr(all='raise')"),
        "before step 1: init changed NumPy's error handling",
    ),
    "goes elsewhere": (
        misbehaving(f"{AT}os.chdir('/')"),
        "step 7: update changed the working directory",
    ),
    "evaluates nowhere": (
        misbehaving(rest="def evaluated(self, params, state):\n    pass"),
        "at an evaluation: evaluated returned None, expected float64 of shape (1, 25)",
    ),
    "raises in trace": (
        misbehaving(rest="def trace(self, series, lr, t):\n    series['w']  # here"),
        "at the end: trace raised KeyError: 'w'",
    ),
    "traces too little": (
        misbehaving(rest="def trace(self, series, lr, t):\n    return {'x': lr[1:]}"),
        "at the end: trace gave float64 of shape (11,) for x, expected real numbers of shape (12,)",
    ),
    "traces under a taken name": (
        misbehaving(rest="def trace(self, series, lr, t):\n    return {'grad': lr}"),
        "at the end: trace called a series 'grad'",
    ),
    "shows what there is not": (
        misbehaving(rest="def trace(self, *_):\n    return {}").replace(
            "    lr: float", "    panels = [('a', ['w'])]\n    lr: float"
        ),
        "at the end: trace gives no series 'w', which a panel is to show",
    ),
}

# Name of the file, content, message.
UNUSABLE: dict[str, tuple[str, str, str]] = {
    "a name that is none": ("my opt", GOOD, "a file whose name cannot name an optimizer, "),
    "a long name": ("x" * 65, GOOD, "a file whose name cannot name an optimizer, "),
    "a built-in name": ("adam", GOOD, "adam is the name of an optimizer that adamcli has, "),
    "a syntax error": ("mine", f"{HEAD}def f(:  # here", "raised SyntaxError: "),
    "a NUL": ("mine", "x = 1\0", "raised "),
    "another encoding": ("mine", "x = '\udcff'", "raised SyntaxError: "),
    "an import error": ("mine", "import nothing_like_it  # here", "raised ModuleNotFoundError: "),
    "an error": ("mine", f"{HEAD}1 / 0  # here", "raised ZeroDivisionError: division by zero"),
    "an exit": ("mine", f"{HEAD}sys.exit(0)  # here", "raised SystemExit: 0"),
    "a seed": ("mine", "import numpy\nnumpy.random.seed(1)", "changed NumPy's global random state"),
    "nothing": ("mine", "", "has no public class with an update"),
    "no method": ("mine", f"{HEAD}class A:  # here\n    pass", "no public class with an update"),
    "a private class": ("mine", GOOD.replace("Mine", "_Mine"), "no public class with an update"),
    "two classes": (
        "mine",
        f"{GOOD}\n@dataclass(frozen=True)\nclass Other(Mine):  # here\n    pass",
        "has 2 public classes with an update, Mine on line 7, Other on line 22",
    ),
    "no dataclass": (
        "mine",
        GOOD.replace("@dataclass(frozen=True)\nclass Mine:", "class Mine:  # here"),
        "has a class Mine that is no dataclass",
    ),
    "a dataclass that is not frozen": (
        "mine",
        GOOD.replace("(frozen=True)\nclass Mine:", "\nclass Mine:  # here"),
        "has a dataclass Mine that is not frozen",
    ),
    "no init": (
        "mine",
        GOOD.replace("def init", "def start").replace("class Mine:", "class Mine:  # here"),
        "has a class Mine without init",
    ),
    "a field without a default": (
        "mine",
        GOOD.replace("lr: float = 0.05", "lr: float  # here"),
        "has a field lr without a default that is a number, a bool or a word",
    ),
    "a field with an odd default": (
        "mine",
        GOOD.replace("turbo: bool = False", "turbo: object = None  # here"),
        "has a field turbo without a default",
    ),
    "an integer learning rate": (
        "mine",
        GOOD.replace("0.05", "1  # here"),
        "has a float lr whose default 1 is an integer",
    ),
    "no learning rate": ("mine", GOOD.replace("lr: float", "rate: float"), "has no field lr"),
    "a wrong setting": (
        "mine",
        GOOD.replace("ge=0, lt=1", "gee=0"),
        "declares a setting wrongly",
    ),
    "an unwritable default": (
        "mine",
        GOOD.replace("turbo: bool = False", "turbo: str = '\\x1b'  # here"),
        "has a setting turbo that no experiment file could give",
    ),
    "panels that are none": (
        "mine",
        GOOD.replace("    lr:", "    panels = ['m']  # here\n    lr:"),
        "has panels that are no panels",
    ),
}

"""What a pickle may import: a list of what data needs. Everything else is told, and some of it is known to be harmful.

The names are those that PyTorch, NumPy, transformers, accelerate and TRL write into checkpoints, optimiser states,
random states and `training_args.bin`; `torch.load(weights_only=True)` keeps a list of the same kind
(https://docs.pytorch.org/docs/stable/notes/serialization.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

_DTYPES = (
    "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 uint16 uint32 uint64 bool complex64 complex128 "
    "float8_e4m3fn float8_e5m2 quint8 qint8 qint32"
)
_STORAGES = (
    "DoubleStorage FloatStorage HalfStorage BFloat16Storage LongStorage IntStorage ShortStorage CharStorage "
    "ByteStorage BoolStorage ComplexFloatStorage ComplexDoubleStorage QUInt8Storage QInt8Storage QInt32Storage"
)
_BUILTINS = "set frozenset list dict tuple int float str bytes bytearray bool complex slice range object NoneType"
_DEEPSPEED = "HfTrainerDeepSpeedConfig HfDeepSpeedConfig"
_ARRAYS = "_reconstruct scalar"

_ALLOWED: Mapping[str, frozenset[str]] = MappingProxyType({
    module: frozenset(names.split())
    for module, names in {
        "builtins": _BUILTINS,
        "__builtin__": f"{_BUILTINS} unicode long",
        "collections": "OrderedDict defaultdict Counter deque",
        "copyreg": "_reconstructor",
        "copy_reg": "_reconstructor",
        "_codecs": "encode",
        "datetime": "datetime date time timedelta timezone",
        "decimal": "Decimal",
        "fractions": "Fraction",
        "uuid": "UUID",
        "argparse": "Namespace",
        "pathlib": "PosixPath WindowsPath PurePosixPath PureWindowsPath Path",
        "torch": f"{_DTYPES} {_STORAGES} device Size Tensor strided sparse_coo contiguous_format channels_last "
        "preserve_format per_tensor_affine per_channel_affine",
        "torch.cuda": _STORAGES,
        "torch.storage": "UntypedStorage TypedStorage",
        "torch.serialization": "_get_layout",
        "torch._utils": "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_parameter "
        "_rebuild_parameter_with_state _rebuild_sparse_tensor _rebuild_qtensor _rebuild_meta_tensor_no_storage "
        "_rebuild_device_tensor_from_numpy _rebuild_nested_tensor",
        "torch.nn.parameter": "Parameter",
        "numpy": "dtype ndarray int64 int32 float64 float32 float16 bool_ int8 uint8 int16 uint16 uint32 uint64",
        "numpy.core.multiarray": _ARRAYS,
        "numpy._core.multiarray": _ARRAYS,
        "numpy.core.numeric": "_frombuffer",
        "numpy._core.numeric": "_frombuffer",
        "numpy.random._pickle": "__randomstate_ctor __generator_ctor __bit_generator_ctor",
        "numpy.random._mt19937": "MT19937",
        "numpy.random._pcg64": "PCG64",
        "transformers.training_args": "TrainingArguments OptimizerNames ParallelMode",
        "transformers.training_args_seq2seq": "Seq2SeqTrainingArguments",
        "transformers.trainer_utils": "IntervalStrategy SchedulerType HubStrategy EvaluationStrategy SaveStrategy "
        "FSDPOption ShardedDDPOption EvalPrediction",
        "transformers.trainer_pt_utils": "AcceleratorConfig",
        "transformers.debug_utils": "DebugOption",
        "transformers.integrations.deepspeed": _DEEPSPEED,
        "transformers.deepspeed": _DEEPSPEED,
        "transformers.generation.configuration_utils": "GenerationConfig",
        "accelerate.state": "PartialState AcceleratorState DistributedType",
        "accelerate.utils.dataclasses": "DistributedType DeepSpeedPlugin FullyShardedDataParallelPlugin "
        "GradientAccumulationPlugin AutocastKwargs",
    }.items()
})  # fmt: skip
_CONFIGS = re.compile(r"trl\.trainer\.(\w+_config) (\w+Config)", re.ASCII)
"""TRL's arguments of training, one module each."""

_HARMFUL = (
    "os posix nt ntpath posixpath subprocess sys runpy importlib imp pkgutil socket ssl shutil ctypes _ctypes pty "
    "tty code codeop asyncio multiprocessing threading _thread signal http urllib urllib2 urllib3 requests httpx "
    "aiohttp webbrowser pickle _pickle cPickle cloudpickle dill joblib shelve marshal types functools operator "
    "_operator bdb pdb timeit cProfile profile trace doctest pip site pydoc ftplib smtplib imaplib poplib "
    "telnetlib xmlrpc tempfile io _io fileinput glob platform getpass gc inspect IPython distutils setuptools "
    "ensurepip venv lib2to3 ast atexit commands popen2 logging unittest test zipimport zipfile tarfile sqlite3 "
    "concurrent socketserver wsgiref weakref _aix_support _osx_support _pyrepl idlelib antigravity turtledemo "
    "torch.hub torch.jit torch.package torch.distributed torch.multiprocessing torch.utils torch._inductor "
    "torch._dynamo torch.testing numpy.testing numpy.f2py transformers.dynamic_module_utils "
    "transformers.utils.hub "
)
_HARMFUL_MODULES = frozenset(_HARMFUL.split())
_HARMFUL_BUILTINS = (
    "eval exec compile __import__ getattr setattr delattr hasattr open input raw_input apply execfile file "
    "breakpoint globals locals vars map filter reduce exit quit memoryview help print type super "
)
_HARMFUL_NAMES = frozenset({
    *(f"{module} {name}" for module in ("builtins", "__builtin__") for name in _HARMFUL_BUILTINS.split()),
    "torch load", "torch save", "torch.storage _load_from_bytes", "torch.serialization load",
    "numpy load", "numpy save", "numpy fromfile", "numpy memmap", "numpy loadtxt", "numpy genfromtxt",
    "copyreg __newobj__", "copyreg add_extension",
})  # fmt: skip


def is_allowed(module: str, name: str) -> bool:
    """Whether data needs it, and it does nothing by being called with what a pickle gives it."""
    return name in _ALLOWED.get(module, ()) or _CONFIGS.fullmatch(f"{module} {name}") is not None


def is_harmful(module: str, name: str) -> bool:
    """Whether it is known to run code, to read or write files, or to reach the network."""
    parts = module.split(".")
    inside = any(".".join(parts[: n + 1]) in _HARMFUL_MODULES for n in range(len(parts)))
    return inside or f"{module} {name}" in _HARMFUL_NAMES or ("." in name and not is_allowed(module, name))
